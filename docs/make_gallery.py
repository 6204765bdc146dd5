"""Draws the pictures of the gallery: run it, and look at what it writes into docs/images/.

python docs/make_gallery.py [folder]
"""

# ruff: noqa: RET504 - a result is bound to a name because the picture shows that name

import contextlib
import runpy
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

import microgradnd as mg
from microgradnd import nn


def neuron() -> mg.Tensor:
    """One neuron by hand: two inputs, two weights, a bias, tanh, squared error."""
    x = mg.tensor([1.0, 2.0], name="x")
    w = mg.tensor([-0.5, 0.75], requires_grad=True, name="w")
    b = mg.tensor(0.25, requires_grad=True, name="b")
    z = (w * x).sum() + b
    h = np.tanh(z)
    loss = (h - 1) ** 2
    return loss


def blobs() -> mg.Tensor:
    """A network of two inputs, three hidden units and one output, on four points of two blobs."""
    X = np.array([[0.5, -1.0], [1.5, 0.5], [-1.0, 1.0], [-0.5, -0.5]])
    y = np.array([[0.0], [1.0], [1.0], [0.0]])
    net = nn.MLP([2, 3, 1], activation="tanh", seed=0)
    logits = net(X)
    loss = nn.binary_cross_entropy(logits, y)
    return loss


def softmax_in_parts() -> mg.Tensor:
    """Softmax cross-entropy written out: exp, sum, divide, log."""
    z = mg.tensor([[2.0, 1.0, -1.0]], requires_grad=True, name="z")
    target = np.array([[0.0, 1.0, 0.0]])
    e = np.exp(z)
    p = e / e.sum(axis=1, keepdims=True)
    loss = -(target * np.log(p)).sum()
    return loss


def softmax_as_one_op() -> mg.Tensor:
    """The same as one op, stable for any logits: its derivative is p - target."""
    z = mg.tensor([[2.0, 1.0, -1.0]], requires_grad=True, name="z")
    target = np.array([1])
    loss = nn.cross_entropy(z, target)
    return loss


def convolution() -> mg.Tensor:
    """A convolution of a 4 x 4 image with one 2 x 2 kernel."""
    pixels = mg.tensor(np.arange(16.0).reshape(1, 1, 4, 4), requires_grad=True, name="pixels")
    image = pixels / 8
    conv = nn.Conv2d(1, 1, 2, seed=0)
    features = conv(image)
    score = (features**2).mean()
    return score


def attention() -> mg.Tensor:
    """A head of attention over three tokens of width four."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4)).round(1)
    Wq = mg.tensor(rng.normal(size=(4, 2)).round(1), requires_grad=True, name="Wq")
    Wk = mg.tensor(rng.normal(size=(4, 2)).round(1), requires_grad=True, name="Wk")
    Wv = mg.tensor(rng.normal(size=(4, 2)).round(1), requires_grad=True, name="Wv")
    with mg.scope("head"):
        q = x @ Wq
        k = x @ Wk
        v = x @ Wv
        scores = q @ k.T / np.sqrt(2.0)
        weights = nn.softmax(scores)
        head = weights @ v
    loss = (head**2).sum()
    return loss


def second_derivative() -> mg.Tensor:
    """The graph of a gradient: the backward pass is itself a graph, beside the forward one."""
    x = mg.tensor(1.5, requires_grad=True, name="x")
    y = np.tanh(x) * x
    (slope,) = mg.gradients(y, [x], create_graph=True)
    return slope


def deep_network() -> mg.Tensor:
    """Twelve blocks, closed: what `depth=` and folding make of a deep network."""
    x = mg.tensor(np.linspace(-1, 1, 8).reshape(2, 4), name="x")
    h = x
    with mg.scope("stack"):
        for i in range(12):
            with mg.scope(f"block {i}"):
                W = mg.tensor(np.eye(4) * 0.9, requires_grad=True, name="W")
                h = h + np.tanh(h @ W)
    loss = (h**2).mean()
    return loss


PICTURES = (neuron, blobs, softmax_in_parts, softmax_as_one_op, convolution, attention, second_derivative)


def readme(folder: Path) -> Path:
    """Run the README's example as a script, and keep the picture it makes."""
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    script = readme.split("```python\n")[1].split("```")[0]
    with tempfile.TemporaryDirectory() as there, contextlib.chdir(there):
        Path("example.py").write_text(script, encoding="utf-8")
        runpy.run_path("example.py")
        return Path(shutil.copy("graph.svg", folder / "readme.svg"))


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        path = mg.draw(picture()).save(folder / f"{picture.__name__}.svg")
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    for path in (mg.draw(deep_network(), depth=1, values=False).save(folder / "closed_layers.svg"), readme(folder)):
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "images").resolve())
