"""Optimisers."""

from __future__ import annotations

from typing import Any

import numpy as np


class SGD:
    """Thin for now."""

    def __init__(self, params: Any, lr: float) -> None:
        self.params = list(params)
        self.lr = lr
        self.buffers = [np.empty_like(p.data) for p in self.params]

    def zero_grad(self) -> None:
        """Forget gradients."""
        for p in self.params:
            p.zero_grad()

    def step(self) -> None:
        """Update in place."""
        lr = self.lr
        for p, buffer in zip(self.params, self.buffers, strict=True):
            g = p.grad
            if g is not None:
                np.multiply(g, lr, buffer)
                data = p.data
                np.subtract(data, buffer, data)
                p.touch()
