"""Activation functions, each with its slope beside it.

Functions of tensors (or arrays) of any shape; `softmax` and `log_softmax` work along an axis. At kinks they
follow PyTorch: relu'(0) = 0. None overflows, in value or slope, for any finite input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import microgradnd as mg

from .module import did_you_mean

__all__ = ["log_softmax", "relu", "sigmoid", "softmax", "tanh"]


def _away_from_zero(rng: np.random.Generator) -> list[mg.Sample]:
    """Points on both sides of zero and not near it, nor near +-1."""
    return [mg.sample(rng.permutation([-2.3, -1.4, -0.6, 0.4, 0.7, 1.8]).reshape(shape)) for shape in [(6,), (2, 3)]]


def _rows(rng: np.random.Generator) -> list[mg.Sample]:
    return [
        mg.sample(rng.normal(size=(2, 4))),
        mg.sample(rng.normal(size=(3, 2, 2)), axis=1),
        mg.sample(rng.normal(size=(3, 2)), axis=0),
    ]


tanh = mg.tanh

relu = mg.op(
    lambda x: np.maximum(x, 0),
    lambda g, y, x: g * (y > 0),
    name="relu",
    formula="max({0}, 0)",
    elementwise=True,
    samples=_away_from_zero,
    reference=lambda x: np.maximum(x, 0),
)


def _sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(x))  # in (0, 1]: one branch per sign, so that nothing overflows or cancels
    return np.where(x < 0, e, 1.0) / (1.0 + e)


sigmoid: mg.Op = mg.op(
    _sigmoid,
    lambda g, y, x: g * (y * sigmoid(-x)),  # 1 - y would be 0 from x = 37 on
    name="sigmoid",
    formula="σ({0})",
    elementwise=True,
    samples=_away_from_zero,
    reference=lambda x: 1 / (1 + np.exp(-x)),
)


def _softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


softmax_op = mg.op(
    _softmax,
    lambda g, y, x, axis=-1: y * (g - np.sum(g * y, axis=axis, keepdims=True)),
    name="softmax",
    formula="softmax({0})",
    samples=_rows,
    reference=_softmax,
)


def _log_softmax(x: Any, axis: int = -1) -> Any:
    z = x - np.max(x, axis=axis, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))


log_softmax_op = mg.op(
    _log_softmax,
    lambda g, y, x, axis=-1: g - np.exp(y) * np.sum(g, axis=axis, keepdims=True),
    name="log_softmax",
    formula="log softmax({0})",
    samples=_rows,
    reference=lambda x, axis=-1: np.log(_softmax(x, axis)),
)


def softmax(x: Any, axis: int = -1) -> Any:
    """Exponentials normalised to sum to one along `axis`.

    >>> from microgradnd import nn
    >>> nn.softmax(np.array([0.0, np.log(3.0), -np.inf]))
    array([0.25, 0.75, 0.  ])
    """
    return softmax_op(x) if axis == -1 else softmax_op(x, axis=axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """Logarithm of `softmax`, exact where softmax itself would round to 0.

    >>> from microgradnd import nn
    >>> nn.log_softmax(np.array([0.0, 1000.0]))
    array([-1000.,     0.])
    """
    return log_softmax_op(x) if axis == -1 else log_softmax_op(x, axis=axis)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": relu,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "softmax": softmax,
    "log_softmax": log_softmax,
}
_NAMES = {id(function): name for name, function in ACTIVATIONS.items()}


def named_activation(activation: Any) -> Any:
    """What a layer keeps of its `activation` argument: a known one's name, another function itself, or None."""
    if activation is None or (isinstance(activation, str) and activation in ACTIVATIONS):
        return activation
    if callable(activation):
        return _NAMES.get(id(activation), activation)
    raise ValueError(
        f"activation={activation!r} is none{did_you_mean(activation, ACTIVATIONS)}; there are "
        f"{', '.join(ACTIVATIONS)}, or give a function"
    )
