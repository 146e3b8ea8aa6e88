"""What ``backwave count --sizes --workers`` measures, on the real workers."""

import pytest

import backwave as bw
from backwave.scripts.count.growth import inputs_for, spread

from ..protocol.scalar.drawn import network as drawn


@pytest.mark.long  # each worker compiles the network, and the naive algorithm
def test_a_network_spread_over_workers_has_the_same_bits(cluster, monkeypatch):
    monkeypatch.setattr("backwave.scripts.count.growth.MOST_PASSES", 3)
    network = drawn(11, nodes=300, edges=2500, given=20).network
    given = inputs_for(network)
    S = bw.backward(network, given).S
    found = spread(cluster, network, given, S)
    assert found.difference == 0
    assert found.seconds > 0
    assert 0 < found.cross_messages == found.cut_edges < network.num_edges
    assert found.payload_bytes == 8 * found.cross_messages
    # It can tell.
    assert spread(cluster, network, given, S + 1.0).difference > 0.9
