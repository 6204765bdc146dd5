"""Time an epoch of `nn.fit` on the digits against a hand-written NumPy loop and scikit-learn's MLPClassifier.

All train the same network on the same rows in float64: the same solver, rate and batches, shuffled. The loop by
hand and `fit` both report mean loss and accuracy of the epoch, scikit-learn its loss; it runs by `fit`, and once
more by `partial_fit` for each batch. Rounds are interleaved in one process with one BLAS thread.

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

LR = 0.1
# solver, batch size, hidden layer: the notebook's network, scikit-learn's defaults, and between
SETTINGS = [("sgd", 32, 10), ("sgd", 200, 10), ("adam", 32, 10), ("adam", 200, 100)]


def by_hand(X, y, epochs, batch, hidden, rng):
    """The same training, as a careful person writes it down."""
    W0, b0 = rng.uniform(-0.3, 0.3, (64, hidden)), np.zeros(hidden)
    W1, b1 = rng.uniform(-0.5, 0.5, (hidden, 10)), np.zeros(10)
    for _ in range(epochs):
        order = rng.permutation(len(X))
        total = right = 0
        for start in range(0, len(X), batch):
            rows = order[start : start + batch]
            x, t = X[rows], y[rows]
            n = len(x)
            a = np.tanh(x @ W0 + b0)
            z = a @ W1 + b1
            right += (z.argmax(axis=1) == t).sum()
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
    return total / len(X), right / len(X)


def with_fit(X, y, epochs, solver, batch, hidden, metrics=None):
    model = nn.MLP([64, hidden, 10], activation="tanh", seed=0)
    make = nn.SGD if solver == "sgd" else nn.Adam
    optimizer = make(model.parameters(), lr=LR if solver == "sgd" else 1e-3)
    nn.fit(model, X, y, optimizer=optimizer, epochs=epochs, batch_size=batch, seed=0, progress=False, metrics=metrics)


def sklearn_network(epochs, solver, batch, hidden):
    return MLPClassifier(
        (hidden,), activation="tanh", solver=solver, batch_size=batch, momentum=0.0, alpha=0.0,
        learning_rate_init=LR if solver == "sgd" else 1e-3, max_iter=epochs, tol=0.0, n_iter_no_change=epochs,
        random_state=0,
    )  # fmt: skip


def with_sklearn(X, y, epochs, solver, batch, hidden):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        sklearn_network(epochs, solver, batch, hidden).fit(X, y)


def with_sklearn_batches(X, y, epochs, solver, batch, hidden):
    """As one trains it where the loop is one's own."""
    network, rng, classes = sklearn_network(epochs, solver, batch, hidden), np.random.default_rng(0), np.unique(y)
    warnings.filterwarnings("ignore", "Got `batch_size`")  # the last batch has fewer rows
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), batch):
            rows = order[start : start + batch]
            network.partial_fit(X[rows], y[rows], classes=classes)


def milliseconds(epochs, function, *arguments):
    start = time.perf_counter()
    function(X, y, epochs, *arguments)
    return (time.perf_counter() - start) / epochs * 1e3


def compare(solver, batch, hidden, rounds, epochs):
    runs = {
        "nn.fit": (with_fit, solver, batch, hidden),
        "nn.fit, metrics=()": (with_fit, solver, batch, hidden, ()),
        "scikit-learn": (with_sklearn, solver, batch, hidden),
        "its partial_fit": (with_sklearn_batches, solver, batch, hidden),
    }
    if solver == "sgd":
        runs = {"hand-written NumPy": (by_hand, batch, hidden, np.random.default_rng(0))} | runs
    found = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(milliseconds(epochs, *run))
    print(f"64-{hidden}-10, {solver}, batches of {batch}")
    for name, times in found.items():
        ratios = [
            f"{median(t / u for t, u in zip(times, found[other], strict=True)):6.2f} x {other}"
            for other in ("hand-written NumPy", "scikit-learn")
            if other in found
        ]
        print(f"  {name:20s} {min(times):7.2f} ms an epoch  {'  '.join(ratios)}")


X, y = load_digits(return_X_y=True)
X /= 16

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    for setting in SETTINGS:
        compare(*setting, arguments.rounds, arguments.epochs)
