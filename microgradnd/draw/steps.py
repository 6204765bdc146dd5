"""Backpropagation as a list of steps, plain data: what `mg.explain` prints and the step-through page plays.

First the forward pass, one step per op in the order of recording; then the backward pass, one step per op,
youngest first. A backward step pulls one cotangent back through one op: its contributions are what flows to
each operand, in the order in which they are added, with the sum so far. Where several ops are drawn as one box,
one step plays the whole box: what goes in and comes out, and what it passes back to each operand from outside.

A gradient is complete when `count` equals `of`, and blank before its first contribution; that of the result
itself is the seed, which the first backward step has as its `result`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ..core import Node as Recorded
from .description import Description, Edge, Graph, describe_graph
from .expression import Expr, write
from .levels import Box, Item, items
from .numbers import short_array
from .trace import drawn_inputs, key

Line = tuple[str | np.ndarray, ...]  # text with the arrays themselves in between
MOST_INSIDE = 12  # ops of a box that are listed
MOST_NAMES = 4  # operands of a box that are listed


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one backward step adds to the gradient of one operand.

    Attributes
    ----------
    edge, to
        Ids of the edge it flows along and of the node that it flows to.
    derivative
        The local derivative, "∂z/∂W = xᵀ"; empty where the rule is no product with one.
    symbols, shapes, line
        The same line of the chain rule, written three times: in numbers as text with arrays.
    note
        "sum over axis 0" where the cotangent was summed over broadcast axes.
    total
        The operand's gradient with this contribution added.
    count, of
        This is the `count`-th of `of` contributions to that gradient.
    inside
        Name of the operand if `to` is a box that shows another one of its own; else empty.
    """

    edge: str
    to: str
    derivative: str
    symbols: str
    shapes: str
    line: Line
    note: str
    total: np.ndarray
    count: int
    of: int
    inside: str

    @property
    def numbers(self) -> str:
        """The line in numbers, as text."""
        return as_text(self.line)


@dataclass(frozen=True, slots=True)
class Step:
    """One op, or one box of them, computed or pulled back.

    Attributes
    ----------
    index, phase
        Position in the list; "forward" or "backward".
    node, edges
        Id of the node; ids of the edges the step uses.
    symbols, shapes, line
        Forward: what is computed, "z = x @ W + b", written three times. Backward: the cotangent that is
        pulled back, and where to; `Contribution` has the formulas.
    result
        Forward: the value. Backward: the cotangent of `node`, complete; None for a box that is left through
        other tensors than the one it shows.
    contributions
        Backward: what is added to the operands' gradients, in order. Forward: empty.
    rank
        Place of the op among all in the order of recording; of a box, that of its last.
    """

    index: int
    phase: str
    node: str
    edges: tuple[str, ...]
    symbols: str
    shapes: str
    line: Line
    result: np.ndarray | None
    contributions: tuple[Contribution, ...]
    rank: int

    @property
    def numbers(self) -> str:
        """The line in numbers, as text."""
        return as_text(self.line)


class Walkthrough(NamedTuple):
    """A graph at one level of detail, and its passes.

    Attributes
    ----------
    description, steps
        What is drawn, and what happens.
    values
        The array of each node of the description.
    inside
        For each box, by id: the first of the formulas in it.
    """

    description: Description
    steps: list[Step]
    values: list[np.ndarray]
    inside: dict[str, list[str]]


def steps(root: Recorded) -> tuple[Description, list[Step]]:
    """The graph behind a tensor op by op, and the steps of its forward and backward pass.

    Parameters
    ----------
    root
        Any tensor; for one of several elements the backward pass is that of its sum.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor(3.0, requires_grad=True, name="x")
    >>> y = x * x
    >>> for step in steps(y)[1]:
    ...     print(step.phase, step.symbols, [c.numbers for c in step.contributions])
    forward y = x * x []
    backward ∂y/∂y → x, x ['3 = 1 * 3', '3 = 1 * 3']
    """
    walked = walk_through(Graph(root))
    return walked.description, walked.steps


def walk_through(graph: Graph, boxes: dict[int, Box] | None = None) -> Walkthrough:
    """The passes over a graph, with what `boxes` hold played as one; without any, op by op."""
    walker = _Walker(graph, boxes or {})
    shown = [item.last if isinstance(item, Box) else item for item in walker.items]
    values = [x.value if isinstance(x, Recorded) else x for x in shown]
    inside = {
        walker.ids[id(item)]: [
            f"{graph.names[x.serial]} = {graph.forward(x)}"
            for x in islice((x for x in item.tensors if x.op is not None), MOST_INSIDE)
        ]
        for item in walker.items
        if isinstance(item, Box)
    }
    return Walkthrough(walker.description, list(walker.steps()), values, inside)


