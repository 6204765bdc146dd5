"""Formulas as a person would write them, and the local derivative in a cotangent's formula."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .expression import Expr, brief, call, leaf, number


def simplify(expr: Expr) -> Expr:
    """The same formula, as a person would write it."""
    done: dict[int, Expr] = {}
    stack = [expr]
    while stack:
        e = stack[-1]
        todo = [a for a in e.args if id(a) not in done]
        if todo:
            stack += todo
            continue
        stack.pop()
        done[id(e)] = _tidy(replace(e, args=tuple(done[id(a)] for a in e.args))) if e.args else e
    return done[id(expr)]


def _tidy(e: Expr) -> Expr:
    a, b = (*e.args, None, None)[:2]
    value = e.value
    if a is None:
        return e
    if e.op in ("multiply", "divide", "scale", "both", "over") and b is not None:
        a, b = _narrow(a, b), _narrow(b, a)
    folded = _fold(e.op, a, b)
    if folded is not None:
        return folded
    match e.op:
        case "scale" | "both" | "multiply" if b is not None:
            return _times(a, b, value)
        case "over" | "divide" if b is not None:
            if _is(b, 1):
                return a
            return _minus(call("divide", a.args[0], b)) if a.op == "negative" else call("divide", a, b, value=value)
        case "negative":
            return a.args[0] if a.op == "negative" else call("negative", a, value=value)
        case "add" | "subtract" if b is not None and b.op == "negative":
            return call("subtract" if e.op == "add" else "add", a, b.args[0], value=value)
        case "add" if b is not None and (_is(a, 0) or _is(b, 0)):
            return b if _is(a, 0) else a
        case "power" if b is not None and (_is(b, 1) or _is(b, 2)):
            return a if _is(b, 1) else call("square", a, value=value)
        case "power_slope" if b is not None:
            less = _fold("subtract", b, number(1)) or call("subtract", b, number(1))
            return _times(b, _tidy(call("power", a, less)), None)
        case "positive" | "astype":
            return a
        case "transpose" if a.op == "transpose" and e.template == a.template == (0, "ᵀ"):
            return a.args[0]
        case "where" if len(e.args) == 3 and (_is(a, "False") or _is(a, "True")):
            return e.args[2 if _is(a, "False") else 1]
        case "matmul" if b is not None and max(np.ndim(a.value), np.ndim(b.value)) == 2:
            return _product(e, a, b)
        case "reshape" if _squeezed(a.value) == _squeezed(value):
            return a
    return e


def _product(e: Expr, a: Expr, b: Expr) -> Expr:
    """A product of matrices that were vectors as a product with vectors, and one with ones as a sum."""
    if _is(b, 1) and np.ndim(b.value) == 1:
        whole, axis = (a.args[0], 0) if a.op == "transpose" else (a, 1)
        return summed(whole, (axis,))
    v, w = _vector(a), _vector(b)
    if v is not None and w is not None and np.shape(a.value)[-1:] == (1,):  # a column times a row
        if not np.ndim(v.value) or not np.ndim(w.value):
            return _times(v, w, e.value)
        return call("outer", v, w, value=e.value)
    if v is not None and np.shape(a.value)[0] == 1:
        return call("matmul", v, b, value=e.value)
    return call("matmul", a, w, value=e.value) if w is not None and np.shape(b.value)[-1:] == (1,) else e


def _vector(e: Expr) -> Expr | None:
    """The vector or number that `e` is, as a row or a column; None where it is no such thing."""
    inner = e
    while inner.op in ("getitem", "reshape", "transpose") and _squeezed(inner.args[0].value) == _squeezed(inner.value):
        inner = inner.args[0]
    return inner if inner is not e and np.ndim(inner.value) < 2 else None


def _fold(op: str, a: Expr, b: Expr | None) -> Expr | None:
    """Arithmetic on two plain numbers, done."""
    numbers = [e.value for e in (a, b) if e is not None and not e.op and isinstance(e.value, int | float)]
    if len(numbers) < 2 or op not in ("add", "subtract", "multiply", "scale", "both"):
        return None
    x, y = numbers
    return number(x + y if op == "add" else x - y if op == "subtract" else x * y)


def _times(a: Expr, b: Expr, value: Any) -> Expr:
    if _is(a, 1) or _is(b, 0):
        return b
    if _is(b, 1) or _is(a, 0):
        return a
    if a.op == "negative" or b.op == "negative":
        inner = _times(a.args[0] if a.op == "negative" else a, b.args[0] if b.op == "negative" else b, None)
        return inner if a.op == b.op else _minus(inner)
    if {a.op, b.op} == {"add", "subtract"}:  # (1 - y)(1 + y)
        plus, minus = (a, b) if a.op == "add" else (b, a)
        if str(plus.args[0]) == str(minus.args[0]) and str(plus.args[1]) == str(minus.args[1]):
            return call("subtract", _squared(minus.args[0]), _squared(minus.args[1]), value=value)
    if str(a) == str(b):
        return _squared(a)
    return call("multiply", a, b, value=value)


def _narrow(e: Expr, other: Expr) -> Expr:
    """`e` without the broadcasting that an elementwise op with `other` does anyway."""
    implied = e.op == "broadcast_to" and other.value is not None and np.shape(other.value) == np.shape(e.value)
    return e.args[0] if implied else e


def _squeezed(array: Any) -> tuple[int, ...] | None:
    return None if array is None else tuple(n for n in np.shape(array) if n != 1)


def _minus(e: Expr) -> Expr:
    return call("negative", e)


def _squared(e: Expr) -> Expr:
    return e if _is(e, 1) else call("square", e)


def _is(e: Expr, n: int | str) -> bool:
    return not e.op and str(e.template[0]) == str(n)


def local(expr: Expr, cotangent: Expr) -> Expr | None:
    """What `cotangent` is multiplied with in `expr`, or None where `expr` is no product with it.

    >>> z, g = leaf("z", np.ones(2)), leaf("g", np.ones(2))
    >>> print(local(call("multiply", g, call("square", z)), g))
    z²
    """
    one = leaf("1")
    if expr is cotangent:
        return one
    a, b = (*expr.args, None, None)[:2]
    if a is None or not _mentions(expr, cotangent):
        return None
    match expr.op:
        case "negative":
            inner = local(a, cotangent)
            return inner and _tidy(call("negative", inner))
        case "multiply" | "matmul" if b is not None:
            left, right = local(a, cotangent), local(b, cotangent)
            if expr.op == "matmul":
                return b if a is cotangent else a if b is cotangent else None
            if left is not None and not _mentions(b, cotangent):
                return _times(left, b, None)
            return right and (None if _mentions(a, cotangent) else _times(a, right, None))
        case "divide" if b is not None and not _mentions(b, cotangent):
            inner = local(a, cotangent)
            return inner and _tidy(call("divide", inner, b))
        case "broadcast_to" | "reshape" | "sum" | "expand_dims":
            return local(a, cotangent)
        case "where" if len(expr.args) == 3 and not _mentions(a, cotangent):
            branches = [e if _is(e, 0) else local(e, cotangent) for e in expr.args[1:]]
            return None if None in branches else call("where", a, *branches)  # type: ignore[arg-type]
    return None


def summed(expr: Expr, axes: tuple[int, ...]) -> Expr:
    """`expr` summed over axes: what the walk does with the cotangent of an operand that was broadcast."""
    if not axes:
        return expr
    options = {"axis": axes[0] if len(axes) == 1 else axes}
    return Expr("sum", (expr,), ("sum(", 0, f", axis={brief(options['axis'])})"), None, options)


def summed_axes(expr: Expr) -> tuple[int, ...]:
    """The axes that a formula ends in a sum over; none where it doesn't."""
    if expr.op != "sum":
        return ()
    axis = (expr.options or {}).get("axis")
    return (
        tuple(range(np.ndim(expr.args[0].value))) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    )


def _mentions(expr: Expr, part: Expr) -> bool:
    seen: set[int] = set()
    stack = [expr]
    while stack:
        e = stack.pop()
        if e is part:
            return True
        stack += [a for a in e.args if id(a) not in seen]
        seen.update(map(id, e.args))
    return False
