"""Kalman's filter: where a ship is, and how much to trust the radar.

The state is position and velocity in the plane; the ship drifts by unknown pushes and
the radar sees the position with an error:

    x_t = A x_(t-1) + push,   push ~ N(0, Q)        y_t = H x_t + error,   error ~ N(0, R)

The filter knows x_t as a normal distribution, with mean m and covariance P. It guesses
ahead, sees y, and is surprised by r = y - H m, whose covariance is S = H P Hᵀ + R:

    -log P(y_t | y_1 ... y_(t-1)) = ½ (rᵀ S⁻¹ r + log det 2πS)

The mean of these is the loss. Its leaves are the sizes of the pushes and of the errors:
as a function of them the filter, covariances and all, is just a network.
"""

import numpy as np

EYE, ZERO = np.eye(2), np.zeros((2, 2))
A = np.block([[EYE, EYE], [ZERO, EYE]])  # in one unit of time, position moves by velocity
H = np.hstack([EYE, ZERO])
PUSH = np.vstack([0.5 * EYE, EYE])  # a push changes the velocity, and half as much the position


def loss(log_std, track):
    Q = np.exp(2 * log_std["push"]) * (PUSH @ PUSH.T)
    R = np.diag(np.exp(2 * log_std["radar"]))
    m, P = np.zeros(4), 100.0 * np.eye(4)
    surprise = 0.0
    for y in track:
        m, P = A @ m, A @ P @ A.T + Q
        r, S = y - H @ m, H @ P @ H.T + R
        surprise = surprise + 0.5 * (
            r @ np.linalg.solve(S, r) + np.linalg.slogdet(2 * np.pi * S)[1]
        )
        gain = np.linalg.solve(S, H @ P).T
        m, P = m + gain @ r, P - gain @ H @ P
    return surprise / len(track)


def inputs():
    """A track of 40 places, and a first guess that trusts the radar too much."""
    rng = np.random.default_rng(12)
    state, track = np.array([0.0, 0.0, 1.0, 0.5]), []
    for _ in range(40):
        state = A @ state + PUSH @ (0.2 * rng.normal(size=2))
        track.append(H @ state + np.array([0.5, 1.5]) * rng.normal(size=2))
    return {"push": 0.0, "radar": np.zeros(2)}, np.array(track)
