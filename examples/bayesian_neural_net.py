"""A Bayesian neural net: not the best weights, but a distribution of good ones.

Variational inference looks for the normal distribution q, with a mean and a standard
deviation for each weight, that is nearest to the posterior. Weights drawn from q are
w = mean + std · noise, and the loss is the negative evidence lower bound

    f = -E_q[log P(y | x, w) + log P(w)] - H(q),       H(q) = Σ log std + constant

with the mean over a few draws in place of E_q. All draws pass through the net at once,
as one more axis of every array: a layer's weights are (draw, in, out).
"""

from itertools import pairwise

import numpy as np

SIZES = (1, 10, 10, 1)
NOISE = 0.1


def layers(draws):
    """Cut each draw, a flat vector, into the weights and biases of the layers."""
    start = 0
    for m, n in pairwise(SIZES):
        end = start + m * n
        yield draws[:, start:end].reshape(-1, m, n), draws[:, np.newaxis, end : end + n]
        start = end + n


def predict(draws, x):
    """The net's answers: (draw, point)."""
    *hidden, (weight, bias) = layers(draws)
    z = x
    for w, b in hidden:
        z = np.tanh(z @ w + b)
    return np.squeeze(z @ weight + bias, axis=2)


def log_normal(x, std):
    return -0.5 * (x / std) ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi)


def loss(posterior, x, y, noise):
    draws = posterior["mean"] + np.exp(posterior["log_std"]) * noise
    log_likelihood = np.sum(log_normal(predict(draws, x) - y, NOISE), axis=1)
    log_prior = np.sum(log_normal(draws, 1.0), axis=1)
    entropy = np.sum(posterior["log_std"] + 0.5 * np.log(2 * np.pi * np.e))
    return -(np.mean(log_likelihood + log_prior) + entropy)


def inputs():
    """A noisy curve with a gap in the middle, where the answers of the draws should differ."""
    rng = np.random.default_rng(10)
    x = np.concatenate([np.linspace(-2, -0.7, 20), np.linspace(0.7, 2, 20)])
    y = np.cos(2 * x) + NOISE * rng.normal(size=40)
    count = sum((m + 1) * n for m, n in pairwise(SIZES))
    posterior = {"mean": 0.5 * rng.normal(size=count), "log_std": np.full(count, -3.0)}
    return posterior, x[:, np.newaxis], y, rng.normal(size=(8, count))
