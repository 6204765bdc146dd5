"""How much of a graph is shown: layers closed into boxes, repeated blocks folded into one, never more than a page.

A level is a choice of boxes, each a set of operands that is drawn as one. Layers close from the inside
out, until the picture is small enough; runs of the same op or layer, from the same place in the source, fold
into one box "× 12"; what is still too long is cut into pieces of equal length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..context import Scope
from ..core import Node
from .trace import Operand, Trace, key, pulled_back

MOST = 150  # nodes that are drawn one by one
LONGEST = 64  # items of a block that is repeated
PIECES = 12  # that a graph without structure is cut into: every one may have edges to every other
MOST_INPUTS = 12  # of a box that are drawn outside it
EVERY_OP = "every op"  # the level where nothing is closed
MOST_OPS = 1_000  # that are played, or explained, one by one
FEWEST = 3  # times that something must be repeated to be folded


@dataclass(eq=False, slots=True)
class Box:
    """Operands that are drawn as one.

    Attributes
    ----------
    name, times
        What is written on it; how many repetitions of a block it holds.
    around
        The scopes around the box, outermost first.
    members
        What is inside, in the order of recording.
    """

    name: str
    around: list[Scope]
    times: int = 1
    members: list[Operand] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What is written on it, with the repetitions."""
        name = f"({self.name})" if "," in self.name else self.name
        return f"{name} × {self.times}" if self.times > 1 else self.name

    @property
    def tensors(self) -> list[Node]:
        """The tensors among the members."""
        return [x for x in self.members if isinstance(x, Node)]

    @property
    def last(self) -> Node:
        """The op whose value and gradient the box shows: the one that was recorded last."""
        return max((x for x in self.tensors if x.op is not None), key=lambda x: x.serial, default=self.tensors[-1])


Item = Operand | Box


class Level(NamedTuple):
    """How much of a graph is open: what it is called, and what is drawn as one."""

    label: str
    boxes: dict[int, Box]


def levels(
    t: Trace, chains: dict[int, list[Scope]], consumers: dict[int, list[Node]], depth: int | None
) -> tuple[list[Level], int]:
    """The levels of detail in which the passes are played, from closed to open, no two alike; and the one to begin with.

    Parameters
    ----------
    depth
        How many levels of scopes are open at first; None: as many as can be.
    """
    deepest = max((len(c) for c in chains.values()), default=0)
    asked = deepest if depth is None else min(depth, deepest)
    found = [
        Level(_opened(d), choose(t, chains, consumers, d))
        for d in sorted({*range(deepest), *([asked] if asked else [])})
    ]
    if len(t.operands) > MOST:
        found.append(Level("repeated blocks folded", choose(t, chains, consumers, None)))
    if sum(x.op is not None for x in t.nodes) <= MOST_OPS:
        found.append(Level(EVERY_OP, {}))
    else:
        found.append(Level("repeated blocks in parts", choose(t, chains, consumers, None, PIECES)))
    different: dict[Any, Level] = {}
    begin: tuple[int, ...] = ()
    for level in found:
        numbers = {id(item): i for i, item in enumerate(items(t, level.boxes))}
        drawn = tuple(numbers[id(level.boxes.get(key(x), x))] for x in t.operands)
        different[drawn] = level
        if depth is None or level.label == _opened(asked):
            begin = drawn
    return list(different.values()), list(different).index(begin)


def _opened(depth: int) -> str:
    return "layers closed" if not depth else f"{depth} level{'s' * (depth > 1)} of layers open"


def choose(
    t: Trace, chains: dict[int, list[Scope]], consumers: dict[int, list[Node]], depth: int | None, pieces: int = 1
) -> dict[int, Box]:
    """The box that each operand is inside of, by its `key`; those drawn on their own are left out.

    Parameters
    ----------
    chains
        The scopes around each operand, outermost first.
    consumers
        Who uses each operand.
    depth
        How many levels of scopes are open; None: all, or as many as fit on a page.
    pieces
        In how many boxes, at most, the repetitions of a block are folded.
    """
    deepest = max((len(c) for c in chains.values()), default=0)
    boxes = _closed(t, chains, deepest if depth is None else depth)
    if len(items(t, boxes)) <= MOST:
        return _absorb(t, consumers, boxes)
    for level in range(deepest if depth is None else depth, -1, -1):
        boxes = _absorb(t, consumers, _fold(t, chains, _closed(t, chains, level), pieces))
        if len(items(t, boxes)) <= MOST:
            return boxes
    return _absorb(t, consumers, _cut(t, boxes))


def _closed(t: Trace, chains: dict[int, list[Scope]], level: int) -> dict[int, Box]:
    """Everything deeper than `level` scopes, in the box of the scope at that level."""
    found: dict[tuple[int, bool], Box] = {}
    boxes: dict[int, Box] = {}
    for x in t.operands:
        chain = chains.get(key(x), [])
        if len(chain) > level and x is not t.root:
            scope = chain[level]
            back = isinstance(x, Node) and pulled_back(x) is not None
            box = found.setdefault(
                (id(scope), back), Box(scope.name + (" (backward)" if back else ""), list(chain[:level]))
            )
            box.members.append(x)
            boxes[key(x)] = box
    return boxes


