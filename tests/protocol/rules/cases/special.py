"""Cases of special functions."""

import numpy as np
from hypothesis import strategies as st
from scipy import special

import backwave.scipy.special as ours
from backwave.protocol.rules.primitive import apply

from .base import arrays, case, complexes, distinct, drawn, flat, positive, real, shapes, unit
from .elementwise import uses, within

between = within(0.1, 0.9)
large = within(1.5, 4.0)

UNARY = {
    real: "erf erfc erfcx erfi dawsn ndtr log_ndtr expit log_expit exp10 exprel cosm1 sindg cosdg"
    " tandg j0 j1 i0 i1 i0e i1e rgamma",
    positive: "gamma gammaln loggamma psi entr y0 y1 k0 k1 k0e k1e expi exp1 spence ellipkm1",
    between: "ndtri logit erfcinv ellipk ellipe",
    unit: "erfinv",
    within(20.0, 70.0): "cotdg",
    within(-2.9, -2.1): "gamma rgamma gammaln psi",
    complexes: "erf erfcx dawsn expi wofz",
}
BINARY = {
    (
        positive,
        positive,
    ): "beta betaln poch xlogy xlog1py rel_entr kl_div boxcox boxcox1p inv_boxcox"
    " inv_boxcox1p pseudo_huber powm1",
    (large, between): "binom",
    (within(2.1, 3.0), real): "huber",
    (within(0.2, 0.4), large): "huber",
}
# The first arguments are parameters. They have no gradient; as whole numbers they ask for none.
WITH_PARAMETERS = {
    positive: "jv:1 jv:0 yv:1 yn:2 iv:3 ive:1 kv:1 kve:2 kn:3 jn:1 expn:0 expn:1 expn:3 hyp0f1:2"
    " hyp1f1:1,3 hyperu:1,2 gammainc:3 gammaincc:2",
    real: "iv:2 ive:1 jv:2 hyp0f1:1 stdtr:3",
    between: "hyp2f1:1,2,4 betainc:3,2 betaincc:2,3 betaincinv:2,1 betainccinv:2,2 gammaincinv:2"
    " gammainccinv:3 stdtrit:4",
}


def add(name, *domains, parameters=()):
    function = getattr(special, name)
    f = lambda np, *x: function(*parameters, *x)  # noqa: E731
    shapes = [(3,), (2, 1), ()]
    case(function.__name__, f, *(d(*n) for d, n in zip(domains, shapes, strict=False)), peer=False)
    drawn(function.__name__)(uses(f, *domains, peer=False))


for domain, names in UNARY.items():
    for name in names.split():
        add(name, domain)
for domains, names in BINARY.items():
    for name in names.split():
        add(name, *domains)
for domain, names in WITH_PARAMETERS.items():
    for each in names.split():
        name, parameters = each.split(":")
        add(name, domain, parameters=list(map(int, parameters.split(","))))
add("radian", real, real, real)
case("erf", lambda np, x: special.erf(x), real(), peer=False)
case("erf", lambda np, x: special.erf(x), real(0, 3), peer=False)


def both_parts(w):
    return np.real(w) + 2.0 * np.imag(w)


case("wofz", lambda np, x: both_parts(special.wofz(x)), real(3), peer=False)
for name in ("hankel1", "hankel2"):
    f = lambda np, x, name=name: both_parts(getattr(special, name)(1, x))  # noqa: E731
    case(name, f, positive(3), peer=False)
    drawn(name)(uses(f, positive, peer=False))
case("huber", lambda np, x: special.huber(1.0, x), distinct(2, 4), peer=False)
case("xlogy", lambda np, y: special.xlogy(np.array([0.0, 2.0]), y), positive(3, 1), peer=False)
case("rgamma", lambda np, x: special.rgamma(x), np.array([0.0, -1.0, -3.0, 2.0]), peer=False)
case("spence", lambda np, x: special.spence(x), np.array([0.4, 1.0, 1.001, 5.0]), peer=False)
case(
    "boxcox",
    lambda np, x, p: special.boxcox(x, p),
    positive(3),
    np.array([0.0, 1e-9, 1.0]),
    peer=False,
)
case(
    "inv_boxcox",
    lambda np, x, p: special.inv_boxcox(x, p),
    positive(3),
    np.array([0.0, 1e-9, 1.0]),
    peer=False,
)
case("exprel", lambda np, x: special.exprel(x), np.array([0.0, 1e-9, -20.0]), peer=False)
case("ellipk", lambda np, x: special.ellipk(x), np.array([0.0, 1e-9, -2.0]), peer=False)
case("log_ndtr", lambda np, x: special.log_ndtr(x), np.array([-30.0, -8.0, 3.0, 9.0]), peer=False)
flat("gammasgn", lambda np, x: special.gammasgn(x), within(-3.0, 3.0)(4))
for f in (lambda np, x: special.zeta(2, x), lambda np, x: ours.zeta(3, x)):
    case("zeta", f, positive(3), peer=False)
    drawn("zeta")(uses(f, positive, peer=False))
