"""Attention: each place of a sequence takes from the others what it asks for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import microgradnd as mg

from .activations import softmax
from .arguments import as_size
from .init import generator
from .layers import Dense
from .module import Module

__all__ = ["MultiHeadAttention"]


class MultiHeadAttention(Module):
    """Several heads of ``softmax(Q Kᵀ / sqrt(d)) V``, joined by a dense layer.

    Vaswani et al., NeurIPS 2017, arXiv:1706.03762.

    Parameters
    ----------
    size
        Length of the last axis of input and output, a multiple of `heads`.
    heads
        How many attend side by side, each with ``d = size / heads`` numbers per place.
    causal
        Let each place see only itself and what comes before.
    seed, dtype
        As for `Dense`.

    Raises
    ------
    ValueError
        If `heads` doesn't divide `size`, the input isn't (batch, places, `size`), or a mask doesn't broadcast.
    TypeError
        For a mask that isn't boolean.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> nn.MultiHeadAttention(8, 2, seed=0)(np.ones((3, 5, 8))).shape
    (3, 5, 8)
    """

    def __init__(self, size: int, heads: int, *, causal: bool = False, seed: Any = None, dtype: Any = float) -> None:
        self.size = as_size(size, "MultiHeadAttention: size")
        self.heads = as_size(heads, "MultiHeadAttention: heads")
        if size % heads:
            raise ValueError(
                f"MultiHeadAttention: size={size} is no multiple of heads={heads}: each head takes size / heads"
            )
        self.causal, self.dtype = bool(causal), np.dtype(dtype)
        rng = generator(seed)
        self.query, self.key, self.value, self.output = (Dense(size, size, seed=rng, dtype=dtype) for _ in range(4))

    def forward(self, x: Any, context: Any = None, mask: Any = None) -> Any:
        """Attend from ``(batch, places, size)`` to `context` of such a shape, by default to itself.

        A boolean `mask` that broadcasts to ``(batch, heads, places, context places)`` is True where to look.
        """
        if len(np.shape(x)) != 3:
            raise ValueError(f"{self.label}: expected input of shape (batch, places, {self.size}), got {np.shape(x)}")
        context = x if context is None else context
        if len(np.shape(context)) != 3 or len(context) != len(x):
            raise ValueError(
                f"{self.label}: expected context of shape ({len(x)}, places, {self.size}), got {np.shape(context)}"
            )
        q, k, v = self._split(self.query(x)), self._split(self.key(context)), self._split(self.value(context))
        scores = mg.matmul(q, np.swapaxes(k, -1, -2)) * (1 / math.sqrt(self.size // self.heads))
        if self.causal:
            past = np.tri(*scores.shape[-2:]) > 0
            mask = past if mask is None else past & mask
        if mask is not None:
            self._check_mask(mask, scores.shape)
            # Not -inf: a row with nothing to look at would be 0 / 0.
            scores = np.where(mask, scores, max(-1e30, float(np.finfo(scores.dtype).min)))
        together = np.swapaxes(mg.matmul(softmax(scores), v), 1, 2)
        return self.output(together.reshape(np.shape(x)))

    def _check_mask(self, mask: Any, shape: tuple[int, ...]) -> None:
        mask = np.asarray(mask)
        if mask.dtype != bool:
            raise TypeError(
                f"{self.label}: mask has dtype {mask.dtype}, expected booleans, True where to look: "
                "one that is added to the scores, 0 or -inf, is mask == 0"
            )
        if mask.ndim > 4 or any(n not in (1, full) for n, full in zip(mask.shape[::-1], shape[::-1], strict=False)):
            raise ValueError(
                f"{self.label}: mask of shape {mask.shape} doesn't broadcast to {shape}, the (batch, heads, places, "
                "context places)"
            )

    def _split(self, x: Any) -> Any:
        """``(batch, places, size)`` as ``(batch, heads, places, size / heads)``."""
        batch, places, _ = x.shape
        return np.swapaxes(x.reshape(batch, places, self.heads, self.size // self.heads), 1, 2)
