"""A formula as a tree, and how it is written: names, numbers, and no more brackets than needed."""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Node, Op

MOST_TEXT = 400  # characters of a formula
Template = tuple[str | int, ...]  # text, and positions of arguments between


@dataclass(frozen=True, slots=True)
class Expr:
    """A formula as a tree.

    Attributes
    ----------
    op
        Name of the op; empty for a leaf.
    args
        Its operands.
    template
        How it is written: text with the positions of operands between; a leaf's own text.
    value, options
        The array it stands for and the op's options, where known.
    """

    op: str
    args: tuple[Expr, ...]
    template: Template
    value: Any = None
    options: dict[str, Any] | None = None

    def __str__(self) -> str:
        return write(self)


def leaf(text: str, value: Any = None) -> Expr:
    """A named value, or a number written out."""
    return Expr("", (), (text,), value)


def call(op: str, *args: Expr, value: Any = None, written: str = "") -> Expr:
    """An op applied to formulas, written like its own entry or as `written`."""
    return Expr(op, args, parse(written or _WRITTEN[op]), value)


_WRITTEN = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "square": "{0}**2",
    "power": "{0}**{1}",
    "where": "where({0}, {1}, {2})",
    "matmul": "{0} @ {1}",
    "outer": "outer({0}, {1})",
}


_SUM, _DOT, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 5, 6
_BINDING = {"+": _SUM, "-": _SUM, "@": _DOT, "*": _PRODUCT, "/": _PRODUCT, "^": _POWER}
_COMPARING = "<>=!"
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def write(expr: Expr, name: Callable[[Expr], str] | None = None) -> str:
    """A formula as text, with no more brackets than it needs.

    Parameters
    ----------
    name
        What to write for a leaf, by default its name: `write(e, lambda x: str(x.value.shape))` gives shapes.
    """
    texts: dict[int, tuple[str, int]] = {}
    stack = [expr]
    while stack:
        e = stack[-1]
        todo = [a for a in e.args if id(a) not in texts]
        if todo:
            stack += todo
            continue
        stack.pop()
        if e.op:
            texts[id(e)] = _fill(e.template, [texts[id(a)] for a in e.args])
        else:
            text = name(e) if name else str(e.template[0])
            texts[id(e)] = text, _SUM if text.startswith("-") else _POWER if "/∂" in text else _ATOM
    return texts[id(expr)][0]


def _fill(template: Template, args: list[tuple[str, int]]) -> tuple[str, int]:
    needs, level = _needs(template)
    parts = []
    for piece, (least, beside) in zip(template, needs, strict=True):
        if isinstance(piece, str):
            parts.append(piece)
        elif piece < len(args):
            text, binding = args[piece]
            bare = binding >= least and not (beside == "@" and binding == _PRODUCT)
            parts.append(text if bare else f"({text})")
    text = re.sub(r"\*\*(\d+)(?![\d.])", lambda m: m[1].translate(_SUPERSCRIPT), "".join(parts))
    return (text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + "…"), level


@functools.lru_cache(maxsize=1024)
def _needs(template: Template) -> tuple[tuple[tuple[int, str], ...], int]:
    """For each piece how tightly an operand there must bind; and how tightly the whole does."""
    level, depth = _ATOM, 0
    needs = []
    for i, piece in enumerate(template):
        if isinstance(piece, int):
            before = str(template[i - 1]).rstrip()[-1:] if i else ""
            two = str(template[i - 1]).rstrip()[-2:] if i else ""
            after = str(template[i + 1]).lstrip()[:2] if i + 1 < len(template) else ""
            needs.append(_need("^" if two == "**" else before, "^" if after == "**" else after[:1], i == 1))
            continue
        needs.append((0, ""))
        text = piece.replace("**", "^")
        if depth == 0 and re.search(r"\b[^\W\d]{2,}\b(?![\[(])", text):
            level = 0  # words, such as "add x into zeros"
        for char in text:
            if char in "([{":
                depth += 1
            elif char in ")]}":
                depth -= 1
            elif depth == 0 and char in _BINDING:
                level = min(level, _BINDING[char])
            elif depth == 0 and char in _COMPARING:
                level = 0
    return tuple(needs), level


