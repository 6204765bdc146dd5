"""The one backward walk: from a result to everything it was computed from, youngest first.

A node is younger than its inputs, so taking the youngest waiting node first means that all its
consumers are done, and its cotangent complete, when its turn comes: the chain rule, summed over
paths, with each node visited once. `walk` is that mechanism; it yields each node with its finished
cotangent. `run_backward` stores them as ``.grad``; `gradients.py` picks some out. On arrays nothing is
recorded; with ``recorded=True`` the same rules run on tensors, and the gradient is itself a graph.
"""

from __future__ import annotations

import functools
from _thread import allocate_lock  # all of threading that is needed, in a fifth of its time
from collections.abc import Iterator
from heapq import heappop, heappush
from sys import getrefcount
from typing import Any

import numpy as np

from .context import CALL, MODE, PullbackScope, current_scope
from .core import Node, Op, constant, latest_change, unpack
from .memory import refuse_stale
from .messages import as_cotangent, describe, locate, misshapen, refuse_freed, refuse_mask

Pairs = list[tuple[Node, Any]]
Waiting = list[Any]  # a node, its cotangent so far, and whether that is a sum made here, in an array of its own
_ndarray = np.ndarray


def propagate(
    root: Node,
    seed: Any,
    *,
    recorded: bool = False,
    within: set[int] | None = None,
    free: bool = False,
    visited: Pairs | None = None,
    since: int = 0,
) -> list[Waiting]:
    """Carry the cotangent of `root` back to the leaves it depends on; return them with theirs.

    Parameters
    ----------
    root, seed
        The result to start at, and its cotangent.
    recorded
        Run the rules on tensors, so that the cotangents are themselves a graph.
    within
        Serials of the nodes to pass through; None for all.
    free
        Cut each node's links once it is done, so that its arrays can go.
    visited
        A list that takes each inner node with its finished cotangent, youngest first.
    since
        Nodes up to this serial count as leaves.
    """
    waiting: dict[int, Waiting] = {root.serial: [root, seed, False]}
    queue = [-root.serial] if root.op is not None and root.serial > since else []
    watch, outside = MODE.get().watch, CALL.scope
    around = current_scope() if recorded else None
    pairs: Pairs = []
    try:
        while queue:
            node, g, _ = waiting.pop(-heappop(queue))
            op, inputs, values = node.op, node.inputs, node.values
            options, y = node.options, node.value
            if inputs is None:
                refuse_freed(node)
            if node.serial < latest_change[0]:
                refuse_stale(node)
            if watch is not None:
                watch.before_pull(node)
                pairs = []
            if recorded:
                CALL.scope = PullbackScope(op.name, node.serial, node.origin, around)
                values, y = tuple(map(as_recordable, inputs)), node
            rule = x = None
            try:  # the chain rule: to each input that wants it, what its rule makes of the cotangent
                args = (g, y) + values  # noqa: RUF005 - sooner than unpacking
                if op.packed:
                    if recorded or op.several:
                        args, options = unpacked(op, node, args, recorded)
                    else:
                        options = {**options, "saved": node.saved}
                rules: Any = op.vjps
                if op.joint is not None:  # its rules have their answers: arguments would cost each as many as there are
                    rules, args, options = joint_rules(op.joint, args, options), (), {}
                for rule, x in zip(rules, inputs):  # noqa: B905 - speed; forward fails on too many
                    if isinstance(x, Node) and x.tracked and (within is None or x.serial in within):
                        c = rule(*args, **options) if options else rule(*args)
                        array = x.value
                        if c.__class__ is not _ndarray or c.shape != array.shape or c.dtype is not array.dtype:
                            c = conform(c, x, node, recorded)
                        if watch is not None:
                            pairs.append((x, c))
                        serial = x.serial
                        entry = waiting.get(serial)
                        if entry is None:  # else one more path has come to this input, and they add up
                            waiting[serial] = [x, c, False]
                            if x.op is not None and serial > since:
                                heappush(queue, -serial)
                        elif entry[2]:
                            np.add(entry[1], c, out=entry[1])
                        else:
                            total = entry[1] + c
                            entry[1:] = (total, False) if recorded else (np.asarray(total), True)
            except Exception as error:
                raise locate(error, node, rule, x) from None
            if watch is not None:
                watch.after_pull(node, g, pairs)
            if free:
                node.inputs = node.values = node.saved = None
            if visited is not None:
                visited.append((node, g))
    finally:
        CALL.scope = outside
    return list(waiting.values())


def walk(root: Node, seed: Any, **how: Any) -> Iterator[tuple[Node, Any]]:
    """Yield every node that `root` depends on with its cotangent, youngest first, leaves last.

    The parameters are those of `propagate`.
    """
    visited: Pairs = []
    leaves = propagate(root, seed, visited=visited, **how)
    yield from visited
    yield from ((leaf, g) for leaf, g, _ in leaves)


