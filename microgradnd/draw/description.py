"""A recorded graph as plain data: what every picture, page and text is made from.

`describe(tensor)` gives a `Description`: nodes, edges between them and groups around them, in the order
of recording, with ids `n0`, `n1`, ..., `e0`, ..., `g0`, ... that depend on the graph alone. Everything in
it is a number, a text, a tuple or another of these dataclasses; `Description.to_json()` is a dictionary
that `json.dumps(..., allow_nan=False)` takes. Numbers that JSON lacks are the texts "NaN", "Infinity" and
"-Infinity", which JavaScript's ``Number(...)`` understands.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from ..context import Scope
from ..core import Node as Recorded
from .arrays import Array, summarise
from .changes import unannounced
from .expression import Expr, leaf, number
from .expression import forward as forward_formula
from .formula import vjp
from .levels import Box, choose
from .naming import name_operands
from .simplify import local, summed, summed_axes
from .trace import Operand, Trace, is_stale, key, pulled_back, trace


@dataclass(frozen=True, slots=True)
class Holds:
    """What is inside a node of kind "group": numbers in its parameters, ops, repetitions of a block."""

    parameters: int
    ops: int
    times: int


@dataclass(frozen=True, slots=True)
class Node:
    """A tensor or array of the graph.

    Attributes
    ----------
    id, kind
        Kind is "parameter" (a leaf that a gradient is wanted for), "input" (data with a name),
        "constant" (data without one), "op", "pullback" (an op of a recorded backward pass), "result" (what was drawn: the loss) or "group" (a closed layer or
        folded blocks, whose value and gradient are those of the last op inside, which `formula` names).
    name, op, formula
        Its name, unique in the picture; the op that made it, and that written with the operands' names.
    value, gradient
        Arrays as plain data; gradient None where none was computed.
    cotangent
        How its gradient is written, ∂loss/∂h.
    group, pullback_of
        Id of the innermost group around it, or None; and, for an op of a recorded backward pass, the
        id of the node it is the pulling back of.
    stale, site
        Whether its data was changed after it was used; the line of source that recorded it.
    suspects
        Names of the operands of which one was changed without a word, if the op no longer gives this value.
    suspected
        For one of those operands: the name of that op; else empty.
    holds
        For kind "group": what is inside.
    """

    id: str
    kind: str
    name: str
    op: str | None
    formula: str
    value: Array
    gradient: Array | None
    cotangent: str
    group: str | None
    pullback_of: str | None
    stale: bool
    site: str
    suspects: tuple[str, ...] = ()
    suspected: str = ""
    holds: Holds | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """The use of one node as an operand of another.

    Attributes
    ----------
    id, source, target, position
        From the operand to the result; position among the op's operands.
    derivative, rule
        As formulas: the local derivative, "∂h/∂z = 1 - h²", where the rule is a product with one, else
        empty; and what flows back, "∂loss/∂h * (1 - h²)". Empty where no gradient flows.
    slope
        The numbers of the local derivative where it has some of its own, else None.
    contribution
        What flowed back: its share of the source's gradient; None where none was computed.
    note
        "sum over axis 0" where the cotangent was summed over the axes that were broadcast.
    carries
        Whether a gradient flows back along it. To or from a closed group it carries what several
        edges inside do, and has no numbers of its own.
    """

    id: str
    source: str
    target: str
    position: int
    derivative: str
    rule: str
    slope: Array | None
    contribution: Array | None
    note: str
    carries: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A scope: a layer, or what was recorded inside `with mg.scope(name)`.

    Attributes
    ----------
    id, name, parent
        Parent is the id of the group around this one, or None.
    parameters
        How many numbers its parameters hold together.
    ops
        How many ops were recorded in it.
    """

    id: str
    name: str
    parent: str | None
    parameters: int
    ops: int


@dataclass(frozen=True, slots=True)
class Description:
    """A graph, ready to be drawn.

    Attributes
    ----------
    title
        Name of what was drawn.
    seed
        What the gradients are of: its name, or "sum(name)" for a tensor of several elements.
    nodes, edges, groups
        In the order of recording.
    size
        How many nodes there would be with every layer open.
    """

    title: str
    seed: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    groups: tuple[Group, ...]
    size: int

    def to_json(self) -> dict[str, Any]:
        """The same as dictionaries, lists, texts and finite numbers."""
        return as_json(self)  # type: ignore[no-any-return]


