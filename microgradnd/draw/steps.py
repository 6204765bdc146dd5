"""Backpropagation as a list of steps, plain data: what `mg.explain` prints and the step-through page plays.

First the forward pass, one step per op in the order of recording; then the backward pass, one step per op,
youngest first. A backward step pulls one cotangent back through one op: its contributions are what flows to
each operand, in the order in which they are added, with the sum so far. As JSON (`description.as_json`):

    {"index": 7, "phase": "backward", "node": "n3", "edges": ["e2", "e3"],
     "symbols": "∂loss/∂z → x, W", "shapes": "(4, 3)", "numbers": "[...]",
     "result": {"shape": [4, 3], "dtype": "float64", "values": [...], ...},
     "contributions": [
       {"edge": "e3", "to": "n1", "derivative": "∂z/∂W = xᵀ",
        "symbols": "∂loss/∂W = xᵀ @ ∂loss/∂z", "shapes": "(2, 3) = (2, 4) @ (4, 3)",
        "numbers": "[[0.1, ...], ...] = [[1, ...], ...]ᵀ @ [[0.2, ...], ...]", "note": "",
        "value": {"shape": [2, 3], "values": [...], ...},
        "total": {"shape": [2, 3], "values": [...], ...},
        "count": 1, "of": 1}]}

`node` of a step and `to` of a contribution are ids of `Description.nodes`, `edge` and `edges` of its edges.
A gradient is complete when `count` equals `of`, and blank before its first contribution; that of the result
itself is the seed, which the first backward step has as its `result`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Node as Recorded
from .arrays import Array, summarise
from .description import Description, Edge, Graph, describe_graph
from .expression import Expr, write
from .numbers import short_array
from .trace import key


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one backward step adds to the gradient of one operand.

    Attributes
    ----------
    edge, to
        Ids of the edge it flows along and of the operand that it flows to.
    derivative
        The local derivative, "∂z/∂W = xᵀ"; empty where the rule is no product with one.
    symbols, shapes, numbers
        The same line of the chain rule, written three times.
    note
        "sum over axis 0" where the cotangent was summed over broadcast axes.
    value, total
        The contribution; and the operand's gradient with this contribution added.
    count, of
        This is the `count`-th of `of` contributions to that gradient.
    """

    edge: str
    to: str
    derivative: str
    symbols: str
    shapes: str
    numbers: str
    note: str
    value: Array
    total: Array
    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Step:
    """One op, computed or pulled back.

    Attributes
    ----------
    index, phase
        Position in the list; "forward" or "backward".
    node, edges
        Id of the op's result; ids of the edges the step uses.
    symbols, shapes, numbers
        Forward: what is computed, "z = x @ W + b", written three times. Backward: the cotangent that is
        pulled back, and where to; `Contribution` has the formulas.
    result
        Forward: the value. Backward: the cotangent of `node`, complete.
    contributions
        Backward: what is added to the operands' gradients, in order. Forward: empty.
    """

    index: int
    phase: str
    node: str
    edges: tuple[str, ...]
    symbols: str
    shapes: str
    numbers: str
    result: Array
    contributions: tuple[Contribution, ...]


def steps(root: Recorded) -> tuple[Description, list[Step]]:
    """The graph behind a tensor, and the steps of its forward and backward pass.

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
    graph = Graph(root)
    description = describe_graph(graph)
    edges: dict[str, list[Edge]] = {}
    for edge in description.edges:
        edges.setdefault(edge.target, []).append(edge)
    ops = [node for node in graph.trace.nodes if node.op is not None]
    found = [_forward(graph, node, edges.get(graph.ids[node.serial], []), i) for i, node in enumerate(ops)]
    expected = Counter(e.source for e in description.edges if e.contribution is not None)
    arrived: Counter[str] = Counter()
    totals: dict[str, np.ndarray] = {}
    for node in reversed(ops):
        if node.serial in graph.trace.contributions:
            used = edges.get(graph.ids[node.serial], [])
            found.append(_backward(graph, node, used, len(found), expected, arrived, totals))
    return description, found


def three_ways(left: str, value: Any, right: Expr) -> tuple[str, str, str]:
    """An equation in symbols, in shapes and in numbers."""
    ways: list[Callable[[Expr], str]] = [lambda e: str(e.template[0]), _shape_of, _number_of]
    lefts = left, str(np.shape(value)), short_array(value)
    symbols, shapes, numbers = (f"{a} = {write(right, way)}" for a, way in zip(lefts, ways, strict=True))
    return symbols, shapes, numbers


def _shape_of(leaf: Expr) -> str:
    return str(leaf.value.shape) if isinstance(leaf.value, np.ndarray) else str(leaf.template[0])


def _number_of(leaf: Expr) -> str:
    return short_array(leaf.value) if isinstance(leaf.value, np.ndarray) else str(leaf.template[0])


def _forward(graph: Graph, node: Recorded, edges: list[Edge], index: int) -> Step:
    symbols, shapes, numbers = three_ways(graph.names[node.serial], node.value, graph.forward(node))
    used = tuple(e.id for e in edges)
    return Step(index, "forward", graph.ids[node.serial], used, symbols, shapes, numbers, summarise(node.value), ())


def _backward(
    graph: Graph,
    node: Recorded,
    edges: list[Edge],
    index: int,
    expected: Counter[str],
    arrived: Counter[str],
    totals: dict[str, np.ndarray],
) -> Step:
    cotangent, rules = graph.backward(node)
    by_position = {e.position: e for e in edges}
    added = []
    for i, c in graph.trace.contributions[node.serial]:
        x: Any = node.inputs[i]  # type: ignore[index]
        edge, to, rule = by_position[i], graph.ids[key(x)], rules[i]
        totals[to] = c if to not in totals else totals[to] + c
        arrived[to] += 1
        if rule is None:
            rule = Expr("rule", (cotangent,), (f"rule of {node.op.name} for ", 0), c)  # type: ignore[union-attr]
        symbols, shapes, numbers = three_ways(graph.cotangent(x), c, rule)
        if expected[to] > 1:
            symbols = symbols.replace(" = ", " += ", 1)
        added.append(
            Contribution(
                edge.id, to, edge.derivative, symbols, shapes, numbers, edge.note,
                summarise(c), summarise(totals[to]), arrived[to], expected[to],
            )
        )  # fmt: skip
    g = graph.trace.cotangents[node.serial]
    return Step(
        index,
        "backward",
        graph.ids[node.serial],
        tuple(c.edge for c in added),
        f"{graph.cotangent(node)} → {', '.join(graph.names[key(node.inputs[i])] for i, _ in graph.trace.contributions[node.serial])}",  # type: ignore[index]
        str(g.shape),
        short_array(g),
        summarise(g),
        tuple(added),
    )
