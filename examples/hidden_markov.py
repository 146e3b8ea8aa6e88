"""The dishonest casino: a hidden Markov model, summed over all its histories.

The casino throws a die and now and then, unseen, changes it for a loaded one. With
hidden state s_t and number x_t, the forward algorithm carries along

    a_t(s) = log P(x_1 ... x_t, s_t = s)
           = log Σ_r exp(a_(t-1)(r) + log P(r → s)) + log P(x_t | s)

and the loss is -1/T log Σ_s exp a_T(s). The sum is over 2^T histories, yet it is a
network with a few nodes a throw. -T ∂f/∂log P(r → s) is the expected number of such
changes, given the throws: what comes back is Baum and Welch's backward algorithm.
"""

import numpy as np


def log_softmax(logits):
    """Logs of probabilities: each row sums to one."""
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def loss(logits, throws):
    start, change, show = (log_softmax(logits[name]) for name in ("start", "change", "show"))
    shown = show[:, throws].T  # one row a throw, one column a state
    a = start + shown[0]
    for x in shown[1:]:
        a = np.logaddexp.reduce(a[:, np.newaxis] + change, axis=0) + x
    return -np.logaddexp.reduce(a) / len(throws)


def inputs():
    """Sixty throws, and a model that hardly knows which die is loaded."""
    rng = np.random.default_rng(7)
    dice = np.array([[1 / 6] * 6, [0.1] * 5 + [0.5]])
    state, throws = 0, []
    for _ in range(60):
        state = state if rng.random() < 0.9 else 1 - state
        throws.append(rng.choice(6, p=dice[state]))
    logits = {
        "start": np.zeros(2),
        "change": np.log([[0.8, 0.2], [0.2, 0.8]]),
        "show": 0.1 * rng.normal(size=(2, 6)),
    }
    return logits, np.array(throws)