case("zeta", lambda np, x: ours.polygamma(2, x), positive(3), peer=False)
case("zeta", lambda np, x: ours.polygamma(np.array([0, 1, 2]), x), positive(3), peer=False)
case("psi", lambda np, x: ours.polygamma(0, x), positive(3), peer=False)
case("gammaln", lambda np, x: ours.multigammaln(x, 3), large(2, 2), peer=False)
case("ndtr_ratio", lambda np, x: apply("ndtr_ratio", x), real(3), peer=False)
drawn("ndtr_ratio")(uses(lambda np, x: apply("ndtr_ratio", x), real, peer=False))
for name, count in {"sici": 2, "shichi": 2, "fresnel": 2, "airy": 4}.items():
    for output in range(count):
        f = lambda np, x, name=name, output=output: getattr(special, name)(x)[output]  # noqa: E731
        case(name, f, positive(3), peer=False)
        drawn(name)(uses(f, positive, peer=False))
f = lambda np, x: both_parts(special.lambertw(x))  # noqa: E731
case("lambertw", f, real(3), peer=False)
drawn("lambertw")(uses(f, positive, peer=False))
case("lambertw", lambda np, z: ours.lambertw(z, -1), complexes(3), peer=False)
for name in ["legendre", "chebyt", "chebyu", "hermite", "hermitenorm", "laguerre"]:
    for degree in (0, 1, 4):
        add(f"eval_{name}", unit, parameters=[degree])
add("eval_gegenbauer", unit, parameters=[4, 2])
add("eval_genlaguerre", unit, parameters=[3, 1])
add("eval_jacobi", unit, parameters=[4, 1, 2])
case("exp2", lambda np, x: special.exp2(x), real(3), peer=False)
case("expm1", lambda np, x: special.expm1(x), real(3), peer=False)
case("log1p", lambda np, x: special.log1p(x), positive(3), peer=False)
case("cbrt", lambda np, x: special.cbrt(x), positive(3), peer=False)


# Sums along axes.


@st.composite
def normalised(draw, name, reduces):
    shape = draw(shapes(min_side=0 if reduces else 1))
    axes = draw(
        st.none() | st.lists(st.integers(0, len(shape) - 1), unique=True).map(tuple)
        if shape
        else st.none()
    )
    options = {"axis": axes}
    if reduces:
        options["keepdims"] = draw(st.booleans())
    function = getattr(ours, name)
    if reduces and 0 in shape:
        return lambda np, x: np.exp(function(x, **options)), [real(*shape)], {"peer": False}
    return lambda np, x: function(x, **options), [draw(arrays(real, shape))], {"peer": False}


for name in ("logsumexp", "softmax", "log_softmax"):
    function = getattr(ours, name)
    for axis in (None, 1, (0, 2)):
        f = lambda np, x, function=function, axis=axis: function(x, axis=axis)  # noqa: E731
        case(name, f, real(2, 3, 2), peer=False)
    case(name, lambda np, x, function=function: function(x), real(), peer=False)
    drawn(name)(normalised(name, name == "logsumexp"))
case("logsumexp", lambda np, x: ours.logsumexp(x, axis=0, keepdims=True), real(2, 3), peer=False)
case("logsumexp", lambda np, x: np.exp(ours.logsumexp(x, axis=0)), real(0, 3), peer=False)
case("logsumexp", lambda np, x: ours.logsumexp(x, axis=0), complexes(2, 3), peer=False)
case("rint", lambda np, x, b: ours.logsumexp(x, axis=1, b=b), real(2, 3), positive(3), peer=False)
