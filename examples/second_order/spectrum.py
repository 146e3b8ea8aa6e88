"""The top of the Hessian's spectrum at the digits MLP: directions in which the loss is curved most.

    python examples/second_order/spectrum.py              in this process
    python examples/second_order/spectrum.py --workers 2  over two Ray workers

The Hessian has 6,570 rows and is never made: SciPy's Lanczos asks for its products, and each is one
wave through the gradient network. The trace is estimated by Hutchinson's random signs.
"""

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from scipy.sparse.linalg import eigsh

import backwave as bw

sys.path.append(str(Path(__file__).parents[1]))
import digits_mlp


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="Ray workers; 0: none")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="how many eigenvalues")
    options = parser.parse_args()
    if options.workers < 0:
        parser.error(f"--workers {options.workers}: give 0 or more")
    if not 1 <= options.top <= 100:
        parser.error(f"--top {options.top}: give 1 to 100")
    args = digits_mlp.inputs()
    graph = bw.trace(digits_mlp.loss, *args, argnums=0)
    with bw.Cluster(workers=options.workers) if options.workers else nullcontext() as cluster:
        result = (cluster.backward if cluster else bw.backward)(graph, *args)
        hessian = result.hessian
        random = np.random.default_rng(0)
        start = random.normal(size=hessian.shape[0])
        values, vectors = eigsh(hessian, k=options.top, which="LA", v0=start, tol=1e-8)
        signs = random.choice([-1.0, 1.0], size=(20, hessian.shape[0]))
        trace = np.mean([z @ (hessian @ z) for z in signs])
        residuals = np.linalg.norm(hessian @ vectors - values * vectors, axis=0)
    print(f"Hessian of {hessian.shape[0]:,} rows, trace about {trace:.1f}; largest eigenvalues:")
    for value, residual in sorted(zip(values, residuals, strict=True), reverse=True):
        print(f"  {value:10.6f}   |Hv - λv| = {residual:.1e}")


if __name__ == "__main__":
    main()
