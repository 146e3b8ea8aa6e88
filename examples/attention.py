"""A small transformer: one block of causal self-attention that guesses the next character.

    x = embedding[text] + position
    x = x + attend(norm(x))              look back at all that was read so far
    x = x + gelu(norm(x) A) B            think about each place by itself
    logits = norm(x) embeddingᵀ

Each head compares a query at place q with the keys at all places k ≤ q, and takes the
mean of their values, weighted by softmax(query · key / √d). The embedding is used at
both ends of the network, so messages come to that leaf from the bottom and the top.
"""

import numpy as np

TEXT = "she sells sea shells by the sea shore; the shells she sells are sea shells"
WIDTH, HEADS = 16, 2


def softmax(z):
    e = np.exp(z - np.max(z, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def norm(x, scale):
    """Each row with mean 0 and variance 1, then scaled."""
    centered = x - np.mean(x, axis=-1, keepdims=True)
    return scale * centered / np.sqrt(np.var(x, axis=-1, keepdims=True) + 1e-5)


def attend(params, x):
    length = len(x)
    query, key, value = np.einsum("td,sdhe->sthe", x, params["look"])  # (place, head, entry)
    scores = np.einsum("qhe,khe->hqk", query, key) / np.sqrt(WIDTH // HEADS)
    past = np.tri(length, dtype=bool)
    weights = softmax(np.where(past, scores, -np.inf))
    heads = np.einsum("hqk,khe->qhe", weights, value)
    return heads.reshape(length, WIDTH) @ params["gather"]


def gelu(z):
    return 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))


def loss(params, text):
    """The mean surprise, -log P, at each next character."""
    seen, following = text[:-1], text[1:]
    x = params["embedding"][seen] + params["position"]
    x = x + attend(params, norm(x, params["scales"][0]))
    x = x + gelu(norm(x, params["scales"][1]) @ params["widen"]) @ params["narrow"]
    probabilities = softmax(norm(x, params["scales"][2]) @ params["embedding"].T)
    return -np.mean(np.log(probabilities[np.arange(len(seen)), following]))


def inputs():
    rng = np.random.default_rng(11)
    alphabet, text = np.unique(list(TEXT), return_inverse=True)
    params = {
        "embedding": 0.3 * rng.normal(size=(len(alphabet), WIDTH)),
        "position": 0.3 * rng.normal(size=(len(text) - 1, WIDTH)),
        "scales": np.ones((3, WIDTH)),
        "look": rng.normal(size=(3, WIDTH, HEADS, WIDTH // HEADS)) / np.sqrt(WIDTH),
        "gather": rng.normal(size=(WIDTH, WIDTH)) / np.sqrt(WIDTH),
        "widen": rng.normal(size=(WIDTH, 4 * WIDTH)) / np.sqrt(WIDTH),
        "narrow": rng.normal(size=(4 * WIDTH, WIDTH)) / np.sqrt(4 * WIDTH),
    }
    return params, text
