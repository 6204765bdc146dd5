"""The steps of backpropagation as text, for terminals, doctests and screen readers."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

from ..core import Node as Recorded
from .description import Description, Node
from .dot import plain
from .steps import Contribution, Step, steps

WIDEST = 240
LONGEST = 400  # steps of one pass; of more, the first and the last are written out
ENDS = 20


def explain_text(root: Recorded, *, shapes: bool, numbers: bool) -> str:
    """The steps behind a tensor, one paragraph each."""
    description, found = steps(root)
    return "\n".join(_lines(description, found, shapes, numbers))


def _lines(d: Description, found: list[Step], shapes: bool, numbers: bool) -> Iterator[str]:
    names = {n.id: n for n in d.nodes}
    leaves = [n for n in d.nodes if n.op is None]
    yield f"Forward: from {', '.join(plain(n.name) for n in leaves) or 'nothing'} to {plain(d.title)}"
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
        yield head + _cut(f"back through {n.name} = {n.formula}")
        for c in step.contributions:
            yield pad + _cut(c.symbols) + (f"      because {_cut(c.derivative)}" if c.derivative else "")
            yield from _details(pad, c, shapes, numbers)
            if c.of > 1:
                what = "complete" if c.count == c.of else "so far"
                yield f"{pad}  contribution {c.count} of {c.of}; {what}: {_array(c)}"
    stale = [plain(n.name) for n in d.nodes if n.stale]
    if stale:
        yield ""
        yield f"Changed since it was recorded: {', '.join(stale)}. The numbers above are of its data as it is now."
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
        left_out = Counter(names[step.node].op or "" for step in steps[ENDS:-ENDS])
        kinds = ", ".join(f"{n:,} {plain(op)}" for op, n in left_out.most_common(5))
        more = "" if len(left_out) <= 5 else f" and {len(left_out) - 5} other ops"
        yield from steps[:ENDS]
        yield f"... {left_out.total():,} steps left out: {kinds}{more}; mg.explain of a tensor in between explains a part"
        yield from steps[-ENDS:]


def _details(pad: str, step: Step | Contribution, shapes: bool, numbers: bool) -> Iterator[str]:
    if shapes:
        yield f"{pad}  shapes   {_cut(step.shapes)}"
    if numbers:
        yield f"{pad}  numbers  {_cut(step.numbers)}"


def _array(c: Contribution) -> str:
    from .numbers import nested, short

    if c.total.values is not None and c.total.size <= 12:
        values: object = list(c.total.values)
        for n in reversed(c.total.shape[1:]):
            flat = list(values)  # type: ignore[call-overload]
            values = [flat[i : i + n] for i in range(0, len(flat), n)] if n else flat
        return nested(values if c.total.shape else c.total.values[0])
    if c.total.least is None:
        return f"{c.total.shape} array"
    return f"{c.total.shape} array in [{short(c.total.least)}, {short(c.total.greatest or 0.0)}]"


def _cut(text: str) -> str:
    return plain(text, WIDEST)
