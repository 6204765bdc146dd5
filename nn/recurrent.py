"""Recurrent layers: one step after the other along a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from .activations import sigmoid
from .arguments import as_size
from .init import generator, initialiser
from .layers import affine, parameter
from .module import Module, Unbuilt

__all__ = ["GRU"]


class GRU(Module):
    """Gated recurrent unit, a memory that learns what to keep (Cho et al., EMNLP 2014, arXiv:1406.1078).

    With ``u = x_t W + b`` and ``v = h U + c``, each cut in three::

        r = σ(u1 + v1)    z = σ(u2 + v2)    n = tanh(u3 + r v3)    h' = (1 - z) n + z h

    Parameters
    ----------
    n_in, n_hidden
        Length of the last axis of input and output; ``n_in=None`` takes it from the first batch.
    last
        Give the last state alone, ``(batch, n_hidden)``, not all, ``(batch, steps, n_hidden)``.
    seed, dtype
        As for `Dense`.

    Attributes
    ----------
    W, U
        Weights of input and state, of shapes ``(n_in, 3 n_hidden)`` and ``(n_hidden, 3 n_hidden)``.
    b, c
        Their biases, of shape ``(3 n_hidden,)``.

    Raises
    ------
    ValueError
        If the input isn't (batch, steps, `n_in`), with at least one step, or the state isn't (batch, `n_hidden`).

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> nn.GRU(3, 5, seed=0)(np.ones((2, 4, 3))).shape
    (2, 4, 5)
    """

    def __init__(
        self, n_in: int | None, n_hidden: int, *, last: bool = False, seed: Any = None, dtype: Any = float
    ) -> None:
        self.n_in = n_in
        self.n_hidden, self.last, self.dtype = as_size(n_hidden, "GRU: n_hidden"), bool(last), np.dtype(dtype)
        self._rng = generator(seed)
        self.W: Any = Unbuilt("GRU")
        self.U: Any = None
        self.b: Any = None
        self.c: Any = None
        if n_in is not None:
            self._build(as_size(n_in, "GRU: n_in"))

    def _build(self, n_in: int) -> None:
        self.n_in = n_in
        n, rng, dtype = self.n_hidden, self._rng, self.dtype
        self.W = parameter(np.concatenate([initialiser("glorot")((n_in, n), rng) for _ in range(3)], 1), "W", dtype)
        self.U = parameter(np.concatenate([initialiser("orthogonal")((n, n), rng) for _ in range(3)], 1), "U", dtype)
        self.b, self.c = parameter(np.zeros(3 * n), "b", dtype), parameter(np.zeros(3 * n), "c", dtype)

    def forward(self, x: Any, h: Any = None) -> Any:
        """Run along ``(batch, steps, n_in)``, from state `h` (zeros by default)."""
        shape = np.shape(x)
        if self.n_in is None and len(shape) == 3:
            self._build(shape[2])
        if len(shape) != 3 or shape[2] != self.n_in or not shape[1]:
            raise ValueError(f"{self.label}: expected input of shape (batch, steps, {self.n_in}), got {shape}")
        if h is None:
            h = np.zeros((shape[0], self.n_hidden), self.dtype)
        elif np.shape(h) != (shape[0], self.n_hidden):
            raise ValueError(f"{self.label}: expected a state of shape {(shape[0], self.n_hidden)}, got {np.shape(h)}")
        u = affine(x, self.W, self.b)
        states = []
        for t in range(shape[1]):
            h = self.advance(u[:, t], h)
            states.append(h.reshape(shape[0], 1, self.n_hidden))
        return h if self.last else np.concatenate(states, axis=1)

    def advance(self, u: Any, h: Any) -> Any:
        """The state after `h`, given the step's input already weighted."""
        n = self.n_hidden
        v = affine(h, self.U, self.c)
        gates = sigmoid(u[:, : 2 * n] + v[:, : 2 * n])
        r, z = gates[:, :n], gates[:, n:]
        new = np.tanh(u[:, 2 * n :] + r * v[:, 2 * n :])
        return new + z * (h - new)
