"""BLAS on one thread, as every worker has it: its rounding may depend on the number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run BLAS on one thread meanwhile.

    The number is the whole process's, and OpenBLAS lets only the main thread change it: of several
    Python threads that compute at once, none is promised the same bits.
    """
    with _libraries().limit(limits=1, user_api="blas"):
        yield
