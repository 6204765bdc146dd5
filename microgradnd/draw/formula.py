"""Formulas of ops with the operands' names in them; backward ones are read off the rules, never written by hand.

A rule is plain NumPy, so it can be called on tensors that have names. What it records is a little graph,
and that graph, printed, is the formula. `vjp` does this, `simplify` tidies it up ((1 - y)(1 + y) is
1 - y²), and `local` divides out the cotangent where the rule is a product with it: what is left is the
local derivative of a textbook, ∂z/∂W = xᵀ or ∂h/∂z = 1 - h².
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..context import mode_switch
from ..core import Node, Op, Sample, unpack
from .expression import Expr, forward, leaf, number, parse, write
from .simplify import simplify
from .symbols import Compared, Naming, symbol

MOST_OPS = 120  # a rule that records more is not printed


def vjp(op: Op, operands: Sequence[Expr], output: Expr, cotangent: Expr, options: dict[str, Any]) -> list[Expr | None]:
    """The cotangent of each operand as a formula, from reading the op's rule; None where there is none to read.

    Parameters
    ----------
    operands, output, cotangent
        Leaves, with the arrays they stand for as `value`.
    """
    known: dict[int, Expr] = {}
    inputs = [_named(e, known) for e in operands]
    y, g = _named(output, known), _named(cotangent, known)
    with mode_switch(record=True, watch=Naming()), np.errstate(all="ignore"):
        if op.several:
            outputs = op.forward(*(e.value for e in operands), **options)
            flows = unpack(cotangent.value, [np.shape(part) for part in outputs])
            y = tuple(_named(leaf(f"{output}[{k}]", part), known) for k, part in enumerate(outputs))
            g = tuple(_named(leaf(f"{cotangent}[{k}]", part), known) for k, part in enumerate(flows))
        if op.saves is not None:
            options = {**options, "saved": _saved(op, inputs, options, known)}
        joint = _attempt(op.joint, g, y, *inputs, **options) if op.joint is not None else None
        found: list[Expr | None] = []
        for i, x in enumerate(inputs):
            if not (isinstance(x, Node) and x.tracked):
                found.append(None)
            elif op.joint is not None:
                found.append(None if joint is None else _read(joint[i], known))
            else:
                rule = op.vjps[i]
                found.append(None if rule is None else _read(_attempt(rule, g, y, *inputs, **options), known))
    return [None if e is None else simplify(e) for e in found]


def _named(e: Expr, known: dict[int, Expr]) -> Any:
    """The symbol a rule is called with in place of a leaf; plain numbers stay numbers."""
    if not isinstance(e.value, np.ndarray):
        return e.value
    node = symbol(str(e.template[0]), e.value)
    known[node.serial] = e
    if node.tracked:
        return node
    array = e.value.view(Compared)
    array.made = (str(e.template[0]).replace("{", "{{").replace("}", "}}"), ())
    return array


def _saved(op: Op, inputs: Sequence[Any], options: dict[str, Any], known: dict[int, Expr]) -> Any:
    saves: Any = op.saves
    saved = _attempt(saves, *inputs, **options)
    read = _read(saved, known) if isinstance(saved, Node) else None
    if read is not None and len(str(simplify(read))) <= 80:
        return saved
    values = [x.value if isinstance(x, Node) else np.asarray(x) for x in inputs]
    plain = _attempt(saves, *values, **options)
    return _named(leaf("saved", plain), known) if isinstance(plain, np.ndarray) else saved


def _attempt(rule: Callable[..., Any], *args: Any, **options: Any) -> Any:
    try:
        return rule(*args, **options)
    except Exception:
        return None  # a rule that can't run on tensors still has numbers, only no formula


def _read(result: Any, known: dict[int, Expr]) -> Expr | None:
    """What a rule recorded, from its result down to what has a name, as a formula."""
    if result is None:
        return None
    done: dict[int, Expr] = {}
    stack = [result]
    while stack:
        x = stack[-1]
        inner = _inside(x, known)
        todo = [i for i in inner if id(i) not in done]
        if todo:
            stack += todo
            if len(done) > MOST_OPS or len(stack) > 50 * MOST_OPS:
                return None
            continue
        stack.pop()
        done[id(x)] = _as_expr(x, [done[id(i)] for i in inner], known)
    return done[id(result)]


def _inside(x: Any, known: dict[int, Expr]) -> tuple[Any, ...]:
    if isinstance(x, Node):
        return () if x.serial in known or x.op is None else x.inputs or ()
    return x.made[1] if isinstance(x, Compared) and x.made else ()


def _as_expr(x: Any, args: list[Expr], known: dict[int, Expr]) -> Expr:
    if isinstance(x, Node):
        if x.serial in known:
            return known[x.serial]
        if x.op is not None:
            return forward(x.op, args, x.options, x.value)
        x = x.value
    if isinstance(x, Compared) and x.made:
        sign, operands = x.made
        value = x.view(np.ndarray)
        return Expr("compare", tuple(args), parse(sign), value) if operands else leaf(parse(sign)[0], value)  # type: ignore[arg-type]
    return number(x)


def vjp_text(op: Op, i: int) -> str:
    """The rule of an op for argument `i`, as a formula in its own parameters' names.

    Parameters
    ----------
    op
        A registered op with samples: the rule is read off one of them.
    i
        Position of the argument.

    Returns
    -------
    str
        Empty where the op is not differentiable in this argument.

    Examples
    --------
    >>> from microgradnd import OPS
    >>> vjp_text(OPS["tanh"], 0), vjp_text(OPS["matmul"], 1)
    ('g * (1 - y²)', 'aᵀ @ g')
    """
    sample = _plain_sample(op)
    names = _parameters(op, i, len(sample.args))
    with np.errstate(all="ignore"):
        output = op.compute(sample.args, sample.options)
    operands = [leaf(n, x) for n, x in zip(names, sample.args, strict=True)]
    y, g = leaf("y", np.asarray(output)), leaf("g", np.ones_like(output, dtype=np.float64))
    read = vjp(op, operands, y, g, sample.options)[i]
    return "" if read is None else str(read)


def forward_text(op: Op) -> str:
    """How an op is written, in the parameters' names of its rule.

    >>> from microgradnd import OPS
    >>> forward_text(OPS["matmul"])
    'a @ b'
    """
    sample = _plain_sample(op)
    names = _parameters(op, 0, len(sample.args))
    return write(forward(op, [leaf(n, x) for n, x in zip(names, sample.args, strict=True)], sample.options))


def _plain_sample(op: Op) -> Sample:
    """The sample that shows a rule best: matrices rather than vectors rather than numbers."""
    samples = list(op.samples(np.random.default_rng(0))) if op.samples else []
    if not samples:
        raise ValueError(f"`{op.name}` has no samples to read its rule off: give it samples=...")
    return min(samples, key=lambda s: abs(2 - sum(np.ndim(a) for a in s.args) / max(len(s.args), 1)))


def _parameters(op: Op, i: int, count: int) -> list[str]:
    rule = op.joint if op.joint is not None else op.vjps[i]
    if rule is None or isinstance(rule, Op):
        return [f"x{k}" for k in range(count)]
    kinds = inspect.Parameter
    found = [
        p.name
        for p in list(inspect.signature(rule).parameters.values())[2:]
        if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    ]
    return [found[k] if k < len(found) else f"x{k}" for k in range(count)]
