"""Time Conv2d, forward and backward, against PyTorch on the CPU: one thread each, rounds interleaved.

Without PyTorch installed, our own times are printed alone.

    python tests/benchmarks/conv.py [--rounds 15]
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse  # noqa: E402
import time  # noqa: E402
from statistics import median  # noqa: E402

import numpy as np  # noqa: E402

import microgradnd as mg  # noqa: E402
from microgradnd import nn  # noqa: E402

# batch, channels in and out, height and width, window
SHAPES = {
    "8x8, 8 -> 16 channels, batch 32": (32, 8, 16, 8, 3),
    "8x8, 8 -> 32 channels, batch 8": (8, 8, 32, 8, 3),
    "28x28, 1 -> 16 channels, batch 32": (32, 1, 16, 28, 3),
    "28x28, 16 -> 32 channels, batch 32": (32, 16, 32, 28, 3),
}


def ours(x, n_out, window):
    layer = nn.Conv2d(x.shape[1], n_out, window, seed=0, dtype=x.dtype)
    t = mg.tensor(x, requires_grad=True)
    g = np.ones(layer(x).shape, x.dtype)

    def step():
        t.zero_grad()
        layer.zero_grad()
        layer(t).backward(g, retain_graph=False)

    return step


def torchs(x, n_out, window):
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    layer = torch.nn.Conv2d(x.shape[1], n_out, window, dtype=getattr(torch, str(x.dtype)))
    t = torch.tensor(x, requires_grad=True)
    g = torch.ones_like(layer(t))

    def step():
        t.grad = None
        layer.zero_grad()
        layer(t).backward(g)

    return step


def seconds(step):
    start = time.perf_counter()
    for _ in range(5):
        step()
    return (time.perf_counter() - start) / 5


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    for name, (batch, n_in, n_out, side, window) in SHAPES.items():
        for dtype in (np.float32, np.float64):
            x = np.random.default_rng(0).normal(size=(batch, n_in, side, side)).astype(dtype)
            mine, theirs = ours(x, n_out, window), torchs(x, n_out, window)
            times = [(seconds(mine), seconds(theirs) if theirs else float("nan")) for _ in range(rounds)]
            print(
                f"{name:36s} {np.dtype(dtype)}  {min(a for a, _ in times) * 1e3:8.3f} ms"
                f"   ours / PyTorch: {median(a / b for a, b in times):.2f}"
            )
