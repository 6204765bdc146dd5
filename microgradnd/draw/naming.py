"""Names for what has none: the variable in the line of source that recorded it, where that is plain.

``h1 = np.tanh(z)`` names the tanh `h1`, and its operand `z`. Only the outermost op of an expression
gets the variable's name: an op is matched with a piece of source by the position that Python keeps of
every instruction (PEP 657), not by guessing from the text.
"""

from __future__ import annotations

import ast
import itertools
import linecache
from collections import defaultdict
from collections.abc import Iterable
from types import CodeType

from ..core import Node
from .trace import Operand, Trace, drawn_inputs, key, pulled_back

LONGEST = 60  # characters of a name
Span = tuple[int, int, int, int]
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class _Source:
    """What a file's syntax says: which expression is bound to which name, and the names of its operands."""

    def __init__(self, filename: str) -> None:
        self.bound: dict[Span, str] = {}
        self.operands: dict[Span, list[str | None]] = {}
        linecache.checkcache(filename)
        try:
            tree = ast.parse("".join(linecache.getlines(filename)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return  # a cell with magics, a file that changed: then there are no names to be had
        for part in ast.walk(tree):
            if isinstance(part, ast.Assign) and len(part.targets) == 1:
                self._bind(part.targets[0], part.value)
            elif isinstance(part, ast.AnnAssign | ast.NamedExpr) and part.value is not None:
                self._bind(part.target, part.value)
            elif isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
                self.bound[_span(part)] = part.target.id
                self.operands[_span(part)] = [_name(part.target), _name(part.value)]
            elif isinstance(part, ast.BinOp):
                self.operands[_span(part)] = [_name(part.left), _name(part.right)]
            elif isinstance(part, ast.UnaryOp):
                self.operands[_span(part)] = [_name(part.operand)]
            elif isinstance(part, ast.Subscript):
                self.operands[_span(part)] = [_name(part.value)]
            elif isinstance(part, ast.Call):
                self.operands[_span(part)] = self._arguments(part)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        name = _name(target)
        if name:
            self.bound[_span(value)] = name

    def _arguments(self, part: ast.Call) -> list[str | None]:
        names = [None if isinstance(a, ast.Starred) else _name(a) for a in part.args]
        f = part.func
        is_module = isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name) and f.value.id in _MODULES
        if isinstance(f, ast.Attribute) and not is_module and f.attr in _METHODS:
            return [_name(f.value), *names]
        return names


_MODULES = {"np", "numpy", "mg", "microgradnd", "nn"}
_METHODS = set("sum mean max min reshape transpose astype swapaxes squeeze ravel flatten std var prod dot clip".split())


def _span(part: ast.expr | ast.stmt) -> Span:
    return part.lineno, part.col_offset, part.end_lineno or part.lineno, part.end_col_offset or 0


def _name(part: ast.expr) -> str | None:
    if isinstance(part, ast.Name) and part.id != "_":
        return part.id
    return part.attr if isinstance(part, ast.Attribute) and not part.attr.startswith("__") else None


def name_operands(t: Trace) -> dict[int, str]:
    """A name for every operand by its `key`, no two alike: its own, else its variable's, else its op's."""
    given: dict[int, str] = {x.serial: x.name for x in t.nodes if x.name}
    _name_from_source(t, given)
    from_op: set[int] = set()
    for x in t.operands:
        if key(x) not in given:
            given[key(x)] = _plain_name(x)
            if x is not t.root:
                from_op.add(key(x))
    return _told_apart(t.operands, {k: _clipped(name) for k, name in given.items()}, from_op)


def _clipped(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _plain_name(x: Operand) -> str:
    if isinstance(x, Node) and x.op is not None:
        return x.op.name
    return "x" if isinstance(x, Node) and x.tracked else "array"


def _told_apart(operands: Iterable[Operand], given: dict[int, str], from_op: set[int]) -> dict[int, str]:
    """Several of one name get numbers, in the order of recording: W₁, W₂; and so do names that are an op's."""
    groups: dict[str, list[int]] = defaultdict(list)
    for x in operands:
        groups[given[key(x)]].append(key(x))
    taken = set(groups)
    names: dict[int, str] = {}
    for name, members in groups.items():
        numbers = itertools.count(1)
        for member in members:
            label = name
            while (len(members) > 1 or member in from_op) and label in taken:
                label = f"{name}{'.' if name[-1:].isdigit() else ''}{str(next(numbers)).translate(_SUBSCRIPT)}"
            taken.add(label)
            names[member] = label
    return names


def _name_from_source(t: Trace, given: dict[int, str]) -> None:
    sources: dict[str, _Source] = {}
    spans: dict[tuple[CodeType, int], Span | None] = {}
    sites: dict[tuple[CodeType, int], list[Node]] = defaultdict(list)
    for node in t.nodes:
        if node.op is not None and node.origin is not None and pulled_back(node) is None:
            sites[node.origin].append(node)
    for (code, offset), nodes in sites.items():
        span = spans[code, offset] = _instruction(code, offset)
        if span is None:
            continue
        source = sources.get(code.co_filename)
        if source is None:
            source = sources[code.co_filename] = _Source(code.co_filename)
        runs = _runs(nodes)
        if span in source.bound:
            for run in runs:  # a line that ran several times, in a loop: each time its last op is the value bound
                given.setdefault(run[-1].serial, source.bound[span])
        for run in runs:
            _name_inputs(run, source.operands.get(span, []), given)


def _name_inputs(run: list[Node], names: list[str | None], given: dict[int, str]) -> None:
    """Leaves that the source calls by a name, when they meet the first op of a call that was given them."""
    inputs = run[0].inputs or ()
    in_order = names and inputs and isinstance(inputs[0], Node) and given.get(inputs[0].serial) == names[0]
    if len(run) > 1 and not in_order:
        names = names[:1]  # a call of many ops: only its first argument is surely the first op's
    for i, x in drawn_inputs(run[0]):
        name = names[i] if i < len(names) else None
        is_leaf = not isinstance(x, Node) or x.op is None
        if name and is_leaf and len(inputs) >= len(names):
            given.setdefault(key(x), name)


def _runs(nodes: list[Node]) -> list[list[Node]]:
    """The ops that one place in the source recorded, cut where it ran anew: a, b, a, b is twice a, b."""
    ops = [node.op for node in nodes]
    period = next(
        (p for p in range(1, min(len(ops) // 2, 64) + 1) if len(ops) % p == 0 and ops[p:] == ops[:-p]), len(ops)
    )
    return [nodes[i : i + period] for i in range(0, len(nodes), period)]


def _instruction(code: CodeType, offset: int) -> Span | None:
    at = next(itertools.islice(code.co_positions(), offset // 2, None), None)
    if at is None or None in at:
        return None  # Python runs with -X no_debug_ranges
    line, end_line, column, end_column = at
    return line, column, end_line, end_column  # type: ignore[return-value]