def as_json(x: Any) -> Any:
    """Any dataclass here as what JSON can say."""
    if is_dataclass(x):
        return {f.name: as_json(getattr(x, f.name)) for f in fields(x)}
    if isinstance(x, tuple | list):
        return [as_json(v) for v in x]
    if isinstance(x, float) and not math.isfinite(x):
        return "NaN" if x != x else "Infinity" if x > 0 else "-Infinity"
    return x


class Graph:
    """A traced graph with names and formulas: what `describe` and the steps read from.

    Parameters
    ----------
    root
        The tensor to describe.
    gradients
        Whether to run a backward pass.
    """

    def __init__(self, root: Recorded, gradients: bool = True) -> None:
        self.trace: Trace = trace(root, gradients)
        self.names = name_operands(self.trace)
        self.ids = {key(x): f"n{i}" for i, x in enumerate(self.trace.operands)}
        self.consumers: dict[int, list[Recorded]] = defaultdict(list)
        for node in self.trace.nodes:
            for x in node.inputs or ():
                if isinstance(x, Operand):
                    self.consumers[key(x)].append(node)
        self._rules: dict[int, tuple[Expr, list[Expr | None]]] = {}  # read once, for the edges and for the steps
        self.rewritten, self._unsure = unannounced(self.trace, self.consumers)
        self.chains = _chains(self.trace, self.consumers)
        title = self.names[root.serial]
        self.seed = title if root.value.size == 1 else f"sum({title})"

    def is_stale(self, x: Operand) -> bool:
        """Whether an operand was changed after it was made or used here, with or without a word."""
        return key(x) in self.rewritten or (isinstance(x, Recorded) and is_stale(x, self.consumers[x.serial]))

    def suspects(self, node: Recorded) -> tuple[str, ...]:
        """Of an op that no longer gives its value: the operands one of which was changed."""
        return tuple(self.names[key(x)] for x in self._unsure.get(node.serial, ()) if key(x) in self.names)

    def suspected(self, x: Operand) -> str:
        """The op that no longer gives its value, if `x` is one of the operands that may be the cause."""
        return next((self.names[s] for s, found in self._unsure.items() if any(x is y for y in found)), "")

    def cotangent(self, x: Operand) -> str:
        """How the gradient of an operand is written."""
        return f"∂{self.seed}/∂{self.names[key(x)]}"

    def operand(self, x: Any) -> Expr:
        """An input of an op as a leaf of formulas: its name, or the number it is."""
        if isinstance(x, Operand) and key(x) in self.names:
            return leaf(self.names[key(x)], x.value if isinstance(x, Recorded) else x)
        return number(x.value if isinstance(x, Recorded) else x)

    def operands(self, node: Recorded) -> list[Expr]:
        """The inputs of a node, as leaves; their arrays are those that it was computed from."""
        leaves = [self.operand(x) for x in node.inputs or ()]
        return [Expr("", (), e.template, v) for e, v in zip(leaves, node.values or (), strict=True)]

    def forward(self, node: Recorded) -> Expr:
        """What was computed, as a formula."""
        if node.op is None or node.inputs is None:
            return self.operand(node)
        return forward_formula(node.op, self.operands(node), node.options, node.value)

    def backward(self, node: Recorded) -> tuple[Expr, list[Expr | None]]:
        """The cotangent of a node as a leaf, and that of each of its inputs as a formula."""
        if node.serial not in self._rules:
            self._rules[node.serial] = self._read_rules(node)
        return self._rules[node.serial]

    def _read_rules(self, node: Recorded) -> tuple[Expr, list[Expr | None]]:
        g = leaf(self.cotangent(node), self.trace.cotangents.get(node.serial, np.ones_like(node.value)))
        if node.op is None or node.inputs is None:
            return g, []
        y = leaf(self.names[node.serial], node.value)
        rules = vjp(node.op, self.operands(node), y, g, node.options)
        return g, [e and summed(e, _broadcast_axes(node, i)) for i, e in enumerate(rules)]


def describe(root: Recorded, *, gradients: bool = True, depth: int | None = None) -> Description:
    """The graph behind a tensor as plain data, no larger than a page.

    Parameters
    ----------
    root
        Any tensor. One of several elements is drawn with the gradients of its sum.
    gradients
        Whether to run a backward pass over it. No ``.grad`` is read or written.
    depth
        How many levels of layers and scopes are open; deeper ones are nodes of kind "group".
        None: all, or as many as keep the picture small.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> d = describe((x * x).sum())
    >>> [(n.id, n.name, n.formula) for n in d.nodes]
    [('n0', 'x', 'x'), ('n1', 'multiply₁', 'x * x'), ('n2', 'sum', 'sum(multiply₁)')]
    >>> [e.derivative for e in d.edges]
    ['∂multiply₁/∂x = x', '∂multiply₁/∂x = x', '∂sum/∂multiply₁ = 1']
    """
    graph = Graph(root, gradients)
    return describe_graph(graph, choose(graph.trace, graph.chains, graph.consumers, depth))


