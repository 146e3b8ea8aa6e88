"""A quantum gate from shaped pulses: complex numbers between real leaves and a real loss.

Two spins with a fixed coupling are turned by four pulses, whose strength may change at
every step. Over one step the Hamiltonian is H = coupling + Σ_c pulse_c X_c, and Cayley's
form of exp(-i H dt) is exactly unitary:

    U_t = (1 + ½ i H dt)⁻¹ (1 - ½ i H dt)

The loss is 1 - |tr(G† U_T ... U_1)|² / 16: zero where the product of all the steps is the
gate G, up to a phase that nobody can see. The gate here is CNOT, which turns the second
spin over if the first one points down.
"""

import numpy as np

STEPS, DT = 20, 0.2
X = np.array([[0, 1], [1, 0]])
Y = np.array([[0, -1j], [1j, 0]])
Z = np.array([[1, 0], [0, -1]])
ONE = np.eye(2)
COUPLING = np.kron(Z, Z)
TURNS = np.stack([np.kron(X, ONE), np.kron(Y, ONE), np.kron(ONE, X), np.kron(ONE, Y)])
CNOT = np.eye(4)[[0, 1, 3, 2]]


def step(pulse):
    generator = 0.5j * DT * (COUPLING + np.tensordot(pulse, TURNS, axes=1))
    return np.linalg.solve(np.eye(4) + generator, np.eye(4) - generator)


def loss(pulses, gate):
    product = np.eye(4)
    for pulse in pulses:
        product = step(pulse) @ product
    overlap = np.trace(gate.T.conj() @ product)
    return 1 - np.abs(overlap) ** 2 / 16


def inputs():
    rng = np.random.default_rng(16)
    return rng.normal(size=(STEPS, 4)), CNOT
