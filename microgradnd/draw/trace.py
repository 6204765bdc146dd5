"""The recorded graph as a list, oldest first, and a backward pass of its own over it that stores nothing in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..context import mode_switch
from ..core import Node
from ..gradients import pull

Operand = Node | np.ndarray


@dataclass(slots=True)
class Trace:
    """What `root` was computed from, and the gradients of its sum.

    Attributes
    ----------
    root
        The tensor that is drawn.
    operands
        Everything it depends on, inputs before what uses them: tensors, and plain arrays of one or
        more dimensions. Plain numbers are part of a formula, not of this list.
    cotangents
        By the serial of a tensor: its complete gradient. Empty if none were asked for.
    contributions
        By the serial of an op's result: what it passed on, as (position of the input, cotangent).
    """

    root: Node
    operands: list[Operand]
    cotangents: dict[int, np.ndarray] = field(default_factory=dict)
    contributions: dict[int, list[tuple[int, np.ndarray]]] = field(default_factory=dict)

    @property
    def nodes(self) -> list[Node]:
        """The tensors among the operands."""
        return [x for x in self.operands if isinstance(x, Node)]


def plain(x: Operand) -> Operand:
    """An operand; for the tensor that a recorded backward pass made of an array, that array."""
    return x.value if isinstance(x, Node) and x.op is None and x.inputs == ("array",) else x


def key(x: Operand) -> int:
    """What an operand is known by: the serial of a tensor, the (negative) identity of an array."""
    x = plain(x)
    return x.serial if isinstance(x, Node) else -id(x)


def drawn_inputs(node: Node) -> list[tuple[int, Operand]]:
    """The inputs of a node that are drawn on their own, with their positions."""
    return [
        (i, x)
        for i, x in enumerate(map(plain, node.inputs or ()))
        if (isinstance(x, Node) and (x.tracked or x.name or x.value.ndim)) or (isinstance(x, np.ndarray) and x.ndim)
    ]


def trace(root: Node, gradients: bool = True) -> Trace:
    """Collect what `root` depends on and, if asked, run a backward pass that touches no ``.grad``."""
    found: dict[int, tuple[float, Operand]] = {root.serial: (root.serial, root)}
    stack = [root]
    while stack:
        node = stack.pop()
        for _, x in drawn_inputs(node):
            if isinstance(x, Node):
                if x.serial not in found:
                    found[x.serial] = x.serial, x
                    stack.append(x)
            else:  # an array has no serial: it comes just before the first that uses it
                first = min(found[key(x)][0] if key(x) in found else np.inf, node.serial - 0.5)
                found[key(x)] = first, x
    operands = [x for _, x in sorted(found.values(), key=lambda entry: entry[0])]
    result = Trace(root, operands)
    if gradients and root.tracked:
        _run_backward(result)
    return result


def _run_backward(t: Trace) -> None:
    """Youngest first over the list: by a node's turn all its consumers are done (see `backward.walk`).

    Unlike there, each contribution is kept, not only their sum; and a tensor that was changed after it
    was used is no error here, the picture marks it.
    """
    t.cotangents[t.root.serial] = np.ones_like(t.root.value)
    with mode_switch(record=False, watch=None), np.errstate(all="ignore"):
        for node in reversed(t.nodes):
            g = t.cotangents.get(node.serial)
            if g is None or node.op is None or node.inputs is None:
                continue
            passed = t.contributions[node.serial] = pull(node, g)
            for i, c in passed:
                x: Any = node.inputs[i]
                before = t.cotangents.get(x.serial)
                t.cotangents[x.serial] = c if before is None else np.asarray(before + c)


def is_stale(node: Node, consumers: list[Node]) -> bool:
    """Whether the data of `node` was changed after it was made or used here."""
    return (node.op is not None and node.changed > node.serial) or any(node.changed > c.serial for c in consumers)


def pulled_back(node: Node) -> int | None:
    """For what a recorded backward pass recorded: the serial of the node it is the pulling back of."""
    scope = node.scope
    while scope is not None:
        if scope.pullback_of is not None:
            return scope.pullback_of
        scope = scope.parent
    return None
