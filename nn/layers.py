"""Dense layers and sequences of layers."""

from __future__ import annotations

from typing import Any

import numpy as np

import microgradnd as mg

from . import activations
from .module import Module


def _affine(x: Any, W: Any, b: Any) -> Any:
    z = x @ W
    z += b
    return z


affine = mg.op(
    _affine,
    lambda g, y, x, W, b: g @ W.T,
    lambda g, y, x, W, b: x.T @ g,
    lambda g, y, x, W, b: g.sum(axis=0),
    name="affine",
    formula="{0} @ {1} + {2}",
)


class Dense(Module):
    """Thin for now."""

    def __init__(self, n_in: int, n_out: int, activation: Any = None, *, seed: Any = None, dtype: Any = float) -> None:
        rng = np.random.default_rng(seed)
        W = rng.uniform(-1, 1, (n_in, n_out)) * np.sqrt(6 / (n_in + n_out))
        self.W = mg.tensor(W, requires_grad=True, name="W", dtype=dtype)
        self.b = mg.tensor(np.zeros(n_out), requires_grad=True, name="b", dtype=dtype)
        self.activation = activation and getattr(activations, activation)

    def forward(self, *inputs: Any) -> Any:
        """Compute."""
        z = affine(inputs[0], self.W, self.b)
        return self.activation(z) if self.activation else z


class Sequential(Module):
    """Thin for now."""

    def __init__(self, *layers: Any) -> None:
        self.layers = list(layers)

    def forward(self, *inputs: Any) -> Any:
        """Compute."""
        x = inputs[0]
        for layer in self.layers:
            x = layer(x)
        return x
