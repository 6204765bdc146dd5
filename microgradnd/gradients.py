"""Gradients of recorded tensors with respect to chosen ones, as a plain result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .backward import as_seed, propagate, walk
from .context import mode_switch
from .core import Node, clock, constant
from .messages import describe, refuse_freed


def lead_to(roots: Iterable[Node], targets: Iterable[Node], since: int) -> tuple[set[int], list[Node]]:
    """Which way leads from results to targets, and what else those results depend on.

    Parameters
    ----------
    since
        Nodes up to this serial are not looked behind.

    Returns
    -------
    set of int
        Serials of the nodes on a path from a root to a target.
    list of Node
        The tensors up to `since`, none of the targets, that the roots were computed from.
    """
    leading = {t.serial for t in targets}
    seen: dict[int, Node] = {}
    outside: dict[int, Node] = {}
    stack: list[tuple[Any, ...]] = [tuple(roots)]
    while stack:
        for x in stack.pop():
            if isinstance(x, Node) and x.tracked and x.serial not in seen:
                if x.serial > since:
                    seen[x.serial] = x
                    stack.append(refuse_freed(x) if x.inputs is None else x.inputs)
                elif x.serial not in leading:
                    outside[x.serial] = x
    for serial in sorted(seen):
        if any(isinstance(x, Node) and x.serial in leading for x in seen[serial].inputs or ()):
            leading.add(serial)
    return leading, list(outside.values())


def recorded(roots: Iterable[Any], since: int = 0) -> list[Node]:
    """What ops gave on the way to `roots`, oldest first; nodes up to the serial `since` are not looked behind."""
    found: dict[int, Node] = {}
    waiting = list(roots)
    while waiting:
        x = waiting.pop()
        if isinstance(x, Node) and x.op is not None and x.serial > since and x.serial not in found:
            found[x.serial] = x
            waiting += x.inputs or ()
    return [found[serial] for serial in sorted(found)]


def gradients(y: Node, xs: Iterable[Node], grad: Any = None, *, create_graph: bool = False) -> list[Any]:
    """Gradients of a recorded tensor with respect to others, as tensors; no ``.grad`` is touched.

    Parameters
    ----------
    y
        The result; with more than one element, `grad` gives its cotangent.
    xs
        The tensors to differentiate with respect to: leaves or intermediates.
    grad
        Cotangent of `y`, of its shape.
    create_graph
        Record the gradients, so that they can be differentiated in turn.

    Returns
    -------
    list of Tensor
        One per entry of `xs`; zeros where `y` does not depend on it.

    Raises
    ------
    TypeError
        If `y` or one of `xs` is no tensor.
    ValueError
        If one of `xs` requires no gradient, or `grad` has another shape than `y`.
    RuntimeError
        If `y` has several elements and no `grad` is given, the graph was freed, or data changed since.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor(3.0, requires_grad=True)
    >>> h = x * x
    >>> [float(g) for g in mg.gradients(h * x, [x, h])]
    [27.0, 3.0]
    """
    if not isinstance(y, Node):
        raise TypeError(f"y is {type(y).__name__}; gradients are taken of one recorded tensor: see mg.vjp for several")
    if isinstance(xs, Node):
        raise TypeError(f"xs is {describe(xs)} itself; give the tensors in a list: mg.gradients(y, [x])")
    xs = list(xs)
    for i, x in enumerate(xs):
        if not isinstance(x, Node):
            raise TypeError(
                f"xs[{i}] is {type(x).__name__}; gradients are taken with respect to tensors: see mg.grad for functions"
            )
        if not x.tracked:
            raise ValueError(
                f"xs[{i}], {describe(x)}, does not require a gradient: set requires_grad=True before computing y"
            )
    seed = grad if isinstance(grad, Node) and create_graph and grad.value.shape == y.value.shape else as_seed(y, grad)
    found: dict[int, Any] = {}
    if y.tracked:
        wanted = {x.serial for x in xs}
        leading, _ = lead_to([y], xs, min(wanted, default=y.serial) - 1)
        with mode_switch(record=True):
            start = (seed if isinstance(seed, Node) else constant(seed)) if create_graph else seed
            for node, g in walk(y, start, recorded=create_graph, within=leading) if y.serial in leading else ():
                if node.serial in wanted:
                    found[node.serial] = g
    return [_as_node(found.get(x.serial), x) for x in xs]


def _as_node(g: Any, x: Node) -> Node:
    return g if isinstance(g, Node) else constant(np.zeros_like(x.value) if g is None else np.array(g))


def pull(node: Node, g: Any) -> list[tuple[int, Any]]:
    """One step of the chain rule alone: the position of each argument that wants a cotangent, with the one it gets.

    The values are the recorded ones, whatever was changed since; of an argument used twice, each use has its own.
    """
    stand_in: Any = object.__new__(Node)
    for slot in Node.__slots__:
        if slot != "__weakref__":
            setattr(stand_in, slot, getattr(node, slot))
    stand_in.inputs = tuple(_leaf(x.value) if isinstance(x, Node) and x.tracked else x for x in node.inputs or ())
    stand_in.serial, stand_in.changed = next(clock), 0
    passed = {leaf.serial: c for leaf, c, _ in propagate(stand_in, g, since=stand_in.serial - 1)}
    return [(i, passed[x.serial]) for i, x in enumerate(stand_in.inputs) if isinstance(x, Node) and x.serial in passed]


def _leaf(value: Any) -> Node:
    leaf = constant(value)
    leaf.tracked = True
    return leaf
