"""Measure what a recorded node costs: bytes, time as graphs grow, import time, and the peak memory of a step.

    python tests/benchmarks/nodes.py

Bytes are traced (tracemalloc), beside the arrays themselves. Times are forward, backward and freeing of a chain, per
node, with the collector on. The step is that of `step.py` on its large shape; the hand-written one there collects
its gradients and then updates.
"""

import gc
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc

import numpy as np
from step import SHAPES, build, by_hand  # first, it sets the number of BLAS threads

import microgradnd as mg
from microgradnd import nn


def chain(n):
    y = mg.tensor(np.ones(1), requires_grad=True)
    for _ in range(n):
        y = y * 1.0
    return y


def bytes_per_node(n=100_000):
    """What a chain of `n` ops takes, less what its arrays alone would."""
    sizes = []
    for make in (lambda: chain(n), lambda: [np.ones(1) * 1.0 for _ in range(n)]):
        gc.collect()
        tracemalloc.start()
        kept = make()
        sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        del kept
    return (sizes[0] - (sizes[1] - 8 * n)) / n  # the list's own pointers don't count


def microseconds_per_node(n, rounds=3):
    """Forward, backward that frees the graph, and freeing what is left; the best of some rounds."""
    best = np.inf
    for _ in range(max(rounds, min(200, 100_000 // n))):
        start = time.perf_counter()
        chain(n).backward(retain_graph=False)
        best = min(best, time.perf_counter() - start)
    return best / n * 1e6


def import_ratio(rounds=15):
    """Import time as against NumPy's, both less the interpreter's own start, bytecode cached as if installed."""
    modules = ("sys", "microgradnd", "numpy")
    best = dict.fromkeys(modules, np.inf)
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": cache}
        for _ in range(rounds):  # interleaved: whatever else the machine does slows all alike
            for module in modules:
                start = time.perf_counter()
                subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=environment)
                best[module] = min(best[module], time.perf_counter() - start)
    return (best["microgradnd"] - best["sys"]) / (best["numpy"] - best["sys"])


def peaks():
    """Peak memory of one training step beside what was there before: by hand, freeing the graph, keeping it."""
    sizes, batch, dtype, _ = SHAPES["large"]
    rng = np.random.default_rng(0)
    X, t = rng.normal(size=(batch, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], batch)
    model, weights, biases = build(sizes, dtype)
    optimizer = nn.SGD(model.parameters(), lr=0.01)

    def ours(retain_graph):
        loss = nn.cross_entropy(model(X), t)
        optimizer.zero_grad()
        loss.backward(retain_graph=retain_graph)
        optimizer.step()

    steps = [
        lambda: by_hand(weights, biases, X, t, 0.01),
        lambda: ours(False),
        lambda: ours(True),
    ]
    found = []
    for step in steps:
        step()  # buffers of the optimiser, thread pools
        optimizer.zero_grad()
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        step()
        found.append(tracemalloc.get_traced_memory()[1] - before)
        tracemalloc.stop()
    return found


if __name__ == "__main__":
    print(f"bytes per recorded node, beside its arrays: {bytes_per_node():.0f}")
    costs = {n: microseconds_per_node(n) for n in (1_000, 10_000, 100_000, 1_000_000)}
    print("us per node:", ", ".join(f"{n:,}: {us:.2f}" for n, us in costs.items()), end="; ")
    print(f"largest / smallest graph: {costs[1_000_000] / costs[1_000]:.2f}")
    print(f"import microgradnd / import numpy: {import_ratio():.2f}")
    hand, freeing, keeping = peaks()
    print(f"peak of a step: by hand {hand / 2**20:.1f} MiB, ", end="")
    print(f"retain_graph=False {freeing / hand:.2f} times that, default {keeping / hand:.2f} times")
