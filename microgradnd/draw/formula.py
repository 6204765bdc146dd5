"""Formulas of ops with the operands' names in them; backward ones are read off the rules, never written by hand.

A rule is plain NumPy, so it can be called on tensors that have names. What it records is a little graph,
and that graph, printed, is the formula. `vjp` does this, `simplify` tidies it up ((1 - y)(1 + y) is
1 - y²), and `local` divides out the cotangent where the rule is a product with it: what is left is the
local derivative of a textbook, ∂z/∂W = xᵀ or ∂h/∂z = 1 - h².
"""

from __future__ import annotations

import functools
import inspect
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..context import mode_switch
from ..core import Node, Op, Sample, constant
from ..tensor import Tensor

MOST_OPS = 120  # a rule that records more is not printed
MOST_TEXT = 400  # characters of a formula
Template = tuple[str | int, ...]  # text, and positions of arguments between
Number = int | float | np.generic


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
    return Expr(op, args, _parse(written or _WRITTEN[op]), value)


_WRITTEN = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "square": "{0}**2",
    "power": "{0}**{1}",
    "where": "where({0}, {1}, {2})",
}


# -- writing ------------------------------------------------------------------------------------
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
def _parse(formula: str) -> Template:
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
        return f"array{array.shape}"
    try:
        text = value if isinstance(value, str) else getattr(value, "__name__", None) or str(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 24 else text[:23] + "…"


# -- reading a rule -------------------------------------------------------------------------------
class Compared(np.ndarray):
    """What comparing named tensors gives: an array that remembers how it was made."""

    made: tuple[str, tuple[Any, ...]] | None

    def __array_finalize__(self, parent: Any) -> None:
        """Views and results of other operations have no story to tell."""
        self.made = None

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Compute on plain arrays, and remember operators."""
        if any(isinstance(x, Node) for x in inputs):
            return NotImplemented  # the tensor's turn
        plain = [x.view(np.ndarray) if isinstance(x, Compared) else x for x in inputs]
        if "out" in kwargs:
            kwargs["out"] = tuple(x.view(np.ndarray) if isinstance(x, Compared) else x for x in kwargs["out"])
        result = getattr(ufunc, method)(*plain, **kwargs)
        sign = _SIGNS.get(ufunc)
        return _compared(result, sign, inputs) if method == "__call__" and sign else result

    def __getitem__(self, index: Any) -> Any:
        """The same story where only axes of length one are added: a column of `target` is `target`."""
        parts = index if isinstance(index, tuple) else (index,)
        picked = super().__getitem__(index)
        whole = all(p is None or p is Ellipsis or p == slice(None) for p in parts if not isinstance(p, np.ndarray))
        same = whole and not any(isinstance(p, np.ndarray) for p in parts)
        return _compared(np.asarray(picked), "{0}", (self,)) if same else picked

    def astype(self, *args: Any, **kwargs: Any) -> Any:
        """The same numbers in another dtype: the same story."""
        return _compared(super().astype(*args, **kwargs).view(np.ndarray), "{0}", (self,))

    def sum(self, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        """The count, remembered as such."""
        where = "" if axis is None else f", axis={brief(axis)}"
        return _compared(self.view(np.ndarray).sum(axis, *args, **kwargs), f"count({{0}}{where})", (self,))


_SIGNS: dict[Any, str] = {
    np.greater: "{0} > {1}",
    np.greater_equal: "{0} >= {1}",
    np.less: "{0} < {1}",
    np.less_equal: "{0} <= {1}",
    np.equal: "{0} == {1}",
    np.not_equal: "{0} != {1}",
    np.logical_and: "{0} and {1}",
    np.bitwise_and: "{0} and {1}",
    np.logical_or: "{0} or {1}",
    np.bitwise_or: "{0} or {1}",
    np.logical_not: "not {0}",
    np.invert: "not {0}",
    np.multiply: "{0} * {1}",
    np.add: "{0} + {1}",
    np.subtract: "{0} - {1}",
    np.true_divide: "{0} / {1}",
    np.isnan: "isnan({0})",
    np.isfinite: "isfinite({0})",
    np.isinf: "isinf({0})",
}


def _compared(array: Any, sign: str, operands: tuple[Any, ...]) -> Compared:
    result = np.asarray(array).view(Compared)
    result.made = sign, operands
    return result


class Symbol(Tensor):
    """A tensor in a rule that is being read: comparisons of it are remembered."""

    __slots__ = ()

    def __lt__(self, other: Any) -> Any:
        return self._compare(np.less, other)

    def __le__(self, other: Any) -> Any:
        return self._compare(np.less_equal, other)

    def __gt__(self, other: Any) -> Any:
        return self._compare(np.greater, other)

    def __ge__(self, other: Any) -> Any:
        return self._compare(np.greater_equal, other)

    def __eq__(self, other: Any) -> Any:
        return self._compare(np.equal, other)

    def __ne__(self, other: Any) -> Any:
        return self._compare(np.not_equal, other)

    __hash__ = object.__hash__

    def _compare(self, ufunc: np.ufunc, other: Any) -> Any:
        plain = [np.asarray(x.value if isinstance(x, Node) else x).view(np.ndarray) for x in (self, other)]
        if self is other and ufunc is np.not_equal:
            return _compared(np.isnan(plain[0]), "isnan({0})", (self,))
        return _compared(ufunc(*plain), _SIGNS[ufunc], (self, other))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        sign = _SIGNS.get(ufunc)
        if sign and method == "__call__" and not kwargs and ufunc.types[0].endswith("?"):
            plain = [np.asarray(x.value if isinstance(x, Node) else x).view(np.ndarray) for x in inputs]
            return _compared(ufunc(*plain), sign, inputs)
        return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)


class _Naming:
    """The watcher under which a rule is read: what it records is a symbol, too."""

    def recorded(self, node: Node) -> None:
        node.__class__ = Symbol

    def before_pull(self, node: Node) -> None:
        """Nothing is pulled back here."""

    def after_pull(self, node: Node, pairs: Any) -> None:
        """Nothing is pulled back here."""


def symbol(name: str, value: Any) -> Symbol:
    """A tensor that prints as `name`."""
    node: Any = constant(np.asarray(value), name)
    node.__class__ = Symbol
    node.tracked = node.value.dtype.kind == "f"
    return node  # type: ignore[no-any-return]


def forward(op: Op, operands: Sequence[Expr], options: dict[str, Any], value: Any = None) -> Expr:
    """The formula of an op on named operands."""
    return Expr(op.name, tuple(operands), template(op, len(operands), options), value, options)


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
    with mode_switch(record=True, watch=_Naming()), np.errstate(all="ignore"):
        if op.several:
            outputs = op.forward(*(e.value for e in operands), **options)
            y = tuple(_named(leaf(f"{output}[{k}]", part), known) for k, part in enumerate(outputs))
            g = tuple(_named(leaf(f"{cotangent}[{k}]", np.ones_like(part)), known) for k, part in enumerate(outputs))
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
        return Expr("compare", tuple(args), _parse(sign), value) if operands else leaf(_parse(sign)[0], value)  # type: ignore[arg-type]
    return number(x)


def number(x: Any) -> Expr:
    """A plain number or array as a leaf: written out while it is short."""
    array = np.asarray(x)
    if array.size and array.size > 1 and (array == array.flat[0]).all():
        return leaf(brief(array.flat[0].item()), array)
    return leaf(brief(x if array.ndim else array.item()), x)


# -- tidying up -----------------------------------------------------------------------------------
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
    folded = _fold(e.op, a, b)
    if folded is not None:
        return folded
    match e.op:
        case "scale" | "multiply" if b is not None:
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
        case "reshape" if _squeezed(a.value) == _squeezed(value):
            return a
    return e


def _fold(op: str, a: Expr, b: Expr | None) -> Expr | None:
    """Arithmetic on two plain numbers, done."""
    numbers = [e.value for e in (a, b) if e is not None and not e.op and isinstance(e.value, int | float)]
    if len(numbers) < 2 or op not in ("add", "subtract", "multiply", "scale"):
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


def _squeezed(array: Any) -> tuple[int, ...] | None:
    return None if array is None else tuple(n for n in np.shape(array) if n != 1)


def _minus(e: Expr) -> Expr:
    return call("negative", e)


def _squared(e: Expr) -> Expr:
    return e if _is(e, 1) else call("square", e)


def _is(e: Expr, n: int) -> bool:
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
