"""Write the reference pages that are made by running the ops: conventions, the table of ops, NumPy support."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import microgradnd as mg
from microgradnd import nn
from microgradnd.draw.formula import forward_text, vjp_text

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import survey  # noqa: E402 - beside this file

inf = np.inf
# A point where a function has a kink, a tie, an edge or an infinite slope: how it is written, the function, its inputs.


def _unit(x: Any) -> Any:
    """A vector's direction; none at the origin."""
    length = np.linalg.norm(x)
    return np.where(length > 0, x / length, 0.0)


def _lesser_product(a: Any, b: Any) -> Any:
    """A product that is not taken where it is infinite."""
    return np.where(np.isfinite(a @ b), a @ b, 0.0)


POINTS: dict[str, tuple[Callable[..., Any], Sequence[Any]]] = {
    "abs(x) at 0": (np.abs, [[0.0]]),
    "relu(x) at 0": (nn.relu, [[0.0]]),
    "relu(x) at nan": (nn.relu, [[np.nan]]),
    "hard_tanh(x) at its bounds": (nn.hard_tanh, [[-1.0, 1.0]]),
    "maximum(a, b), a tie": (np.maximum, [[1.0], [1.0]]),
    "minimum(a, b), a tie": (np.minimum, [[1.0], [1.0]]),
    "fmax(a, b), a tie": (np.fmax, [[1.0], [1.0]]),
    "fmax(a, nan)": (np.fmax, [[1.0], [np.nan]]),
    "max(x), a tie": (np.max, [[2.0, 2.0, 1.0]]),
    "min(x) along an axis, a tie": (lambda x: np.min(x, axis=1), [[[2.0, 1.0, 1.0]]]),
    "clip(x, 0, 1) at both bounds": (lambda x: np.clip(x, 0, 1), [[0.0, 1.0]]),
    "clip(x, 1, 1) at 1": (lambda x: np.clip(x, 1, 1), [[1.0]]),
    "median(x) of four": (np.median, [[4.0, 1.0, 3.0, 2.0]]),
    "prod(x) with one zero": (np.prod, [[0.0, 2.0, 3.0]]),
    "prod(x) with two zeros": (np.prod, [[0.0, 0.0, 3.0]]),
    "cumprod(x) with a zero": (np.cumprod, [[2.0, 0.0, 4.0]]),
    "std(x) of equal numbers": (np.std, [[3.0, 3.0, 3.0]]),
    "var(x) of equal numbers": (np.var, [[3.0, 3.0, 3.0]]),
    "sqrt(x) at 0": (np.sqrt, [[0.0]]),
    "cbrt(x) at 0": (np.cbrt, [[0.0]]),
    "log(x) at 0": (np.log, [[0.0]]),
    "x**0 at 0": (lambda x: x**0, [[0.0]]),
    "x**1 at 0": (lambda x: x**1, [[0.0]]),
    "x**2 at 0": (lambda x: x**2, [[0.0]]),
    "x**0.5 at 0": (lambda x: x**0.5, [[0.0]]),
    "(-2)**3, by x": (lambda x: x**3, [[-2.0]]),
    "x**y at (0, 0)": (np.power, [[0.0], [0.0]]),
    "x**y at (0, 2)": (np.power, [[0.0], [2.0]]),
    "x**y at (-2, 2)": (np.power, [[-2.0], [2.0]]),
    "where(x > 0, sqrt(x), 0) at 0": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), [[0.0]]),
    "where(x > 0, 1 / x, 0) at 0": (lambda x: np.where(x > 0, 1 / x, 0.0), [[0.0]]),
    "where(p > 0, p log(p), 0) at 0": (lambda p: np.where(p > 0, p * np.log(p), 0.0), [[0.0]]),
    "where(x < 700, x exp(x), 0) at 1000": (lambda x: np.where(x < 700, x * np.exp(x), 0.0), [[1000.0]]),
    "normalize(x) at 0": (nn.normalize, [[0.0, 0.0]]),
    "where(norm(x) > 0, x / norm(x), 0) at 0": (_unit, [[0.0, 0.0]]),
    "logsumexp(x), all -inf": (mg.logsumexp, [[-inf, -inf]]),
    "logsumexp(x) with +inf": (mg.logsumexp, [[inf, 1.0]]),
    "softmax(x)[0], all -inf": (lambda x: nn.softmax(x)[0], [[-inf, -inf]]),
    "log_softmax(x)[0], all -inf": (lambda x: nn.log_softmax(x)[0], [[-inf, -inf]]),
    "cross_entropy(z, 0), all -inf": (lambda z: nn.cross_entropy(z, np.array([0])), [[[-inf, -inf]]]),
    "where(isfinite(a @ b), a @ b, 0) at infinities": (_lesser_product, [[inf], [inf]]),
    "logaddexp(a, b), both +inf": (np.logaddexp, [[inf], [inf]]),
    "logaddexp(a, b), both -inf": (np.logaddexp, [[-inf], [-inf]]),
    "logaddexp(x, 0) at 1000 and -1000": (lambda x: np.logaddexp(x, 0.0), [[1000.0, -1000.0]]),
    "arctan2(y, x) at the origin": (np.arctan2, [[0.0], [0.0]]),
    "hypot(a, b) at the origin": (np.hypot, [[0.0], [0.0]]),
    "floor(x) at 1.5": (np.floor, [[1.5]]),
    "round(x) at 1.5": (np.round, [[1.5]]),
    "sign(x) at 0": (np.sign, [[0.0]]),
    "trunc(x) at 2": (np.trunc, [[2.0]]),
    "x mod y at (4, 2)": (np.remainder, [[4.0], [2.0]]),
    "x mod y at (-5, 3)": (np.remainder, [[-5.0], [3.0]]),
    "fmod(x, y) at (-5, 3)": (np.fmod, [[-5.0], [3.0]]),
    "sinc(x) at 0": (np.sinc, [[0.0]]),
    "sum(x) of nothing": (np.sum, [[]]),
    "prod(x) of nothing": (np.prod, [[]]),
    "arcsin(x) at 1": (np.arcsin, [[1.0]]),
    "arccos(x) at 1": (np.arccos, [[1.0]]),
    "arctanh(x) at 1": (np.arctanh, [[1.0]]),
    "nan_to_num(x) at nan": (np.nan_to_num, [[np.nan]]),
    "tanh(x) at 1000": (np.tanh, [[1000.0]]),
    "erf(x) at 1e200": (mg.erf, [[1e200]]),
    "sort(x) weighted by 1, 2, 3, a tie": (lambda x: np.sum(np.sort(x) * np.arange(1.0, 4.0)), [[1.0, 1.0, 0.0]]),
    "norm(x) at 0": (np.linalg.norm, [[0.0, 0.0]]),
    "norm(x, 1) at (0, 1)": (lambda x: np.linalg.norm(x, 1), [[0.0, 1.0]]),
    "norm(x, inf), a tie": (lambda x: np.linalg.norm(x, inf), [[2.0, -2.0]]),
    "norm(x, inf) at 0": (lambda x: np.linalg.norm(x, inf), [[0.0, 0.0]]),
    "norm of the matrix 0": (np.linalg.norm, [[[0.0, 0.0], [0.0, 0.0]]]),
    "leaky_relu(x) at 0": (nn.leaky_relu, [[0.0]]),
    "elu(x) at 0": (nn.elu, [[0.0]]),
    "selu(x) at 0": (nn.selu, [[0.0]]),
    "gelu(x) at 1e200 and -1e200": (nn.gelu, [[1e200, -1e200]]),
    "gelu_tanh(x) at 1e200 and -1e200": (nn.gelu_tanh, [[1e200, -1e200]]),
    "log sigmoid(x) at 1000 and -1000": (lambda x: -nn.softplus(-x), [[1000.0, -1000.0]]),
    "softplus(x) at 1000 and -1000": (nn.softplus, [[1000.0, -1000.0]]),
    "sigmoid(x) at 1000 and -1000": (nn.sigmoid, [[1000.0, -1000.0]]),
    "softmax(x)[0] at (1000, 0)": (lambda x: nn.softmax(x)[0], [[1000.0, 0.0]]),
    "cross_entropy(z, 0), z[0] = -inf": (lambda z: nn.cross_entropy(z, np.array([0])), [[[-inf, 0.0]]]),
    "binary_cross_entropy(z, 0.5) at 0": (lambda z: nn.binary_cross_entropy(z, np.array([0.5])), [[0.0]]),
}


