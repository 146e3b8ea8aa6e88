"""The ledger: counts that balance pass, and each closed form that fails is named."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.errors import LedgerError
from backwave.protocol.ledger import Ledger

from ..networks import networks

# Seven edges, five nodes: four of them receive, and add the three messages that are left.
BALANCED = Ledger(
    nodes=5,
    edges=7,
    messages=7,
    sums=3,
    multiplies=7,
    receivers=4,
    levels=frozenset({0, 1, 2, 3}),
    cut_edges=2,
    cross_messages=2,
    frames=1,
    payload_bytes=16,
)

MESSAGES = "messages = edges: "
MULTIPLIES = "multiplies = edges: "
SUMS = "sums = edges - receivers: "
RECEIVERS = "receivers = nodes - outputs: "
WORK = "work = 2 edges: "
CROSS = "cross messages = cut edges: "
PREFIX = "the ledger does not balance: "


def test_balanced_counts_pass():
    BALANCED.check()
    Ledger().check()
    Ledger(nodes=1).check()  # a network whose output is its only node
    assert BALANCED.work == 14
    assert BALANCED.as_dict()["work"] == 14
    assert BALANCED.as_dict()["payload_bytes"] == 16


@given(networks())
def test_a_pass_balances(network):
    graph, args = network
    ledger = bw.backward(graph, *args).ledger
    ledger.check()
    assert ledger.work == 2 * graph.num_edges
    assert ledger.sums == graph.num_edges - (graph.num_nodes - 1)


@pytest.mark.parametrize(
    ("changed", "broken"),
    [
        ({"messages": 8}, [MESSAGES + "8 against 7", WORK + "15 against 14"]),
        ({"messages": 6}, [MESSAGES + "6 against 7", WORK + "13 against 14"]),
        ({"multiplies": 9}, [MULTIPLIES + "9 against 7", WORK + "16 against 14"]),
        (
            {"messages": 6, "multiplies": 8},
            [MESSAGES + "6 against 7", MULTIPLIES + "8 against 7"],
        ),
        ({"sums": 4}, [SUMS + "4 against 3"]),
        ({"receivers": 3}, [SUMS + "3 against 4", RECEIVERS + "3 against 4"]),
        ({"receivers": 3, "sums": 4}, [RECEIVERS + "3 against 4"]),
        ({"nodes": 6}, [RECEIVERS + "4 against 5"]),
        ({"cross_messages": 1}, [CROSS + "1 against 2"]),
        ({"cut_edges": 0}, [CROSS + "2 against 0"]),
        (
            {"edges": 6},
            [
                MESSAGES + "7 against 6",
                MULTIPLIES + "7 against 6",
                SUMS + "3 against 2",
                WORK + "14 against 12",
            ],
        ),
    ],
)
def test_each_identity_that_fails_is_named_with_both_sides(changed, broken):
    with pytest.raises(LedgerError) as caught:
        replace(BALANCED, **changed).check()
    assert str(caught.value) == PREFIX + "; ".join(broken)


COUNTED = ["nodes", "edges", "messages", "sums", "multiplies", "receivers"]


@given(st.sampled_from([*COUNTED, "cut_edges", "cross_messages"]), st.integers(-9, 9))
def test_no_single_count_can_be_off(count, by):
    changed = replace(BALANCED, **{count: getattr(BALANCED, count) + by})
    if by == 0:
        changed.check()
    else:
        with pytest.raises(LedgerError):
            changed.check()
