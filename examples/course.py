"""What the lessons share: where their pictures go, and the data that several of them learn from."""

from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parent.parent / "out"
OUT.mkdir(exist_ok=True)

BLUE, RED = "#2c7fb8", "#d7301f"


def xor_blobs(n=50, sigma=0.2, seed=4128):
    """Four Gaussian blobs in XOR arrangement: `n` points of class 0 (blue), then `n` of class 1 (red).

    The draws, one number at a time from NumPy's legacy generator, are those of the notebook this project
    grew from, so that results can be compared point by point.
    """
    random = np.random.RandomState(seed)

    def blob(x1, x2):
        return [random.normal(x1, sigma), random.normal(x2, sigma)]

    blue, red = [], []
    for _ in range(n):
        blue.append(blob(-1, 1) if random.uniform() > 0.5 else blob(1, -1))
        red.append(blob(-1, -1) if random.uniform() > 0.5 else blob(1, 1))
    return np.array(blue + red), np.repeat([0, 1], n)


def plot_blobs(ax, X, y):
    """Scatter the points of both classes."""
    for label, color, marker in [(0, BLUE, "o"), (1, RED, "s")]:
        ax.scatter(*X[y == label].T, c=color, marker=marker, s=25, edgecolors="white", linewidths=0.5)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(-2, 2), ylim=(-2, 2), aspect="equal")


def plot_probability(ax, probability):
    """Shade the plane by ``probability(points)``, with the line where it is one half."""
    x1, x2 = np.meshgrid(np.linspace(-2, 2, 100), np.linspace(-2, 2, 100))
    p = probability(np.c_[x1.ravel(), x2.ravel()]).reshape(x1.shape)
    shades = ax.contourf(x1, x2, p, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.8)
    ax.contour(x1, x2, p, levels=[0.5], colors="black", linewidths=1)
    return shades
