"""Cases of sums of products over labelled axes."""

import numpy as np
from hypothesis import strategies as st

from .base import case, complexes, drawn, real


def _sum_of(subscripts, **options):
    return lambda np, *operands: np.einsum(subscripts, *operands, **options)


PAIRS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk->ki", (2, 3), (3, 4)),
    ("ji,kj->ik", (3, 2), (4, 3)),
    ("bij,bjk->bik", (4, 2, 3), (4, 3, 2)),
    ("bij,jbk->ikb", (2, 3, 4), (4, 2, 3)),
    ("ncyx,oc->noyx", (2, 3, 2, 2), (4, 3)),
    ("oc,ncyx->noyx", (4, 3), (2, 3, 2, 2)),
    ("abcd,bcae->ade", (2, 3, 2, 2), (3, 2, 2, 4)),
    ("i,j->ij", (2,), (3,)),
    ("i,j->ji", (2,), (3,)),
    ("i,i->i", (3,), (3,)),
    ("ij,j->ij", (2, 3), (3,)),
    ("ij,ji->", (2, 3), (3, 2)),
    ("ij,jk->ik", (2, 0), (0, 3)),
    ("ij,jk->ik", (0, 3), (3, 2)),
    (",i->i", (), (3,)),
    (",->", (), ()),
    # Axes that one operand has for itself, and diagonals.
    ("ij,jk->k", (2, 3), (3, 4)),
    ("ij,kl->", (2, 3), (2, 2)),
    ("ii,i->i", (3, 3), (3,)),
    ("iij,jj->i", (2, 2, 3), (3, 3)),
    ("iji,k->jk", (3, 2, 3), (2,)),
    # What the ellipsis and the implied output stand for.
    ("ij,jk", (2, 3), (3, 4)),
    ("ba,cb", (2, 3), (4, 2)),
    ("...ij,...jk", (4, 1, 2, 3), (5, 3, 2)),
    ("i...,i...->...i", (2, 3), (2, 3)),
    ("...i,i", (2, 2, 3), (3,)),
    # Lengths of 1 that broadcast.
    ("i,i->i", (1,), (3,)),
    ("ij,jk->ik", (2, 1), (3, 4)),
    ("ij,ij->j", (1, 3), (2, 1)),
]
NOT_IN_AUTOGRAD = ("ii,i->i", "iij,jj->i", "iji,k->jk", *(pair[0] for pair in PAIRS[-3:]))
for subscripts, *shapes in PAIRS:
    operands = [real(*shape) for shape in shapes]
    case("einsum", _sum_of(subscripts), *operands, peer=subscripts not in NOT_IN_AUTOGRAD)
case("einsum", _sum_of("ij,jk->ik"), complexes(2, 3), complexes(3, 2))
case("einsum", _sum_of("ij,jk->ik"), complexes(2, 3), real(3, 2))
case("einsum", lambda np, a: np.einsum("ij,kj->ik", a, a), real(2, 3))
case("einsum", lambda np, a, b: np.einsum(a, [0, 1], b, [1, 2], [2, 0]), real(2, 3), real(3, 2))
case(
    "einsum",
    lambda np, a, b: np.einsum(a, [1, 0], b, [1, ...]),
    real(2, 3),
    real(2, 2),
    peer=False,
)

# One operand needs no product: a diagonal, a sum, an order of axes.
for subscripts, shape in [("ii", (3, 3)), ("ii->i", (3, 3)), ("iij->j", (2, 2, 3))]:
    case("getitem", _sum_of(subscripts), real(*shape), peer=False)
case("getitem", _sum_of("iiijj->ji"), real(2, 2, 2, 3, 3), peer=False)
case("sum", _sum_of("ijk->j"), real(2, 3, 2))
case("transpose", _sum_of("ba"), real(2, 3))
case("transpose", _sum_of("i...->...i"), real(2, 3, 2))

# Many operands, in the order that costs least.
MANY = [
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("ir,jr,kr->ijk", (2, 3), (3, 3), (2, 3)),
    ("i,ij,j", (2,), (2, 3), (3,)),
    ("ij,ij,ij->ij", (2, 3), (2, 3), (2, 3)),
    ("ij,j,k,kl,l->i", (2, 3), (3,), (2,), (2, 3), (3,)),
    ("...i,ij,...j", (2, 3), (3, 2), (4, 1, 2)),
]
for subscripts, *shapes in MANY:
    case("einsum", _sum_of(subscripts), *(real(*shape) for shape in shapes))
case("einsum", _sum_of("ij,jk,kl->il", optimize="greedy"), real(2, 3), real(3, 2), real(2, 2))
case("einsum", _sum_of("a,b,c,d,e,f->af"), *(real(2) for _ in range(6)))

# What is written with it.
case("einsum", lambda np, a, b: np.tensordot(a, b, axes=2), real(2, 3, 4), real(3, 4, 5))
case("einsum", lambda np, a, b: np.tensordot(a, b, axes=0), real(2), real(3, 2))
case(
    "einsum", lambda np, a, b: np.tensordot(a, b, axes=([0, 2], [1, 0])), real(2, 3, 4), real(4, 2)
)
case("einsum", lambda np, a, b: np.tensordot(a, b, axes=(-1, 0)), complexes(2, 3), complexes(3, 2))
case("einsum", lambda np, a, b: np.inner(a, b), real(2, 3), real(4, 3))
case("einsum", lambda np, a, b: np.dot(a, b), real(2, 3), real(4, 3, 2))
case("einsum", lambda np, a, b: np.outer(a, b), real(2), real(3))
case("einsum", lambda np, a, b: np.outer(a, b), real(2, 2), real(), peer=False)
for a, b in [((2,), (3,)), ((2, 3), (4,)), ((2,), (3, 2)), ((2, 3), (3, 1, 2)), ((2, 0), (3, 1))]:
    case("einsum", lambda np, a, b: np.kron(a, b), real(*a), real(*b), peer=False)


@st.composite
def sums_of_products(draw):
    """Draw any number of operands whose axes have labels, and an output of some of them."""
    lengths = {label: draw(st.integers(1, 3)) for label in "abcde"}
    count = draw(st.sampled_from([2, 2, 2, 3, 4]))
    written = [draw(st.text("abcde", max_size=3)) for _ in range(count)]
    present = sorted(set("".join(written)))
    output = "".join(draw(st.permutations(present))[: draw(st.integers(0, len(present)))])
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    domain = draw(st.sampled_from([real, real, complexes]))
    operands = []
    for term in written:
        # A length of 1 broadcasts; the entries of a diagonal have no other lengths beside them.
        ones = {label: draw(st.integers(0, 5)) == 0 for label in set(term)}
        shape = (1 if ones[label] else lengths[label] for label in term)
        operands.append(domain(*shape, random=random))
    optimize = draw(st.sampled_from([False, True, "greedy", "optimal"]))
    return _sum_of(f"{','.join(written)}->{output}", optimize=optimize), operands, {"peer": False}


drawn("einsum")(sums_of_products())
