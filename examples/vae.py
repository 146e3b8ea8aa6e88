"""A variational autoencoder: handwritten digits from two hidden numbers.

The encoder reads an image x and answers with a normal distribution q of hidden z, its
mean and log of standard deviation; the decoder turns a z drawn from q into the
probability that each pixel is ink. The loss is the negative evidence lower bound,

    f = E_q[-log P(x | z)] + KL(q || N(0, I)),
    KL = ½ Σ (mean² + std² - 1 - 2 log std)

with z = mean + std · noise: drawn so, z is a differentiable function of the encoder,
and the noise is an argument like any other.

Data: UCI handwritten digits; see data/README.md.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data" / "digits.npz"
HIDDEN, LATENT = 32, 2


def network(layers, z):
    *hidden, (weight, bias) = layers
    for w, b in hidden:
        z = np.tanh(z @ w + b)
    return z @ weight + bias


def loss(params, images, noise):
    """The negative bound, in the mean over the images."""
    code = network(params["encoder"], images)
    mean, log_std = code[:, :LATENT], code[:, LATENT:]
    z = mean + np.exp(log_std) * noise
    logits = network(params["decoder"], z)
    # The pixel is ink with probability σ(logit): -log P = log(1 + exp(logit)) - x logit.
    misfit = np.sum(np.logaddexp(0.0, logits) - images * logits, axis=1)
    divergence = 0.5 * np.sum(mean**2 + np.exp(2 * log_std) - 1 - 2 * log_std, axis=1)
    return np.mean(misfit + divergence)


def layers(rng, *sizes):
    return [(rng.normal(size=(m, n)) / np.sqrt(m), np.zeros(n)) for m, n in pairwise(sizes)]


def inputs():
    rng = np.random.default_rng(6)
    params = {
        "encoder": layers(rng, 64, HIDDEN, 2 * LATENT),
        "decoder": layers(rng, LATENT, HIDDEN, 64),
    }
    with np.load(DATA) as data:
        images = data["images"][:200].reshape(-1, 64) / 16.0
    return params, images, rng.normal(size=(len(images), LATENT))
