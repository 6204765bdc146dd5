"""Optimisers."""

from __future__ import annotations

import numpy as np


class SGD:
    def __init__(self, params, lr):
        self.params = list(params)
        self.lr = lr
        self.buffers = [np.empty_like(p.data) for p in self.params]

    def zero_grad(self):
        for p in self.params:
            p.zero_grad()

    def step(self):
        lr = self.lr
        for p, buffer in zip(self.params, self.buffers):
            g = p.grad
            if g is not None:
                np.multiply(g, lr, buffer)
                data = p.data
                np.subtract(data, buffer, data)
                p.touch()
