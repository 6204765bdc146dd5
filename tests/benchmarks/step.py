"""Time a full training step of the public interface against plain hand-written NumPy.

All do the same arithmetic on the same weights and batch: forward, mean softmax cross-entropy, backward, SGD
update. Rounds are interleaved in one process with one BLAS thread; a ratio of 1.4 means that recording the
graph and walking it back costs 40 % over writing the derivatives by hand. A replay records the graph once.

    python tests/benchmarks/step.py [--rounds 15]
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse  # noqa: E402
import itertools  # noqa: E402
import time  # noqa: E402
from statistics import median  # noqa: E402

import numpy as np  # noqa: E402

import microgradnd as mg  # noqa: E402
from microgradnd import nn  # noqa: E402

SHAPES = {
    "small": ([64, 10, 10], 32, np.float64, 400),
    "mid": ([784, 256, 128, 10], 128, np.float32, 10),
    "large": ([1024, 1024, 1024, 1024, 1024], 256, np.float32, 1),
}


def by_hand(weights, biases, X, t, lr):
    """One step, as a careful person writes it down."""
    activations = [X]
    for i, (W, b) in enumerate(zip(weights, biases, strict=True)):
        z = activations[-1] @ W + b
        activations.append(np.tanh(z) if i < len(weights) - 1 else z)
    n = len(X)
    rows = np.arange(n)
    z = activations[-1]
    z = z - z.max(axis=1, keepdims=True)
    e = np.exp(z)
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[rows, t]).mean()
    dz = p.copy()
    dz[rows, t] -= 1
    dz /= n
    gradients = []
    for i in reversed(range(len(weights))):
        a = activations[i]
        gradients.append((i, a.T @ dz, dz.sum(axis=0)))
        if i:
            dz = (dz @ weights[i].T) * (1 - a * a)
    for i, dW, db in gradients:
        weights[i] -= lr * dW
        biases[i] -= lr * db
    return loss


def build(sizes, dtype):
    """The same network twice: a model, and its arrays."""
    model = nn.Sequential(
        *(
            nn.Dense(m, n, "tanh" if i < len(sizes) - 2 else None, seed=i, dtype=dtype)
            for i, (m, n) in enumerate(itertools.pairwise(sizes))
        )
    )
    arrays = [p.data.copy() for p in model.parameters()]
    return model, arrays[0::2], arrays[1::2]


def seconds(step, repeat):
    start = time.perf_counter()
    for _ in range(repeat):
        step()
    return (time.perf_counter() - start) / repeat


def compare(name, rounds):
    sizes, batch, dtype, repeat = SHAPES[name]
    rng = np.random.default_rng(0)
    X, t = rng.normal(size=(batch, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], batch)
    model, weights, biases = build(sizes, dtype)
    optimizer = nn.SGD(model.parameters(), lr=0.01)

    def ours():
        loss = nn.cross_entropy(model(X), t)
        optimizer.zero_grad()
        loss.backward(retain_graph=False)
        optimizer.step()
        return loss

    replay = mg.Replay(nn.cross_entropy(model(X), t), (X, t))

    def replayed():
        optimizer.zero_grad()
        (loss,) = replay(X, t)
        optimizer.step()
        return loss

    def hand():
        return by_hand(weights, biases, X, t, 0.01)

    for _ in range(3):
        assert abs(float(ours().item()) - hand()) < 1e-4, "the two are not doing the same"
    times = [(seconds(ours, repeat), seconds(hand, repeat), seconds(replayed, repeat)) for _ in range(rounds)]
    ratios = [a / b for a, b, _ in times]
    print(
        f"{name:6s} hand-written {min(b for _, b, _ in times) * 1e6:9.1f} us   ours / hand-written: {median(ratios):.3f} "
        f"(min {min(ratios):.3f}, max {max(ratios):.3f})   replayed: {median(c / b for _, b, c in times):.3f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    arguments = parser.parse_args()
    for shape in arguments.shapes:
        compare(shape, arguments.rounds)