def evaluate(function: Callable[..., Any], inputs: Sequence[Any]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The value, and the gradient of its sum with respect to each input."""
    xs = [mg.tensor(np.asarray(x, float), requires_grad=True) for x in inputs]
    y = function(*xs)
    return y.data, [g.data for g in mg.gradients(y, xs, np.ones_like(y.data))]


def _brief(a: np.ndarray) -> str:
    text = np.array2string(np.asarray(a) + 0.0, formatter={"float_kind": "{:.6g}".format}, separator=", ")
    return text.replace("[", "").replace("]", "").replace("\n", "") or "(none)"


def conventions() -> str:
    """The page of conventions at kinks, ties and edges."""
    lines = [
        "# Conventions at kinks, ties and edges",
        "",
        "Made by running the ops: what is written here is what they do. Where a function has no derivative the",
        "gradient is the least of the subgradients, as in PyTorch; ties share it equally; and where no cotangent",
        "arrives none goes on, however steep the slope, so that `where(x > 0, sqrt(x), 0)` is safe at 0.",
        "",
        "Rules that sum products of elements (of `matmul` and its kin, `einsum`, `solve`, `cholesky`, `softmax`) do not",
        "take that care, which would cost every product a look at each element: an infinity in a factor gives NaN there even",
        "under a cotangent of 0, as in PyTorch. Replace it before the product, `np.where(ok, a, 0.0) @ b`. A softmax of",
        "nothing but -inf is no distribution, and NaN, as in PyTorch; `logsumexp` of it is -inf, and passes nothing on.",
        "And `tanh`, `sigmoid` and the other activations give NaN where they are given NaN, a cotangent of 0 or not.",
        "",
        "| point | value | gradient |",
        "|---|---|---|",
    ]
    with np.errstate(all="ignore"):
        for name, (function, inputs) in POINTS.items():
            value, gradients = evaluate(function, inputs)
            lines.append(f"| `{name}` | {_brief(value)} | {'; '.join(map(_brief, gradients))} |")
    return "\n".join(lines) + "\n"


def op_table() -> str:
    """The page of all registered ops: how each is written, and its rules as they are read off the code."""
    lines = [
        "# Every op and its rules",
        "",
        "Made from the registry. A rule gives the cotangent of one argument from `g`, the cotangent of the output `y`.",
        "No rule is written out by hand: each was called on named tensors, and the graph that it recorded is printed,",
        "so shapes and indices are those of a sample. Cotangents of broadcast arguments are summed back afterwards;",
        "where `g` is 0 a quotient or product of unbounded slope is 0 too.",
        "",
        "| op | forward | cotangents |",
        "|---|---|---|",
    ]
    for name, op in sorted(mg.OPS.items()):
        if not op.module.startswith("microgradnd."):
            continue  # somebody's own
        rules = [text for i in range(max(len(op.vjps), 1)) if (text := vjp_text(op, i))]
        cells = [f"`{name}`", _code(forward_text(op)), "<br>".join(map(_code, rules)) or "a joint rule, in the source"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    text = text if len(text) <= 160 else text[:160] + " …"
    return f"`{text}`".replace("|", "\\|")


def numpy_support() -> str:
    """The page of NumPy functions, operators and methods, and what each does with a tensor."""
    found = survey.survey()
    groups = {
        "A gradient flows": [name for name, what in found.items() if what == "gradient"],
        "Flat: a tensor, gradient zero": [name for name, what in found.items() if what == "flat"],
        "Booleans, integers, shapes: arrays": [name for name, what in found.items() if what == "discrete"],
        "Refused with a TypeError": [name for name, what in found.items() if what.startswith("refused")],
    }
    lines = [
        "# NumPy functions on tensors",
        "",
        f"Made by calling every public function of `numpy` {'.'.join(np.__version__.split('.')[:2])} and its `linalg`, and the operators and methods of",
        "tensors, with a tensor that requires a gradient. *A gradient flows* where the gradient of a weighted sum of",
        f"the result is not zero: that is so for {len(groups['A gradient flows'])} calls, aliases (`np.abs`,",
        "`np.absolute`) counted as the names that they are. What is refused raises a TypeError that says what to do.",
    ]
    for title, names in groups.items():
        lines += ["", f"## {title} ({len(names)})", "", ", ".join(f"`{name}`" for name in names) or "none"]
    return "\n".join(lines) + "\n"


PAGES = {"conventions.md": conventions, "op_table.md": op_table, "numpy_support.md": numpy_support}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (HERE / "reference" / file).write_text(page(), encoding="utf-8")
