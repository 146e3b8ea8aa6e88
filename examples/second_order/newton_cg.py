"""Fit the digits by Newton's method, without a Hessian: SciPy drives, each product is a wave.

    python examples/second_order/newton_cg.py              in this process
    python examples/second_order/newton_cg.py --workers 2  over two Ray workers

SciPy's trust-region method solves each Newton step by conjugate gradients, which only asks for the
Hessian times a vector. Beside it L-BFGS, which has gradients alone, from the same start.
"""

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

import backwave as bw

sys.path.append(str(Path(__file__).parents[1]))
import digits_mlp

DECAY = 1e-3


def loss(flat, images, labels):
    """Softmax regression of the digits; the small decay makes the minimum unique."""
    weights = np.reshape(flat, (images.shape[1], 10))
    logits = images @ weights
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    chosen = shifted[np.arange(len(labels)), labels]
    surprise = np.mean(np.log(np.sum(np.exp(shifted), axis=1)) - chosen)
    return surprise + 0.5 * DECAY * np.sum(flat**2)


class Objective:
    """Value, gradient and Hessian at a point: one pass each time the point has moved."""

    def __init__(self, send, start):
        self.send = send
        self.passes = self.products = 0
        self.moved(start)

    def moved(self, x):
        self.x = x.copy()
        self.result = self.send(self.x)
        self.hessian = self.result.hessian
        self.passes += 1

    def at(self, x):
        if not np.array_equal(x, self.x):
            self.moved(x)
        return self

    def value(self, x):
        return self.at(x).result.value

    def gradient(self, x):
        return self.at(x).result.grads

    def product(self, x, v):
        self.products += 1
        return self.at(x).hessian @ v


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="Ray workers; 0: none")
    options = parser.parse_args()
    if options.workers < 0:
        parser.error(f"--workers {options.workers}: give 0 or more")
    _, images, labels = digits_mlp.inputs()
    start = np.zeros(images.shape[1] * 10)
    graph = bw.trace(loss, start, images, labels, argnums=0)
    with bw.Cluster(workers=options.workers) if options.workers else nullcontext() as cluster:
        backward = cluster.backward if cluster else bw.backward
        print("method       value          |gradient|   passes   Hessian products")
        for method in ("trust-ncg", "L-BFGS-B"):
            f = Objective(lambda x: backward(graph, x, images, labels), start)
            curved = {"hessp": f.product} if method == "trust-ncg" else {}
            settings = {"gtol": 1e-8, "ftol": 0.0, "maxiter": 3000, "maxfun": 3000}
            if curved:
                settings = {"gtol": 1e-8}
            found = minimize(
                f.value, start, jac=f.gradient, method=method, options=settings, **curved
            )
            slope = np.linalg.norm(f.gradient(found.x))
            print(f"{method:12} {found.fun:.10f} {slope:12.1e} {f.passes:8} {f.products:8}")


if __name__ == "__main__":
    main()