def describe_graph(graph: Graph, boxes: dict[int, Box] | None = None) -> Description:
    """A graph as plain data, with what `boxes` hold drawn as one; without any, op by op."""
    boxes = boxes or {}
    operands = graph.trace.operands
    chains = [boxes[key(x)].around if key(x) in boxes else graph.chains.get(key(x), []) for x in operands]
    groups, innermost = _groups(graph, chains)
    found: dict[int, Node] = {}
    ids: dict[int, str] = {}
    for x, chain in zip(operands, chains, strict=True):
        item = boxes.get(key(x), x)
        around = innermost[id(chain[-1])] if chain else None
        if id(item) not in found:
            n = f"n{len(found)}"
            found[id(item)] = _boxed(graph, item, n, around) if isinstance(item, Box) else _node(graph, item, n, around)
        ids[key(x)] = found[id(item)].id
    nodes = tuple(
        n if n.pullback_of is None else replace(n, pullback_of=ids.get(int(n.pullback_of))) for n in found.values()
    )
    edges: dict[Any, Edge] = {}
    for node in graph.trace.nodes:
        for edge in _edges(graph, node, ids, boxes):
            inside = node.serial in boxes or key(node.inputs[edge.position]) in boxes  # type: ignore[index]
            unique = (edge.source, edge.target) if inside else (node.serial, edge.position)
            if edge.source != edge.target and unique not in edges:
                edges[unique] = replace(edge, id=f"e{len(edges)}")
    return Description(
        graph.names[graph.trace.root.serial],
        graph.seed,
        nodes,
        tuple(edges.values()),
        groups,
        len(graph.trace.operands),
    )


def _node(graph: Graph, x: Operand, id: str, group: str | None) -> Node:
    name = graph.names[key(x)]
    if not isinstance(x, Recorded):
        kind = "constant" if name.startswith("array") else "input"
        return Node(
            id,
            kind,
            name,
            None,
            name,
            summarise(x),
            None,
            "",
            group,
            None,
            graph.is_stale(x),
            "",
            (),
            graph.suspected(x),
        )
    g = graph.trace.cotangents.get(x.serial)
    of = pulled_back(x)
    return Node(
        id,
        _kind(graph, x),
        name,
        x.op.name if x.op else None,
        str(graph.forward(x)),
        summarise(x.value),
        None if g is None else summarise(g),
        graph.cotangent(x) if x.tracked else "",
        group,
        str(of) if of else None,  # a serial here; `describe_graph` knows its id
        graph.is_stale(x),
        x.site,
        graph.suspects(x),
        graph.suspected(x),
    )


def _kind(graph: Graph, x: Recorded) -> str:
    if x.op is not None:
        return "result" if x is graph.trace.root else "op" if pulled_back(x) is None else "pullback"
    if x.tracked:
        return "parameter"
    return "constant" if not x.name and graph.names[x.serial].startswith("array") else "input"


def _boxed(graph: Graph, box: Box, id: str, group: str | None) -> Node:
    """A box as a node: its value and gradient are those of the last op in it."""
    inside, last = box.tensors, box.last
    g = graph.trace.cotangents.get(last.serial)
    holds = Holds(
        sum(x.value.size for x in inside if x.op is None and x.tracked),
        sum(x.op is not None for x in inside),
        box.times,
    )
    return Node(
        id,
        "group",
        box.title,
        None,
        graph.names[last.serial],
        summarise(last.value),
        None if g is None else summarise(g),
        graph.cotangent(last),
        group,
        None,
        any(map(graph.is_stale, box.members)),
        last.site,
        tuple(dict.fromkeys(name for x in inside for name in graph.suspects(x))),
        holds=holds,
    )