def _need(before: str, after: str, first: bool) -> tuple[int, str]:
    least, beside = 0, ""
    if (before and before in _COMPARING) or (after and after in _COMPARING):
        least = _SUM
    if before in _BINDING:  # a right operand: a - (b + c), but a - b @ c
        least = _BINDING[before] + (before in "-/@^" and not (before == "-" and first))
        beside = before
    elif before and before not in "([{,|‖:" + _COMPARING:
        least = _ATOM
    if after in _BINDING:
        least = max(least, _BINDING[after] + (after == "^"))
        beside = "@" if "@" in (beside, after) else beside or after
    elif after and after not in ")]},|‖:" + _COMPARING:
        least = _ATOM
    return least, beside


@functools.lru_cache(maxsize=1024)
def parse(formula: str) -> Template:
    """A formula's text, ``{0} + {1}``, as a template."""
    return _substitute(formula, {})


def _substitute(formula: str, options: dict[str, Any]) -> Template:
    """A formula's text as a template, its ``{option}`` filled in."""
    pieces: list[str | int] = []
    for text, field, _, _ in string.Formatter().parse(formula):
        pieces.append(text)
        if field is not None:
            pieces.append(int(field) if field.isdigit() else brief(options[field]))
    merged: list[str | int] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        elif piece != "":
            merged.append(piece)
    return tuple(merged)


def template(op: Op, count: int, options: dict[str, Any]) -> Template:
    """How `op` of `count` operands is written: its formula, or else like a call."""
    if op.formula is not None:
        try:
            return _substitute(op.formula, options)
        except (LookupError, ValueError):
            pass  # a formula with an unknown or broken placeholder is no reason not to draw
    pieces: list[str | int] = [f"{op.name}("]
    for i in range(count):
        pieces += [i, ", "]
    rest = ", ".join(f"{key}={brief(value)}" for key, value in options.items())
    last = rest if rest or not count else pieces.pop() and ""
    return (*pieces, f"{last})")


def brief(value: Any) -> str:
    """An option or number in a few characters.

    >>> brief((slice(None), slice(1, 3), 0.30000000000000004))
    ':, 1:3, 0.3'
    """
    if isinstance(value, bool | np.bool_) or value is None or value is Ellipsis:
        return "…" if value is Ellipsis else str(value)
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    if isinstance(value, slice):
        ends = ["" if v is None else brief(v) for v in (value.start, value.stop, value.step)]
        return ":".join(ends if ends[2] else ends[:2])
    if isinstance(value, tuple) and any(isinstance(v, slice) or v is Ellipsis or v is None for v in value):
        return ", ".join("None" if v is None else brief(v) for v in value)
    if isinstance(value, tuple | list) and len(value) <= 8:
        inner = ", ".join(map(brief, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
    if isinstance(value, Node | np.ndarray):
        array = value.value if isinstance(value, Node) else value
        if array.size <= 4:
            return "[" + ", ".join(map(brief, array.ravel().tolist())) + "]" if array.ndim else brief(array.item())
        if array.ndim == 1 and array.dtype.kind in "iu":
            return f"[{array[0]}, {array[1]}, …, {array[-1]}]"
        return f"array{array.shape}"
    try:
        text = value if isinstance(value, str) else getattr(value, "__name__", None) or str(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 24 else text[:23] + "…"


def number(x: Any) -> Expr:
    """A plain number or array as a leaf: written out while it is short."""
    array = np.asarray(x)
    if array.size and array.size > 1 and (array == array.flat[0]).all():
        return leaf(brief(array.flat[0].item()), array)
    return leaf(brief(x if array.ndim else array.item()), x)


def forward(op: Op, operands: Sequence[Expr], options: dict[str, Any], value: Any = None) -> Expr:
    """The formula of an op on named operands."""
    return Expr(op.name, tuple(operands), template(op, len(operands), options), value, options)
