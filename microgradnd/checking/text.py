"""A report in words, in the order a person needs them: who, where, how much, what kind, how to see it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .blame import Fault
from .report import Element, Report
from .verdict import WRONG

_FAULTS = 2  # shown in full; the others are named


def write(report: Report) -> str:
    """At most fifteen lines; the first says it all."""
    if report.ok:
        return "\n".join([_praise(report), *(f"  also: {note}" for note in _notes(report))])
    lines = [_headline(report)]
    lines += (f"  {text}" for text in report.broken[:3] if text not in lines[0])
    for fault in report.blame[:_FAULTS]:
        lines += _guilty(fault)
    if len(report.blame) > _FAULTS:
        more = ", ".join(f"#{f.number} `{f.op}` (argument {f.argument})" for f in report.blame[_FAULTS:][:6])
        lines.append(f"  also guilty: {more}")
    lines += _worst(report)
    if report.blame and report.ops > sum(f.times for f in report.blame):
        lines.append(f"  all other ops, of {report.ops} recorded, are right by themselves")
    lines += [f"  also: {note}" for note in _notes(report)][: 14 - len(lines)]
    lines.append(f"  reproduce: {report.reproduce}     ({report.calls} calls of f, {report.seconds:.2f} s)")
    return "\n".join(lines)


def _praise(report: Report) -> str:
    n = sum(len(x.verdicts) for x in report.inputs)
    directions = sum(x.directions for x in report.inputs)
    checked = [f"{n} element{'s' * (n != 1)}"] * bool(n) + [f"{directions} random directions"] * bool(directions)
    what = f"{' and '.join(checked) or 'no element'} of {_names(x.name for x in report.inputs)}"
    worst = f", largest relative error {report.max_error:.1g}" if n else ""
    return (
        f"the gradient of {report.function} is right: {what}{worst}; "
        f"{report.ops} ops by themselves; {report.calls} calls, {report.seconds:.2f} s"
    )


def _headline(report: Report) -> str:
    if report.blame:
        ops = list(dict.fromkeys(f"`{fault.op}`" for fault in report.blame))
        second = "second derivative" if all(f.order == 2 for f in report.blame) else "gradient"
        subject = (
            f"the {second} of op {ops[0]} is wrong"
            if len(ops) == 1
            else f"the {second}s of ops {_names(ops)} are wrong"
        )
        return f"{subject} ({_extent(report)})"
    if report.broken:
        return report.broken[0]
    if report.failures:
        return f"the gradient of {report.function} is wrong ({_extent(report)})"
    why = next((e.why for e in report.inconclusive if e.why), "")
    e, n = report.inconclusive[0], len(report.inconclusive)
    return (
        f"nothing can be told about the gradient of {report.function}: {why}; "
        f"{n} element{'s' * (n != 1)} looked at, the first {_at(e)} (analytic {e.analytic:.6g})"
    )


def _extent(report: Report) -> str:
    wrong = [x for x in report.inputs if x.of(WRONG)]
    if not wrong and all(fault.message for fault in report.blame):
        return "what is wrong with it is no matter of numbers"
    if not wrong:
        return f"the whole of {report.function} agrees here: what comes after damps the error, or hides it"
    n, checked = sum(len(x.of(WRONG)) for x in wrong), sum(len(x.verdicts) for x in wrong)
    return f"{n} of {checked} checked elements of {_names(x.name for x in wrong)} disagree"


def _worst(report: Report) -> Iterator[str]:
    wrong = [x for x in report.inputs if x.of(WRONG)]
    for x in sorted(wrong, key=lambda x: -x.max_error)[:1]:
        e = x.worst
        if e is not None:
            yield f"  worst: {x.name} {x.analytic.shape} {_at(e)}     {_numbers(e)}"


def _guilty(fault: Fault) -> Iterator[str]:
    site = f", recorded at {fault.site[:90]}" if fault.site else ""
    times = f" (and {fault.times - 1} more of its kind)" if fault.times > 1 else ""
    which = "its rule" if fault.argument < 0 else f"its vjp for argument {fault.argument} of shape {fault.shape}"
    if fault.order == 2:
        which = f"what its rules record, differentiated by input {fault.argument} of (arguments, cotangent)"
    yield f"  guilty: op #{fault.number} `{fault.op}`{times}, {which}{site}"
    if fault.message:
        yield f"          {fault.message}"
    worst = fault.result.worst if fault.result else None
    if worst is not None:
        yield f"          that op alone, at its recorded inputs, {_at(worst)}: {_numbers(worst)}"
    if fault.pattern:
        yield f"  pattern: {fault.pattern}"


def _at(e: Element) -> str:
    return f"at {list(e.place)}" if e.place else "(a number)"


def _numbers(e: Element) -> str:
    if e.sides is not None:
        return f"analytic {e.analytic:.6g}, outside the one-sided slopes {e.sides[0]:.6g} and {e.sides[1]:.6g}"
    percent = 100 * abs(e.analytic - e.numeric) / abs(e.numeric) if e.numeric else 0.0
    off = f"off by {percent:.0f} %" if percent >= 10 else f"off by {percent:.2g} %" if percent else "should be 0"
    return f"analytic {e.analytic:.6g}   numeric {e.numeric:.6g} ± {e.error:.0e}   {off}"


def _notes(report: Report) -> list[str]:
    notes = list(report.notes[:3])
    for elements, what in ((report.kinks, "accepted on a kink"), (report.inconclusive, "not to be told")):
        if elements:
            e = elements[0]
            how = f"one-sided {e.sides[0]:.6g} and {e.sides[1]:.6g}" if e.sides else e.why
            plural = f"{len(elements)} elements are" if len(elements) > 1 else "1 element is"
            notes.append(f"{plural} {what} ({e.input} {_at(e)}: {how}, analytic {e.analytic:.6g})")
    return notes


def _names(names: Iterable[str]) -> str:
    unique = list(dict.fromkeys(names))
    shown = unique[:4] + ([f"{len(unique) - 4} more"] if len(unique) > 4 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "nothing"