def _edges(graph: Graph, node: Recorded, ids: dict[int, str], boxes: dict[int, Box]) -> Iterator[Edge]:
    """The edges that lead to a node; between boxes only that they are there."""
    passed = dict(graph.trace.contributions.get(node.serial, ()))
    closed = node.serial in boxes
    cotangent, rules = graph.backward(node) if passed and not closed else (leaf(""), [])
    for i, x in enumerate(node.inputs or ()):
        if not (isinstance(x, Operand) and key(x) in ids):
            continue
        if closed and ids[key(x)] == ids[node.serial]:
            continue
        rule = rules[i] if i < len(rules) and i in passed else None
        derivative = local(rule, cotangent) if rule else None
        yield Edge(
            "",
            ids[key(x)],
            ids[node.serial],
            i,
            f"∂{graph.names[node.serial]}/∂{graph.names[key(x)]} = {derivative}" if derivative else "",
            str(rule) if rule else "",
            _slope(node, i, derivative) if derivative else None,
            summarise(passed[i]) if i in passed and not (closed or key(x) in boxes) else None,
            _note(rule) if i in passed else "",
            i in passed,
        )


def _slope(node: Recorded, i: int, derivative: Expr) -> Array | None:
    """The numbers of a local derivative: read off its formula where it has them, else found with a cotangent of ones."""
    if isinstance(derivative.value, np.ndarray):
        return summarise(derivative.value)
    op: Any = node.op
    if not (derivative.op and op.elementwise and op.vjps and node.values is not None):
        return None
    with np.errstate(all="ignore"):
        return summarise(np.asarray(op.vjps[i](np.ones_like(node.value), node.value, *node.values, **node.options)))


def _broadcast_axes(node: Recorded, i: int) -> tuple[int, ...]:
    """The axes of an elementwise op's result along which input `i` was broadcast."""
    op: Any = node.op
    shape, full = np.shape(node.values[i]), node.value.shape
    if not op.elementwise or shape == full:
        return ()
    extra = len(full) - len(shape)
    return *range(extra), *(k + extra for k, n in enumerate(shape) if n == 1 != full[k + extra])


def _note(rule: Expr | None) -> str:
    """What was summed because the operand had been broadcast."""
    axes = summed_axes(rule) if rule else ()
    return f"sum over {'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}" if axes else ""


def _chain(scope: Scope | None) -> list[Scope]:
    """The scopes around something, outermost first; those of backward passes are no layers."""
    chain: list[Scope] = []
    while scope is not None:
        if scope.pullback_of is None:
            chain.append(scope)
        scope = scope.parent
    return chain[::-1]


def _chains(t: Trace, consumers: dict[int, list[Recorded]]) -> dict[int, list[Scope]]:
    """The scopes around each operand, outermost first.

    An op of a backward pass stands with the op it pulls back through, a parameter with what uses it.
    """
    chains: dict[int, list[Scope]] = {}
    by_serial = {x.serial: x for x in t.nodes}
    for node in t.nodes:
        if node.op is not None:
            forward = by_serial.get(pulled_back(node) or -1)
            chains[node.serial] = chains.get(forward.serial, []) if forward is not None else _chain(node.scope)
    for x in t.operands:
        if isinstance(x, Recorded) and x.op is None and (x.tracked or not x.value.ndim):
            users = [chains[c.serial] for c in consumers[key(x)] if pulled_back(c) is None]
            chains[key(x)] = _common(users) if users else []
    return chains


def _groups(graph: Graph, shown: Sequence[list[Scope]]) -> tuple[tuple[Group, ...], dict[int, str]]:
    """The groups that are drawn, outermost first, and the id of each by its scope's identity."""
    ids: dict[int, str] = {}
    found: list[tuple[Scope, str | None]] = []
    for chain in shown:
        around = None
        for scope in chain:
            if id(scope) not in ids:
                ids[id(scope)] = f"g{len(ids)}"
                found.append((scope, around))
            around = ids[id(scope)]
    ops: dict[int, int] = defaultdict(int)
    parameters: dict[int, int] = defaultdict(int)
    for node in graph.trace.nodes:
        for scope in graph.chains.get(node.serial, []):
            ops[id(scope)] += node.op is not None
            parameters[id(scope)] += node.value.size if node.op is None and node.tracked else 0
    groups = tuple(
        Group(ids[id(scope)], scope.name, parent, parameters[id(scope)], ops[id(scope)]) for scope, parent in found
    )
    return groups, ids


def _common(chains: Sequence[list[Scope]]) -> list[Scope]:
    first = chains[0]
    for depth, scope in enumerate(first):
        if any(len(c) <= depth or c[depth] is not scope for c in chains):
            return first[:depth]
    return first
