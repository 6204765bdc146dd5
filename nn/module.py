"""Modules: networks as trees of parts whose parameters are found by looking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import microgradnd as mg


class Module:
    """Base class of layers and networks: subclass it and write `forward`.

    Parameters are the tensors among the attributes, found when asked for.
    """

    training = True

    def forward(self, *inputs: Any) -> Any:
        """Compute the output; a subclass says how."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(self, x)")

    def __call__(self, *inputs: Any) -> Any:
        """Run `forward`, inside a scope of this module's name."""
        with mg.scope(type(self).__name__, True):
            return self.forward(*inputs)

    def named_parameters(self) -> Iterator[tuple[str, mg.Tensor]]:
        """Each parameter with its dotted name."""
        for name, value in vars(self).items():
            if isinstance(value, mg.Tensor):
                yield name, value
            elif isinstance(value, Module):
                yield from ((f"{name}.{inner}", p) for inner, p in value.named_parameters())
            elif isinstance(value, list | tuple):
                for i, part in enumerate(value):
                    if isinstance(part, Module):
                        yield from ((f"{name}.{i}.{inner}", p) for inner, p in part.named_parameters())

    def parameters(self) -> list[mg.Tensor]:
        """All parameters."""
        return [p for _, p in self.named_parameters()]
