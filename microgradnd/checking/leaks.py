"""Where a gradient is lost on the way: paths that were not recorded, and arrays that were overwritten.

The recorded graph is replayed on slightly different inputs, each op by its own forward. Where the function
itself gives another result there, its inputs reach that result by a way the graph doesn't know.
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..context import find_origin, mode_switch
from ..core import Node
from ..tensor import Tensor
from .numeric import natural_steps
from .problem import Problem

_SHIFT = 2.0**-14  # far enough to see a difference, too little to take another branch

# What takes a tensor's numbers out of the graph, and how a user writes it.
_EXITS: dict[Any, str] = {
    method.__code__: f".{name}()"
    for name in ("item", "numpy", "tolist", "detach")
    if (method := getattr(Tensor, name, None)) is not None
} | {Node.data.fget.__code__: ".data", mode_switch.__enter__.__code__: "no_grad()"}  # type: ignore[attr-defined]


def find_leak(problem: Problem, rng: np.random.Generator, certain: bool = False) -> str:
    """Say where the recorded graph and the function part ways; "" if they don't.

    Where the function is not smooth it may take another way a little further on, a sort another order: so there only
    a path that was seen to leave the graph is `certain`.
    """
    nodes = problem.recorded.nodes()
    moved = [x + _SHIFT * natural_steps(x) * rng.uniform(0.5, 1.5, x.shape) for x in problem.point]
    tensors = problem.recorded.tensors
    replayed = replay(nodes, {x.serial: new for x, new in zip(tensors, moved, strict=True)})
    exits: list[str] = []
    with _watching_exits(exits):
        again = problem.record(moved)
    parts = [replayed.get(y.serial, y.value) if isinstance(y, Node) else y for y in problem.recorded.outputs]
    predicted = np.concatenate([np.ravel(np.asarray(part)) for part in parts])
    if predicted.shape == again.vector.shape and _agree(predicted, again.vector, problem.at):
        return ""
    if certain and not exits:
        return ""
    entry = _entry(nodes, again.nodes(), replayed)
    left = f" It leaves the graph by {' and '.join(dict.fromkeys(exits))}." if exits else ""
    return f"the inputs reach the result along a path that is not recorded.{left}{entry}"


def replay(nodes: Sequence[Node], changed: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """The values of these nodes, by serial, computed anew from other values of the leaves."""
    values = dict(changed)
    with mode_switch(record=False, watch=None), np.errstate(all="ignore"):
        for node in nodes:
            op: Any = node.op
            inputs = [
                values.get(x.serial, x.value) if isinstance(x, Node) else v
                for x, v in zip(node.inputs or (), node.values, strict=True)
            ]
            values[node.serial] = op.compute(inputs, node.options)
    return values


def find_overwritten(nodes: Sequence[Node]) -> str:
    """Name the first recorded result that is no longer what its op gives for its inputs; "" if none is."""
    for number, node in enumerate(nodes, 1):
        value = replay([node], {})[node.serial]
        if not np.allclose(value, node.value, rtol=1e-9, atol=1e-12, equal_nan=True):
            site = f", recorded at {node.site}" if node.site else ""
            return (
                f"an array was changed in place after it was recorded: the result of op #{number} "
                f"`{node.op.name if node.op else ''}`{site}, or one of its inputs, is not what it was"
            )
    return ""


def _agree(a: np.ndarray, b: np.ndarray, before: np.ndarray) -> bool:
    """Whether two results agree, as far as a small step from `before` shows."""
    return bool(np.all(np.abs(a - b) <= 1e-4 * np.abs(b - before) + 1e-13 * np.abs(before)))


def _entry(nodes: Sequence[Node], again: Sequence[Node], replayed: dict[int, np.ndarray]) -> str:
    """The first op that computes something else in the rerun than in the replay: what left comes back in there."""
    for number, (before, after) in enumerate(zip(nodes, again, strict=False), 1):
        if before.op is not after.op:
            return f" The function takes another way from op #{number} on, at {after.site}."
        if not _agree(replayed[before.serial], after.value, before.value):
            constant = [
                i
                for i, (x, v, new) in enumerate(zip(before.inputs or (), before.values, after.values, strict=True))
                if not (isinstance(x, Node) and x.tracked) and not np.array_equal(v, new)
            ]
            which = f", as its argument {constant[0]}," if constant else ""
            return f" It comes back in{which} at op #{number} `{after.op.name if after.op else ''}`, recorded at {after.site}."
    return " It comes back in nowhere: the result itself, or a part of it, is not a recorded tensor."


@contextmanager
def _watching_exits(found: list[str]) -> Iterator[None]:
    """Note each line of the user's that takes a tensor's numbers out of the graph, in this thread."""

    def look(frame: Any, event: str, _: Any) -> None:
        word = _EXITS.get(frame.f_code) if event == "call" else None
        caller = frame.f_back
        if word is None or caller is None or not _matters(frame.f_locals["self"]):
            return
        origin = find_origin(caller, None)
        if origin is not None and origin[0] is caller.f_code:
            file, line = caller.f_code.co_filename, caller.f_lineno
            text = linecache.getline(file, line).strip()
            found.append(f"{word} at {os.path.basename(file)}:{line}{': ' if text else ''}{text}")

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(before)


def _matters(subject: Any) -> bool:
    """Whether a tensor that wants a gradient is asked, or recording switched off."""
    return subject.tracked if isinstance(subject, Node) else subject.changes.get("record") is False
