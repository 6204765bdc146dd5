"""The smallest call that shows a wrong rule, as text to paste."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core import OPS, Op
from .search import Search
from .verdict import WRONG

_PRINTED = 24  # elements that are written out
_DIGITS = (1, 2, 4, 17)

Written = list[tuple[str, Any]]  # inputs as text, and the values that this text has


def smallest_call(alone: Any, j: int, search: Search) -> str:
    """A `gradcheck` call of one op on as little as still shows that its rule is wrong; "" if none can be written.

    Parameters
    ----------
    alone
        The op at the inputs where it was found.
    j
        Which of its differentiable arguments has the wrong rule.
    search
        The comparison that found it.
    """
    try:
        options = [f"{key}={_expression(value)}" for key, value in alone.options.items()]
        for inputs in _candidates(alone, j, search):
            if _still_wrong(alone, inputs, j, search):
                return f"mg.gradcheck({', '.join([op_expression(alone.op), *(text for text, _ in inputs), *options])})"
    except ValueError:
        pass  # something in it has no short text
    return ""


def op_expression(op: Op) -> str:
    """How to write this op."""
    key = next((key for key, registered in OPS.items() if registered is op), op.name)
    return f"mg.OPS[{key!r}]"


def literal(x: Any, digits: int = 17) -> tuple[str, Any]:
    """A number or array written out to so many digits, and its value as written."""
    array = np.asarray(x)
    if array.dtype.kind == "f":
        array = np.array([float(f"{v:.{digits}g}") for v in array.flat]).reshape(array.shape)
    if not array.ndim:
        return repr(array.item()), array.item()
    if array.size > _PRINTED:
        raise ValueError("too long to print")
    text = np.array2string(array, separator=", ", floatmode="unique", max_line_width=10**6)
    return f"np.array({' '.join(text.split())})", array


def _expression(value: Any) -> str:
    if isinstance(value, np.ndarray | np.generic):
        return literal(value)[0]
    if isinstance(value, tuple | list):
        inner = ", ".join(map(_expression, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, int | float | str | slice | type(None) | type(Ellipsis)):
        return repr(value)
    raise ValueError("no expression for it")


def _candidates(alone: Any, j: int, search: Search) -> Iterator[Written]:
    """Inputs that might do, the smallest first."""
    if alone.op.elementwise and search.results[j].worst is not None:
        numbers = _numbers(alone, j, search)
        yield from ([literal(x, digits) for x in numbers] for digits in _DIGITS)
    if sum(np.size(x) for x in alone.given) <= _PRINTED:
        yield from ([literal(x, digits) for x in alone.given] for digits in _DIGITS)
    yield [_drawn(i, x) if i in alone.arguments else literal(x) for i, x in enumerate(alone.given)]


def _numbers(alone: Any, j: int, search: Search) -> list[np.ndarray]:
    """One number of each input, from a place of the output where the worst element takes part."""
    worst = search.results[j].worst
    place = worst.place if worst is not None else ()
    argument = alone.given[alone.arguments[j]]
    places = np.broadcast_to(np.arange(np.size(argument)).reshape(np.shape(argument)), alone.out.shape)
    k = int(np.flatnonzero(places == np.ravel_multi_index(place, np.shape(argument)))[0]) if place else 0
    return [x.reshape(-1)[k] for x in np.broadcast_arrays(*alone.given, alone.out)[:-1]]


def _drawn(i: int, x: np.ndarray) -> tuple[str, np.ndarray]:
    return f"np.random.default_rng({i}).normal(size={x.shape})", np.random.default_rng(i).normal(size=x.shape)


def _still_wrong(alone: Any, inputs: Written, j: int, search: Search) -> bool:
    with np.errstate(all="ignore"):
        try:
            again = alone.at_values([value for _, value in inputs]).search(search.tolerance, np.random.default_rng(0))
        except (ValueError, ArithmeticError, TypeError, IndexError):
            return False
        return bool(again.along(j, np.arange(again.results[j].analytic.size)).kind == WRONG)
