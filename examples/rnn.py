"""A recurrent neural net that learns to spell, one character after the other.

    h_t = tanh(embedding[c_t] + h_(t-1) W + b)       the memory
    P(c_(t+1) | c_1 ... c_t) = softmax(h_t V + d)    the guess at what comes next

The loop makes one deep network, as deep as the text is long, and the same weights W
stand at every step: the gradient is the sum of the messages from all of them
(back-propagation through time is just back-propagation).
"""

import numpy as np

TEXT = "rose is a rose is a rose is a rose"
HIDDEN = 16


def guesses(params, characters):
    """Logits for the next character: one row a step."""
    h = np.zeros(HIDDEN)
    memories = []
    for character in characters:
        h = np.tanh(params["embedding"][character] + h @ params["recur"] + params["bias"])
        memories.append(h)
    return np.stack(memories) @ params["out"] + params["out_bias"]


def loss(params, text):
    """The mean surprise, -log P, at each next character."""
    logits = guesses(params, text[:-1])
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    following = text[1:]
    return -np.mean(log_probabilities[np.arange(len(following)), following])


def inputs():
    rng = np.random.default_rng(2)
    alphabet, text = np.unique(list(TEXT), return_inverse=True)
    params = {
        "embedding": 0.5 * rng.normal(size=(len(alphabet), HIDDEN)),
        "recur": rng.normal(size=(HIDDEN, HIDDEN)) / np.sqrt(HIDDEN),
        "bias": np.zeros(HIDDEN),
        "out": rng.normal(size=(HIDDEN, len(alphabet))) / np.sqrt(HIDDEN),
        "out_bias": np.zeros(len(alphabet)),
    }
    return params, text
