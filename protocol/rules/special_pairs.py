"""Special functions with several results, orthogonal polynomials and Lambert's W."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from ..arrays import Array
from .attributes import INTEGER, one_of
from .elementwise import elementwise
from .primitive import Abstract, apply, define
from .special import COSTLY, PROBE, refused, special_of


def _several(ufunc: np.ufunc, *slopes: Callable[[Array], Array]) -> None:
    """Define a ufunc with several results: ``output`` says which one a node is."""

    def forward(z: Array, *, output: int) -> Array:
        return ufunc(z)[output]

    def message(S: Array, u: Array, z: Array, *, output: int) -> Array:
        return S * slopes[output](z)

    def shape(z: Abstract, *, output: int) -> Abstract:
        return Abstract(z.shape, ufunc(np.ones(1, z.dtype))[output].dtype)

    define(
        ufunc.__name__,
        forward,
        message,
        shape=shape,
        flops=lambda u, z, *, output: COSTLY * u.size,
        takes={"output": one_of(*range(len(slopes)))},
    )


def _airy(output: int) -> Callable[[Array], Array]:
    if output % 2:  # a derivative, whose own is z times the function
        return lambda z: z * apply("airy", z, output=output - 1)
    return lambda z: apply("airy", z, output=output + 1)


_several(special.sici, lambda z: np.sinc(z / np.pi), lambda z: np.cos(z) / z)
_several(special.shichi, lambda z: special.hyp0f1(1.5, 0.25 * (z * z)), lambda z: np.cosh(z) / z)
_several(
    special.fresnel,
    lambda z: np.sin(0.5 * math.pi * (z * z)),
    lambda z: np.cos(0.5 * math.pi * (z * z)),
)
_several(special.airy, *map(_airy, range(4)))

_LAMBERTW: np.ufunc = special.lambertw(PROBE)


def _lambertw(z: Array, *, k: int) -> Array:
    module = special_of(z)
    if module is special:
        return _LAMBERTW(z, k, 1e-8)
    return module.lambertw(z.astype(np.complex128), k)  # CuPy's is real of float32


define(
    "lambertw",
    _lambertw,
    lambda S, u, z, *, k: S * (np.exp(-u) / (1 + u)),
    shape=lambda z, *, k: Abstract(z.shape, np.dtype(np.complex128)),
    flops=lambda u, z, *, k: COSTLY * u.size,
    takes={"k": INTEGER},
)

_DEGREE = refused("its degree")

# fmt: off
elementwise(special.eval_legendre, _DEGREE,
            lambda S, u, n, z: S * (0.5 * (n + 1) * special.eval_jacobi(n - 1, 1.0, 1.0, z)),
            flops=COSTLY)
elementwise(special.eval_jacobi, _DEGREE, refused("alpha"), refused("beta"),
            lambda S, u, n, a, b, z:
            S * (0.5 * (n + a + b + 1) * special.eval_jacobi(n - 1, a + 1, b + 1, z)),
            flops=COSTLY)
elementwise(special.eval_chebyt, _DEGREE,
            lambda S, u, n, z: S * (n * special.eval_chebyu(n - 1, z)), flops=COSTLY)
elementwise(special.eval_chebyu, _DEGREE,
            lambda S, u, n, z: S * (2 * special.eval_gegenbauer(n - 1, 2.0, z)), flops=COSTLY)
elementwise(special.eval_gegenbauer, _DEGREE, refused("alpha"),
            lambda S, u, n, a, z: S * (2 * a * special.eval_gegenbauer(n - 1, a + 1, z)),
            flops=COSTLY)
elementwise(special.eval_hermite, _DEGREE,
            lambda S, u, n, z: S * (2 * n * special.eval_hermite(np.maximum(n - 1, 0), z)),
            flops=COSTLY)
elementwise(special.eval_hermitenorm, _DEGREE,
            lambda S, u, n, z: S * (n * special.eval_hermitenorm(np.maximum(n - 1, 0), z)),
            flops=COSTLY)
elementwise(special.eval_laguerre, _DEGREE,
            lambda S, u, n, z: -S * special.eval_genlaguerre(n - 1, 1.0, z), flops=COSTLY)
elementwise(special.eval_genlaguerre, _DEGREE, refused("alpha"),
            lambda S, u, n, a, z: -S * special.eval_genlaguerre(n - 1, a + 1, z), flops=COSTLY)
# fmt: on