class _Flow(NamedTuple):
    """What one backward step passes to one operand: along which edge, in how many uses, as what op's which input."""

    edge: Edge
    x: Recorded
    cotangents: list[np.ndarray]
    position: int


class _Walker:
    """Makes the steps, and keeps count of what has arrived where."""

    def __init__(self, graph: Graph, boxes: dict[int, Box]) -> None:
        self.graph, self.boxes = graph, boxes
        self.description = describe_graph(graph, boxes)
        self.items = items(graph.trace, boxes)
        self.ids = {id(item): n.id for item, n in zip(self.items, self.description.nodes, strict=True)}
        self.edges: dict[tuple[str, str, int | None], Edge] = {}
        self.leading: dict[str, list[str]] = defaultdict(list)
        for e in self.description.edges:
            self.leading[e.target].append(e.id)
            self.edges.setdefault((e.source, e.target, None), e)
            self.edges[e.source, e.target, e.position] = e
        ops = [x.serial for x in graph.trace.nodes if x.op is not None]
        self.ranks = {serial: rank for rank, serial in enumerate(ops)}
        self.arrived: Counter[int] = Counter()
        self.totals: dict[int, np.ndarray] = {}

    def steps(self) -> Iterator[Step]:
        """The forward steps, then the backward ones."""
        played = [i for i in self.items if not isinstance(i, np.ndarray) and self._last(i).op is not None]
        played.sort(key=lambda i: self._last(i).serial)
        index = 0
        for item in played:
            yield self._forward(item, index)
            index += 1
        back = [(item, flows) for item in reversed(played) if (flows := list(self._flows(item)))]
        expected = Counter(flow.x.serial for _, flows in back for flow in flows)
        for item, flows in back:
            yield self._backward(item, flows, index, expected)
            index += 1

    def _last(self, item: Any) -> Recorded:
        return item.last if isinstance(item, Box) else item

    def _id(self, x: Any) -> str:
        return self.ids[id(self.boxes.get(key(x), x))]

    def _flows(self, item: Item) -> Iterator[_Flow]:
        """What an op, or a box as a whole, passes back to operands outside."""
        here = self.ids[id(item)]
        if isinstance(item, Recorded):
            for i, c in self.graph.trace.contributions.get(item.serial, ()):
                x: Any = item.inputs[i]  # type: ignore[index]
                edge = self.edges.get((self._id(x), here, i)) or self.edges[self._id(x), here, None]
                yield _Flow(edge, x, [c], i)
        elif isinstance(item, Box):
            found: dict[int, _Flow] = {}
            for node in item.tensors:
                for i, c in self.graph.trace.contributions.get(node.serial, ()):
                    x = node.inputs[i]  # type: ignore[index]
                    if self._id(x) != here:
                        edge = self.edges[self._id(x), here, None]
                        found.setdefault(x.serial, _Flow(edge, x, [], -1)).cotangents.append(c)
            yield from found.values()

    def _forward(self, item: Any, index: int) -> Step:
        here, node = self.ids[id(item)], self._last(item)
        symbols, shapes, line = self._into(item) if isinstance(item, Box) else self._computed(item)
        used = tuple(self.leading[here])
        return Step(index, "forward", here, used, symbols, shapes, line, node.value, (), self.ranks[node.serial])

    def _computed(self, node: Recorded) -> tuple[str, str, Line]:
        return three_ways(self.graph.names[node.serial], node.value, self.graph.forward(node))

    def _into(self, box: Box) -> tuple[str, str, Line]:
        """What a box computes, as a whole: what it is given from outside, and what comes out."""
        here, last = self.ids[id(box)], box.last
        given: list[Any] = [x for node in box.tensors for _, x in drawn_inputs(node) if self._id(x) != here]
        given = list({key(x): x for x in given}.values())
        arrays = [x.value if isinstance(x, Recorded) else x for x in given]
        names = _listed([self.graph.names[key(x)] for x in given])
        symbols = f"{names}{box.title} → {self.graph.names[last.serial]}"
        shapes = f"{_listed([str(a.shape) for a in arrays])}{last.value.shape}"
        between = "" if not arrays else " → " if len(arrays) == 1 else ", … → "
        return symbols, shapes, _joined([*_written(arrays[:1]), between, *_written([last.value])])

    def _backward(self, item: Any, flows: list[_Flow], index: int, expected: Counter[int]) -> Step:
        graph, last = self.graph, self._last(item)
        added = tuple(self._contribution(item, flow, expected[flow.x.serial]) for flow in flows)
        g = graph.trace.cotangents.get(last.serial)
        return Step(
            index,
            "backward",
            self.ids[id(item)],
            tuple(dict.fromkeys(c.edge for c in added)),
            f"{graph.cotangent(last)} → {', '.join(graph.names[flow.x.serial] for flow in flows)}",
            "" if g is None else str(g.shape),
            () if g is None else _written([g]),
            g,
            added,
            self.ranks[last.serial],
        )

    def _contribution(self, item: Any, flow: _Flow, of: int) -> Contribution:
        x, graph = flow.x, self.graph
        c = flow.cotangents[0]
        for more in flow.cotangents[1:]:
            c = np.asarray(c + more)
        before = self.totals.get(x.serial)
        total = self.totals[x.serial] = c if before is None else np.asarray(before + c)
        self.arrived[x.serial] += 1
        if isinstance(item, Box):
            symbols, shapes, line = self._through(item, flow, c)
        else:
            cotangent, rules = graph.backward(item)
            rule = rules[flow.position]
            if rule is None:
                rule = Expr("rule", (cotangent,), (f"rule of {item.op.name} for ", 0), c)
            symbols, shapes, line = three_ways(graph.cotangent(x), c, rule)
            if of > 1:
                symbols = symbols.replace(" = ", " += ", 1)
        home = self.boxes.get(key(x))
        its_own = flow.edge.position == flow.position  # and not one that stands for several, from or to a box
        return Contribution(
            flow.edge.id,
            self._id(x),
            flow.edge.derivative if its_own else "",
            symbols,
            shapes,
            line,
            flow.edge.note if its_own else "",
            total,
            self.arrived[x.serial],
            of,
            graph.names[x.serial] if home is not None and home.last is not x else "",
        )

    def _through(self, box: Box, flow: _Flow, c: np.ndarray) -> tuple[str, str, Line]:
        """What a box passes back, as a whole: what came, and what leaves."""
        graph, last = self.graph, box.last
        came = graph.trace.cotangents.get(last.serial)
        uses = f" (sum over {len(flow.cotangents)} uses inside)" if len(flow.cotangents) > 1 else ""
        symbols = f"{graph.cotangent(last)} → {box.title} → {graph.cotangent(flow.x)}{uses}"
        if came is None:
            return symbols, str(c.shape), _written([c])
        return symbols, f"{came.shape} → {c.shape}", (*_written([came]), " → ", *_written([c]))