def items(t: Trace, boxes: dict[int, Box]) -> list[Item]:
    """What would be drawn, in the order of recording."""
    return list({id(i): i for i in (boxes.get(key(x), x) for x in t.operands)}.values())


def _is_leaf(item: Item) -> bool:
    return not isinstance(item, Box) and (not isinstance(item, Node) or item.op is None)


def _signature(item: Item) -> Any:
    """What two items that repeat each other have in common."""
    if isinstance(item, Box):
        ops = tuple(x.op.name for x in item.members if isinstance(x, Node) and x.op is not None)
        return re.sub(r"\d+", "", item.name), len(item.around), ops  # block 0, block 1, ... are the same block
    return (item.op, item.origin, id(item.scope) if item.scope else 0) if isinstance(item, Node) else None


def _fold(t: Trace, chains: dict[int, list[Scope]], boxes: dict[int, Box], pieces: int) -> dict[int, Box]:
    """Runs of a repeated block of items, each in one box or as many as `pieces`."""
    blocks = [i for i in items(t, boxes) if not _is_leaf(i) and i is not t.root]
    names: dict[Any, int] = {}
    sequence = np.array([names.setdefault(_signature(i), len(names)) for i in blocks])
    result = dict(boxes)
    for start, period, times in _repeats(sequence):
        first = blocks[start]
        around = first.around if isinstance(first, Box) else chains.get(key(first), [])
        share = -(-times // pieces)
        for done in range(0, times, share):
            inside = blocks[start + period * done : start + period * min(done + share, times)]
            box = Box(_block_name(inside[:period], inside[-1]), around, len(inside) // period)
            for item in inside:
                for x in item.members if isinstance(item, Box) else [item]:
                    box.members.append(x)
                    result[key(x)] = box
    return result


def _block_name(block: Sequence[Item], last: Item) -> str:
    """What is written on a folded block: its items' names; or the first and the last, where they are numbered."""
    first = block[0]
    if len(block) == 1 and isinstance(first, Box) and isinstance(last, Box) and first.name != last.name:
        return f"{first.name} … {last.name}"
    names = [i.name if isinstance(i, Box) else i.op.name for i in block[:3]]  # type: ignore[union-attr]
    return ", ".join(names) + (", …" if len(block) > 3 else "")


def _repeats(sequence: np.ndarray) -> list[tuple[int, int, int]]:
    """Runs of a repeated block, as (start, length of the block, times), from left to right, longest first."""
    n = len(sequence)
    lengths = [_run_lengths(sequence[:-p] == sequence[p:]) for p in range(1, min(LONGEST, n // FEWEST) + 1)]
    found = []
    i = 0
    while i < n:
        covered, period = 0, 1
        for p, run in enumerate(lengths, 1):
            times = int(run[i]) // p + 1 if i < len(run) else 1
            if times >= FEWEST and times * p > covered:
                covered, period = times * p, p
        if covered:
            found.append((i, period, covered // period))
        i += covered or 1
    return found


def _run_lengths(same: np.ndarray) -> np.ndarray:
    """At each place, how many True come in a row from there."""
    where_false = np.where(same, len(same), np.arange(len(same)))
    return np.minimum.accumulate(where_false[::-1])[::-1] - np.arange(len(same))


def _absorb(t: Trace, consumers: dict[int, list[Node]], boxes: dict[int, Box]) -> dict[int, Box]:
    """Leaves that only one box uses, moved inside it; while they are few they stay outside, where a reader looks for them."""
    inner: list[tuple[Operand, Box]] = []
    for x in t.operands:
        users = {id(boxes.get(c.serial)): boxes.get(c.serial) for c in consumers[key(x)]}
        box = next(iter(users.values()), None)
        if key(x) not in boxes and _is_leaf(x) and len(users) == 1 and box is not None:
            inner.append((x, box))
    parameters = sum(isinstance(x, Node) and x.tracked for x, _ in inner)
    for x, box in inner:
        alike = parameters if isinstance(x, Node) and x.tracked else len(inner) - parameters
        if alike > MOST_INPUTS:
            box.members.append(x)
            boxes[key(x)] = box
    return boxes


def _cut(t: Trace, boxes: dict[int, Box]) -> dict[int, Box]:
    """What is left, cut into pieces of equal length."""
    left: Sequence[Item] = [i for i in items(t, boxes) if not _is_leaf(i) and i is not t.root]
    size = -(-len(left) // PIECES)
    result: dict[int, Box] = {}
    for start in range(0, len(left), size):
        piece = left[start : start + size]
        box = Box(f"part {start // size + 1}", [])
        for item in piece:
            for x in item.members if isinstance(item, Box) else [item]:
                box.members.append(x)
                result[key(x)] = box
    return result
