"""Which memory was written into, and when; and the refusal to go backward through what changed since.

A tensor's own `changed` tells of writes through that tensor. Its detached twin, a view taken under
`no_grad`, or the array itself handed to an op as it is, read the same memory under other names: what is
noted here tells of them. Memory is known by the id of the array that owns it. That id may go to another array one
day, but no node recorded before a write is mistaken: it holds its arrays, so that the id was this array's then.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from .messages import describe

if TYPE_CHECKING:
    from .core import Node

written: dict[int, int] = {}  # owner -> when all of it was written last
_parts: dict[int, tuple[Any, dict[tuple[int, int], int]]] = {}  # owner, for its life -> parts of it, and when each was
_MOST_PARTS = 100


def note(array: np.ndarray, time: int) -> None:
    """Remember that an array, which may be a view, was written into."""
    if array.base is None:
        written[id(array)] = time
        return
    owner = _owner(array)
    key = id(owner)
    if key not in _parts:
        _parts[key] = weakref.ref(owner, lambda _: _parts.pop(key, None)), {}
    parts = _parts[key][1]
    if len(parts) == _MOST_PARTS:  # then they count as one
        starts, ends = zip(*parts, strict=True)
        parts.clear()
        parts[min(starts), max(ends)] = time
    parts[byte_bounds(array)] = time


def part_at(array: np.ndarray, index: Any) -> np.ndarray:
    """The view of an array that an index writes to; all of the array where no view is that."""
    index = index if isinstance(index, tuple) else (index,)
    part = array[index if any(i is Ellipsis for i in index) else (*index, ...)]
    return part if part.base is not None and _owner(part) is _owner(array) else array


def refuse_stale(node: Node) -> None:
    """Raise RuntimeError if an array that this node's rules read was changed after it was recorded."""
    op, inputs, site = node.op, node.inputs or (), f" at {node.site}" if node.site else ""
    roles = [(x, f"input {i} of `{op.name if op else ''}`") for i, x in enumerate(inputs)] if op else []
    for x, role in [*roles, (node, "the result itself")]:
        if getattr(x, "changed", 0) > node.serial:
            what = f"{describe(x)}, {role}, was changed after it was used{site}"
        elif _written_since(getattr(x, "value", x), node.serial):
            what = f"the memory of {role} was written into, under another name, after it was used{site}"
        else:
            continue
        raise RuntimeError(
            f"{what}: its old values, which backward needs, are gone; compute the result anew after changing data"
        )


def _written_since(array: Any, time: int) -> bool:
    """Whether memory that an array reads was written into after `time`."""
    if not isinstance(array, np.ndarray):
        return False
    owner = id(_owner(array))
    if written.get(owner, 0) > time:
        return True
    if owner not in _parts:
        return False
    low, high = byte_bounds(array)
    return any(t > time and start < high and low < end for (start, end), t in tuple(_parts[owner][1].items()))


def _owner(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