def as_recordable(x: Any) -> Any:
    """An input as the rules of a recorded pass get it: an array's methods, ``x.T.dot(g)``, want a tensor of it."""
    if type(x) is _ndarray and x.dtype.kind == "f":
        x = constant(x)
        x.inputs = ("array",)  # drawn as what it is
    return x


def unpacked(op: Op, node: Node, args: tuple[Any, ...], recorded: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the rules of an op with several outputs, or with saved extras, are called with."""
    g, y, *values = args
    saved = op.saves(*values, **node.options) if recorded and op.saves else node.saved
    if op.several:
        return (unpack(g, saved), unpack(y, saved), *values), node.options
    return args, {**node.options, "saved": saved}


def joint_rules(joint: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Iterator[Any]:
    """A joint rule's answers in the form of one rule per argument."""
    return (lambda c=c: c for c, _input in zip(joint(*args, **options), args[2:], strict=True))


def conform(c: Any, x: Node, node: Node, recorded: bool) -> Any:
    """What a rule of `node` gave, with the type, shape and dtype of the argument `x` it belongs to."""
    if not (recorded and isinstance(c, Node)):
        c = constant(as_cotangent(c)) if recorded else as_cotangent(c)
    array = x.value
    if c.shape != array.shape:
        if not (node.op and node.op.elementwise and c.shape == node.value.shape):
            raise misshapen(c.shape, array.shape)
        c = sum_to(c, array.shape)
    return c if c.dtype == array.dtype else c.astype(array.dtype)


def sum_to(c: Any, shape: tuple[int, ...]) -> Any:
    """Sum `c` over the axes along which `shape` was broadcast: the transpose of broadcasting."""
    extra = c.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(shape) if n == 1 != c.shape[i + extra])
    if axes and c.dtype == np.float16:  # a running sum in float16 stops growing at 2048
        total = c.astype(np.float32).sum(axis=axes, keepdims=True).astype(np.float16)
    else:
        total = c.sum(axis=axes, keepdims=True) if axes else c
    return total.reshape(shape)


@functools.lru_cache(maxsize=8)
def _one(dtype: np.dtype[Any]) -> np.ndarray:
    """The derivative of a result with respect to itself."""
    one = np.ones((), dtype)
    one.flags.writeable = False
    return one


def as_seed(root: Node, grad: Any) -> np.ndarray:
    """The cotangent to start with, checked against the result it belongs to."""
    if grad is None:
        if root.value.size != 1:
            raise RuntimeError(
                f"backward starts from one number, but this is {describe(root)}: "
                "reduce it, with .sum() or .mean(), or give the cotangent as backward(grad)"
            )
        one = _one(root.value.dtype)
        return one.reshape(root.value.shape) if root.value.ndim else one
    refuse_mask(grad, "backward(grad)")
    seed = np.array(grad.value if isinstance(grad, Node) else grad)
    if seed.shape != root.value.shape:
        raise ValueError(f"grad has shape {seed.shape}, but belongs to {describe(root)}: give one of that shape")
    if seed.dtype.kind not in "fiub":
        raise TypeError(f"grad has dtype {seed.dtype}, expected real numbers")
    return seed.astype(root.value.dtype, copy=False)


def run_backward(root: Node, grad: Any, retain_graph: bool) -> None:
    """Store the gradient of `root` in the ``.grad`` of everything it depends on."""
    if not root.tracked:
        why = (
            "it was computed under no_grad"
            if root.inputs == ("no_grad",)
            else "nothing it was computed from has requires_grad=True, or the path went through no_grad, .data, .numpy() or .detach()"
        )
        raise RuntimeError(f"{describe(root)} requires no gradient: {why}")
    inner: Pairs = []
    leaves = propagate(root, as_seed(root, grad), free=not retain_graph, visited=inner if retain_graph else None)
    store(leaves, inner)


def store(leaves: list[Waiting], inner: Pairs = []) -> None:  # noqa: B006 - only read
    """Add gradients to the ``.grad`` of leaves, and set those of inner nodes."""
    with _storing:  # all or nothing: no error can come between, and threads that share leaves take turns
        for node, g in inner:
            node.gradient = g
        for leaf, g, is_own in leaves:
            if leaf.gradient is not None:
                leaf.gradient += g
            elif is_own or (g.base is None and getrefcount(g) <= _ALONE and g.flags.c_contiguous):
                leaf.gradient = g  # nobody else holds it: it can be the leaf's own without a copy
            else:
                leaf.gradient = g.copy(order="C")


def _count_holders(entries: list[Waiting]) -> int:
    for _, g, _ in entries:
        return getrefcount(g)
    return 0


_storing = allocate_lock()
_ALONE = _count_holders([[Node(), np.empty(1), False]])  # what an array held only by such a list counts to here