def _listed(texts: list[str]) -> str:
    """What a box is given, before the arrow that leads into it; nothing where all it uses is inside."""
    return ", ".join([*texts[:MOST_NAMES], *["…"] * (len(texts) > MOST_NAMES)]) + " → " * bool(texts)


# -- an equation, three times ---------------------------------------------------------------------------
def three_ways(left: str, value: Any, right: Expr) -> tuple[str, str, Line]:
    """An equation in symbols, in shapes and in numbers."""
    arrays: list[np.ndarray] = []

    def number_of(leaf: Expr) -> str:
        if isinstance(leaf.value, np.ndarray) and leaf.value.ndim:
            arrays.append(leaf.value)
            return f"\ue000{len(arrays) - 1}\ue001"  # in its place, until the equation is whole
        return short_array(leaf.value) if isinstance(leaf.value, np.ndarray) else str(leaf.template[0])

    symbols = f"{left} = {write(right, lambda e: str(e.template[0]))}"
    shapes = f"{np.shape(value)} = {write(right, _shape_of)}"
    pieces = re.split("\ue000(\\d+)\ue001", write(right, number_of))
    found: list[str | np.ndarray] = [*_written([value]), " = "]
    for i, piece in enumerate(pieces):
        found.append(arrays[int(piece)] if i % 2 and int(piece) < len(arrays) else piece)
    return symbols, shapes, _joined(found)


def _shape_of(leaf: Expr) -> str:
    return str(leaf.value.shape) if isinstance(leaf.value, np.ndarray) else str(leaf.template[0])


def _written(arrays: list[Any]) -> Line:
    """Arrays as pieces of a line; single numbers are text."""
    return tuple(a if np.ndim(a) else short_array(a) for a in arrays)


def _joined(pieces: list[str | np.ndarray]) -> Line:
    """The same line with neighbouring texts as one."""
    line: list[str | np.ndarray] = []
    for piece in pieces:
        if isinstance(piece, str) and line and isinstance(line[-1], str):
            line[-1] += piece
        elif not isinstance(piece, str) or piece:
            line.append(piece)
    return tuple(line)


def as_text(line: Line) -> str:
    """A line of text and arrays as text alone: of large arrays the shape and range.

    >>> as_text(("W = ", np.zeros((100, 50)), " + ", np.ones(2)))
    'W = (100, 50) array in [0, 0] + [1, 1]'
    """
    return "".join(piece if isinstance(piece, str) else short_array(piece) for piece in line)
