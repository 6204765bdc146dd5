"""Time an epoch of `nn.fit` on the digits against a hand-written NumPy loop and scikit-learn's MLPClassifier.

All three train 64-10-10 with tanh, batches of 32, plain SGD at the same rate, shuffled, with the mean loss of
the epoch; `fit` computes its accuracy too. Rounds are interleaved in one process with one BLAS thread.

    python tests/benchmarks/fit.py [--rounds 9] [--epochs 20]
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from statistics import median  # noqa: E402

import numpy as np  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402

from microgradnd import nn  # noqa: E402

LR, BATCH = 0.1, 32


def by_hand(X, y, epochs, rng):
    """The same training, as a careful person writes it down."""
    W0, b0 = rng.uniform(-0.3, 0.3, (64, 10)), np.zeros(10)
    W1, b1 = rng.uniform(-0.5, 0.5, (10, 10)), np.zeros(10)
    losses = []
    for _ in range(epochs):
        order = rng.permutation(len(X))
        total = 0.0
        for start in range(0, len(X), BATCH):
            rows = order[start : start + BATCH]
            x, t = X[rows], y[rows]
            n = len(x)
            a = np.tanh(x @ W0 + b0)
            z = a @ W1 + b1
            z = z - z.max(axis=1, keepdims=True)
            e = np.exp(z)
            p = e / e.sum(axis=1, keepdims=True)
            total += -np.log(p[np.arange(n), t]).sum()
            dz = p.copy()
            dz[np.arange(n), t] -= 1
            dz /= n
            dW1, db1 = a.T @ dz, dz.sum(axis=0)
            da = (dz @ W1.T) * (1 - a * a)
            dW0, db0 = x.T @ da, da.sum(axis=0)
            W1 -= LR * dW1
            b1 -= LR * db1
            W0 -= LR * dW0
            b0 -= LR * db0
        losses.append(total / len(X))
    return losses[-1]


def with_fit(X, y, epochs):
    model = nn.MLP([64, 10, 10], activation="tanh", seed=0)
    optimizer = nn.SGD(model.parameters(), lr=LR)
    history = nn.fit(model, X, y, optimizer=optimizer, epochs=epochs, batch_size=BATCH, seed=0, progress=False)
    return history["loss"][-1]


def with_sklearn(X, y, epochs):
    network = MLPClassifier(
        (10,), activation="tanh", solver="sgd", batch_size=BATCH, learning_rate_init=LR, momentum=0.0, alpha=0.0,
        max_iter=epochs, tol=0.0, n_iter_no_change=epochs, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return network.fit(X, y).loss_


def seconds(function, *arguments):
    start = time.perf_counter()
    loss = function(*arguments)
    return time.perf_counter() - start, loss


def main(rounds, epochs):
    X, y = load_digits(return_X_y=True)
    X /= 16
    results = {"hand-written NumPy": [], "nn.fit": [], "scikit-learn": []}
    for i in range(rounds):
        results["hand-written NumPy"].append(seconds(by_hand, X, y, epochs, np.random.default_rng(i)))
        results["nn.fit"].append(seconds(with_fit, X, y, epochs))
        results["scikit-learn"].append(seconds(with_sklearn, X, y, max(1, epochs // 10)))
    hand = [t / epochs for t, _ in results["hand-written NumPy"]]
    for name, found in results.items():
        n = max(1, epochs // 10) if name == "scikit-learn" else epochs
        times = [t / n for t, _ in found]
        ratio = median(t / h for t, h in zip(times, hand, strict=True))
        print(
            f"{name:20s} {min(times) * 1e3:8.2f} ms an epoch   {ratio:6.2f} x hand-written   last loss {found[-1][1]:.3f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=20)
    main(**vars(parser.parse_args()))
