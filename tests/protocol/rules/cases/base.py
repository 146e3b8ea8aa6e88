"""What a case of a rule is: a function that uses the primitive, and arrays to call it with.

A fixed case (``case``, ``flat``) shows one use; a drawn one (``drawn``) is a Hypothesis strategy
that makes cases of many shapes, dtypes, axes and options. ``tests/protocol/test_rules.py`` puts
each through every test.
"""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st


@dataclass
class Case:
    """A function of a namespace and arrays that uses ``primitive``."""

    primitive: str
    f: object
    arrays: tuple
    abstract: bool = True  # False: the shape depends on a mask's values
    peer: bool = True  # False: autograd cannot do this one
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))

    def __str__(self):
        shapes = "_".join("x".join(map(str, np.shape(a))) or "scalar" for a in self.arrays)
        return f"{self.primitive}-{shapes}"

    def numpy(self, *arrays):
        return self.f(np, *arrays)

    @property
    def places(self):
        """Where the floating-point arrays are."""
        return tuple(i for i, a in enumerate(self.arrays) if np.asarray(a).dtype.kind in "fc")

    def merged(self, floats):
        """All the arrays, those of floating point replaced."""
        arrays = list(self.arrays)
        for place, value in zip(self.places, floats, strict=True):
            arrays[place] = value
        return arrays

    @property
    def floats(self):
        return tuple(self.arrays[i] for i in self.places)

    def loss(self, namespace):
        """A curved function of the floating-point arrays, whose value is one real number."""

        def loss(*floats):
            u = self.f(namespace, *self.merged(floats))
            weight = np.cos(1.0 + np.arange(namespace.size(u))).reshape(namespace.shape(u))
            total = namespace.sum(weight * u + 0.5 * u * u)
            if any(np.asarray(a).dtype.kind == "c" for a in self.floats):
                return namespace.real(total) + 2.0 * namespace.imag(total)
            return total

        return loss

    def direction(self):
        return tuple(
            np.asarray(self.random.normal(size=np.shape(a)) * (1 + 0.5j * np.iscomplexobj(a)))
            if np.iscomplexobj(a)
            else np.asarray(self.random.normal(size=np.shape(a)))
            for a in self.floats
        )


_draw = np.random.default_rng(2016)


def real(*shape, random=_draw):
    return random.uniform(-2.0, 2.0, shape)[()]


def distinct(*shape, random=_draw):
    size = int(np.prod(shape))
    return random.permutation(np.linspace(-2.0, 2.0, size)).reshape(shape)[()]


def positive(*shape, random=_draw):
    return random.uniform(0.3, 2.0, shape)[()]


def unit(*shape, random=_draw):
    return random.uniform(-0.9, 0.9, shape)[()]


def above_one(*shape, random=_draw):
    return random.uniform(1.2, 3.0, shape)[()]


def dividends(*shape, random=_draw):
    return random.uniform(2.15, 2.35, shape)[()]


def divisors(*shape, random=_draw):  # quotients are between 2 and 3
    return random.uniform(0.8, 1.0, shape)[()]


def complexes(*shape, random=_draw):
    return (random.uniform(-2, 2, shape) + 1j * _draw.uniform(-2, 2, shape))[()]


def integers(*shape, random=_draw):
    return random.integers(-4, 5, shape)[()]


def truths(*shape, random=_draw):
    return (random.uniform(-1, 1, shape) > 0)[()]


SHAPES = [(), (3,), (1,), (2, 1, 3), (0, 3)]
PAIRS = [
    ((), ()),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((3,), (2, 1, 1)),
    ((1,), (3,)),
    ((), (2, 3)),
    ((0, 3), (3,)),
]
CASES = []
DRAWN = {}  # strategies of cases, by primitive
FLAT = []  # those of primitives through which no gradient passes


def case(primitive, f, *arrays, **options):
    CASES.append(Case(primitive, f, arrays, **options))


def flat(primitive, f, *arrays):
    FLAT.append(Case(primitive, f, arrays))


def called(name):
    return lambda np, *arrays: getattr(np, name)(*arrays)


def drawn(*primitives):
    """Register a Hypothesis strategy whose cases exercise each of these primitives.

    The strategy gives ``(f, arrays)``, with ``f(np, *arrays)``; or, as the third, the options of
    a Case.
    """

    def register(strategy):
        for primitive in primitives:
            made = strategy.map(
                lambda parts, primitive=primitive: Case(
                    primitive, parts[0], tuple(parts[1]), **(parts[2] if len(parts) > 2 else {})
                )
            )
            DRAWN.setdefault(primitive, []).append(made)
        return strategy

    return register


def shapes(min_dims=0, max_dims=3, min_side=0, max_side=3):
    """Draw a shape."""
    side = st.integers(min_side, max_side)
    return st.lists(side, min_size=min_dims, max_size=max_dims).map(tuple)


@st.composite
def broadcasting(draw, count=2, **limits):
    """Draw shapes that broadcast together."""
    joint = draw(shapes(**limits))
    found = []
    for _ in range(count):
        kept = joint[draw(st.integers(0, len(joint))) :]
        found.append(tuple(1 if draw(st.booleans()) else n for n in kept))
    return found


@st.composite
def arrays(draw, domain, shape=None):
    """Draw an array of a domain such as ``positive``; a shape that is not given is drawn."""
    shape = draw(shapes()) if shape is None else shape
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    return domain(*shape, random=random)
