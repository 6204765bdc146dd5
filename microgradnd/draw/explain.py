"""The steps of backpropagation as text, for terminals, doctests and screen readers."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

from ..core import Node as Recorded
from .description import Description, Graph, Node
from .dot import doubt, plain
from .levels import MOST_OPS, levels
from .numbers import short_array
from .steps import Contribution, Step, walk_through

WIDEST = 240
LONGEST = 400  # steps of one pass; of more, the first and the last are written out
ENDS = 20
_TOO_MANY = (
    "{:,} ops, too many for one step each: boxes of them are. See inside with depth=, or explain an earlier tensor."
)


def explain_text(root: Recorded, *, shapes: bool, numbers: bool, depth: int | None) -> str:
    """The steps behind a tensor, one paragraph each."""
    graph = Graph(root)
    offered, begin = levels(graph.trace, graph.chains, graph.consumers, depth)
    walked = walk_through(graph, offered[begin].boxes)
    ops = sum(x.op is not None for x in graph.trace.nodes)
    lines = _lines(walked.description, walked.steps, shapes, numbers)
    return "\n".join([*([_TOO_MANY.format(ops)] if depth is None and ops > MOST_OPS else []), *lines])


def _lines(d: Description, found: list[Step], shapes: bool, numbers: bool) -> Iterator[str]:
    names = {n.id: n for n in d.nodes}
    leaves = [n for n in d.nodes if n.op is None and n.holds is None]
    yield f"Forward: from {', '.join(plain(n.name) for n in leaves) or 'what is inside'} to {plain(d.title)}"
    width = len(str(len(found)))
    before = "forward"
    for step in _abridged(found, names):
        if isinstance(step, str):
            yield step
            continue
        if step.phase != before:
            before = step.phase
            yield ""
            yield f"Backward: from ∂{plain(d.seed)}/∂{plain(d.title)}, which is {step.numbers}"
        head = f"{step.index + 1:>{width}}. "
        pad = " " * len(head)
        if step.phase == "forward":
            yield head + _cut(step.symbols)
            yield from _details(pad, step, shapes, numbers)
            continue
        n = names[step.node]
        yield head + _cut(f"back through {n.name}" + (f" = {n.formula}" if n.op is not None else ""))
        for c in step.contributions:
            yield pad + _cut(c.symbols) + (f"      because {_cut(c.derivative)}" if c.derivative else "")
            yield from _details(pad, c, shapes, numbers)
            if c.of > 1:
                what = "complete" if c.count == c.of else "so far"
                yield f"{pad}  contribution {c.count} of {c.of}; {what}: {short_array(c.total)}"
    stale = [plain(n.name) for n in d.nodes if n.stale]
    if stale:
        yield ""
        yield f"Changed since it was recorded: {', '.join(stale)}. The numbers above are of its data as it is now."
    for n in d.nodes:
        if n.suspects:
            yield f"{plain(n.name)} is {plain(doubt(n))}"
    if before == "forward":
        yield ""
        yield f"Backward: nothing to do, {plain(d.title)} requires no gradient"


def _abridged(found: list[Step], names: dict[str, Node]) -> Iterator[Step | str]:
    """The steps; of a long pass both ends, and between them a line that counts what is left out."""
    for _, group in itertools.groupby(found, lambda step: step.phase):
        steps = list(group)
        if len(steps) <= LONGEST:
            yield from steps
            continue
        left_out = Counter(names[step.node].op or "group" for step in steps[ENDS:-ENDS])
        kinds = ", ".join(f"{n:,} {plain(op)}" for op, n in left_out.most_common(5))
        more = "" if len(left_out) <= 5 else f" and {len(left_out) - 5} other ops"
        yield from steps[:ENDS]
        yield f"... {left_out.total():,} steps left out: {kinds}{more}; explain a tensor in between, or whole layers with depth=1"
        yield from steps[-ENDS:]


def _details(pad: str, step: Step | Contribution, shapes: bool, numbers: bool) -> Iterator[str]:
    if shapes:
        yield f"{pad}  shapes   {_cut(step.shapes)}"
    if numbers:
        yield f"{pad}  numbers  {_cut(step.numbers)}"


def _cut(text: str) -> str:
    return plain(text, WIDEST)
