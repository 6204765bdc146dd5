"""A table of a network: its layers, what they give, what they weigh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import microgradnd as mg

from .evaluation import watch
from .module import Module

__all__ = ["Summary", "summary"]


class Summary:
    """The rows of a model's table; printing it lays them out.

    Attributes
    ----------
    rows
        One dict per module in the order of calls: ``name``, ``layer``, ``output`` (shape), ``parameters``,
        ``bytes`` (of its own parameters and buffers, without those of its parts).
    parameters, trained, bytes
        Totals over the whole model; shared parameters count once.
    """

    def __init__(self, rows: list[dict[str, Any]], model: Module) -> None:
        self.rows = rows
        everything = model.parameters()
        self.parameters = sum(p.size for p in everything)
        self.trained = sum(p.size for p in everything if p.requires_grad)
        self.bytes = sum(p.data.nbytes for p in everything) + sum(b.nbytes for _, b in model.named_buffers())

    def __repr__(self) -> str:
        table = [("layer", "output", "parameters", "bytes")]
        for row in self.rows:
            depth = row["name"].count(".") + 1 if row["name"] else 0
            what = f"{row['name']}: {row['layer']}" if row["name"] else row["layer"]
            numbers = (f"{row['parameters']:,}", f"{row['bytes']:,}") if row["parameters"] else ("", "")
            table.append((("  " if depth else "") + what, str(row["output"]), *numbers))
        widths = [max(len(line[i]) for line in table) for i in range(4)]
        lines = [
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}".rstrip() for a, b, c, d in table
        ]
        lines.insert(1, "-" * (sum(widths) + 6))
        frozen = self.parameters - self.trained
        lines += [
            lines[1],
            f"{self.parameters:,} parameters{f', {frozen:,} of them frozen' if frozen else ''}, {self.bytes:,} bytes",
        ]
        return "\n".join(lines)


def summary(model: Module, input_shape: tuple[int, ...], *, dtype: Any = float) -> Summary:
    """Table of a model's layers, output shapes, parameters and bytes, from one run on zeros.

    Parameters
    ----------
    model
        Any module; it is run in `eval` mode, and sizes left open are taken from `input_shape`.
    input_shape
        Of a batch, ``(1, 64)``, say.
    dtype
        Of the zeros; an integer dtype for models that start with an Embedding.

    Raises
    ------
    TypeError
        If `model` is no module.

    Examples
    --------
    >>> from microgradnd import nn
    >>> nn.summary(nn.MLP([64, 32, 10], seed=0), (1, 64))
    layer              output   parameters   bytes
    ----------------------------------------------
    MLP                (1, 10)
      layers.0: Dense  (1, 32)       2,080  16,640
      layers.1: Dense  (1, 10)         330   2,640
    ----------------------------------------------
    2,410 parameters, 19,280 bytes
    """
    if not isinstance(model, Module):
        raise TypeError(f"the first argument is {type(model).__name__}, expected a model: nn.summary(model, (1, 64))")
    shapes: dict[int, Any] = {}

    def note(module: Module, y: Any) -> None:
        shapes[id(module)] = tuple(map(np.shape, y)) if isinstance(y, tuple) else np.shape(y)

    with watch(model, note), mg.no_grad():
        model(np.zeros(input_shape, dtype))
    rows = []
    for name, module in _named(model, ""):
        own = [v for v in vars(module).values() if isinstance(v, mg.Tensor)]
        size = sum(p.data.nbytes for p in own) + sum(
            v.nbytes for v in vars(module).values() if isinstance(v, np.ndarray)
        )
        rows.append(
            {
                "name": name,
                "layer": type(module).__name__,
                "output": shapes.get(id(module), "not called"),
                "parameters": sum(p.size for p in own),
                "bytes": size,
            }
        )
    return Summary(rows, model)


def _named(module: Module, name: str) -> Iterator[tuple[str, Module]]:
    yield name, module
    for child, part in module.named_children():
        yield from _named(part, f"{name}.{child}" if name else child)
