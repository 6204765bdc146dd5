"""How one gradient check goes: the whole against differences, then each op by itself, then who is to blame."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Node, Op
from ..transforms import jvp
from . import leaks, precision
from .blame import Alone, Inquest, place
from .problem import Problem, cotangent, second_order
from .report import Report
from .reproduce import literal, op_expression
from .search import Search
from .verdict import KINK, UNCLEAR, WRONG, Tolerance

_EXHAUSTIVE = 256  # elements; four directions see as much of more of them, and cost 24 calls instead of 6 each


def try_gradients(
    f: Callable[..., Any],
    inputs: tuple[Any, ...],
    options: dict[str, Any],
    order: int,
    tolerances: tuple[float | None, float | None],
    wrt: Any,
    exhaustive: bool | None,
    kinks: str,
    seed: int,
) -> Report:
    """The report of one check; arguments as of `microgradnd.gradcheck`."""
    start = time.perf_counter()
    if order not in (1, 2):
        raise ValueError(f"order={order!r}: 1 checks gradients, 2 second derivatives too")
    if kinks not in ("accept", "error"):
        raise ValueError(f"kinks={kinks!r}: 'accept' or 'error'")
    tolerance = Tolerance(*(d if t is None else t for t, d in zip(tolerances, Tolerance(), strict=True)))
    problem = Problem(f, inputs, options, wrt)
    check = _Check(problem, tolerance, exhaustive, np.random.default_rng(seed))
    with np.errstate(all="ignore"):  # differences go where f need not be defined
        report = check.run(order)
    report.function = _title(f)
    if kinks == "error" and report.kinks:
        report.broken.append(f"{len(report.kinks)} elements are on a kink, and kinks='error'")
    report.reproduce = next((fault.reproduce for fault in report.blame if fault.reproduce), "") or _call(
        f, inputs, options, seed, order
    )
    report.calls, report.seconds = problem.calls, time.perf_counter() - start
    return report


@dataclass
class _Check:
    """One check under way."""

    problem: Problem
    tolerance: Tolerance
    exhaustive: bool | None
    rng: np.random.Generator

    def run(self, order: int) -> Report:
        report = Report()
        again = self.problem.values(self.problem.point)
        if not np.array_equal(self.problem.at, again, equal_nan=True):
            report.broken.append(
                "the function is not deterministic: two calls with the same inputs differ (dropout? random numbers without a seed?)"
            )
            return report
        changed = self.problem.overwritten()
        self.compare(self.problem, report)
        if changed and not report.blame:
            report.broken.insert(0, f"the function changes its input {changed[0]} in place: give it a copy of its own")
        if order == 2 and report:
            self.compare(second_order(self.problem, self.rng), report, order=2)
        return report

    def compare(self, problem: Problem, report: Report, order: int = 1) -> None:
        """Hold the whole against differences, then each op by itself, and find out why they disagree."""
        w = cotangent(problem.at.shape, self.rng)
        nodes = problem.recorded.nodes()
        inquest = Inquest(nodes, self.tolerance, self.rng)
        if order == 2 and not inquest.faults:
            inquest = Inquest(self.problem.recorded.nodes(), self.tolerance, self.rng)
            inquest.examine_rules()
        report.blame += inquest.faults
        report.ops += len(nodes)
        try:
            analytic = problem.pull(problem.recorded, w)
        except Exception as error:
            if not inquest.faults:
                report.broken.append(f"backward raised {type(error).__name__}: {error}")
            return
        if order == 1:
            report.broken += precision.find_narrow_trouble(problem, w, analytic, self.rng)
            if not inquest.faults:
                trouble, note = self.transpose(problem, w, analytic, inquest)
                report.broken += trouble
                report.notes += note
        names = [leaf.name if order == 1 else f"{leaf.name} (second order)" for leaf in problem.checked]
        search = Search(problem, w, analytic, names, self.tolerance, self.rng)
        size = sum(x.size for x in problem.point)
        results = search.run(size <= _EXHAUSTIVE if self.exhaustive is None else self.exhaustive)
        report.inputs += results
        report.notes += [
            f"{place} declares a surrogate gradient, and was not held against differences"
            for place in inquest.surrogates
        ]
        report.notes += [f"{place} could not be judged by itself" for place in dict.fromkeys(inquest.unclear)]
        wrong = [(x, k) for x in results for k in x.of(WRONG)]
        if wrong and not inquest.faults:
            self.explain(problem, inquest, search, wrong, report)

    def transpose(
        self, problem: Problem, w: np.ndarray, analytic: list[np.ndarray], inquest: Inquest
    ) -> tuple[list[str], list[str]]:
        """Hold forward mode against reverse: <w, J v> is <Jᵀ w, v>. What is wrong, and what is only worth a note."""
        try:
            apart = self.part_ways(problem, w, analytic)
        except Exception as error:
            return [], [f"forward mode (mg.jvp) and second derivatives don't work: {error}"]
        if apart is None:
            return [], []
        forward, reverse = apart
        if not np.isfinite(forward) and inquest.rough():
            return [], [f"forward mode (mg.jvp) gives {forward} here, where {inquest.rough()[0]} is not smooth"]
        found = self.find_split(problem)
        trouble = (
            f"forward mode disagrees with reverse{f', and does so in {found} by itself' if found else ''}: <w, J v> is {forward:.6g} by mg.jvp, and {reverse:.6g} by vjp; "
            "a rule that is not linear in its cotangent, or leaves the graph (.data, np.asarray), does that"
        )
        return [trouble], []

    def part_ways(self, problem: Problem, w: np.ndarray, analytic: list[np.ndarray]) -> tuple[float, float] | None:
        """<w, J v> by forward mode and by reverse, for random v; None if they agree."""
        v = [cotangent(x.shape, self.rng) for x in problem.point]
        _, tangents = jvp(lambda *xs: tuple(problem.run(xs).outputs), tuple(x.copy() for x in problem.point), tuple(v))
        forward = float(w @ np.concatenate([np.ravel(t.value if isinstance(t, Node) else t) for t in tangents]))
        parts = [float(np.vdot(g, u)) for g, u in zip(analytic, v, strict=True)]
        size = sum(float(np.abs(g * u).sum()) for g, u in zip(analytic, v, strict=True))
        rounding = 1e3 * problem.eps * max(float(np.abs(w) @ np.abs(problem.at)), problem.whole)
        if (
            not np.isfinite(size + rounding)
            or abs(forward - sum(parts)) <= max(1e-8, 1e3 * problem.eps) * size + rounding
        ):
            return None
        return forward, sum(parts)

    def find_split(self, problem: Problem) -> str:
        """The first recorded op whose own forward mode disagrees with its reverse."""
        for number, node in enumerate(problem.recorded.nodes(), 1):
            try:
                alone = Alone.of(node).as_problem()
                w = cotangent(alone.at.shape, self.rng)
                if self.part_ways(alone, w, alone.pull(alone.recorded, w)):
                    return place(number, node)
            except Exception:
                return place(number, node)
        return ""

    def explain(self, problem: Problem, inquest: Inquest, search: Search, wrong: list[Any], report: Report) -> None:
        """Every op is right by itself, and the whole is wrong: find the broken path."""
        nodes = problem.recorded.nodes()
        smooth = all(search.is_smooth(i) for i, x in enumerate(search.results) if x.of(WRONG))
        lost = leaks.find_overwritten(nodes) or leaks.find_leak(problem, self.rng, certain=not smooth)
        excuse = [] if lost else inquest.surrogates[:1] or inquest.rough()[:1] or ["a kink of the whole"] * (not smooth)
        kind = KINK if inquest.surrogates or inquest.kinked else UNCLEAR
        if lost:
            report.broken.append(lost)
        elif excuse:
            for x, k in wrong:
                x.verdicts[k] = x.verdicts[k]._replace(kind=kind, why=f"{excuse[0]} decides here")
        else:
            report.broken.append(
                "every recorded op is right by itself and the whole is wrong: the engine adds up wrongly, please report this"
            )


def _title(f: Callable[..., Any]) -> str:
    if isinstance(f, Op):
        return f"op `{f.name}`"
    name = getattr(f, "__name__", type(f).__name__)
    if name == "<lambda>":
        code = f.__code__
        return f"the lambda at {code.co_filename.rpartition('/')[2]}:{code.co_firstlineno}"
    return f"{name}"


def _call(f: Callable[..., Any], inputs: tuple[Any, ...], options: dict[str, Any], seed: int, order: int) -> str:
    """The call that was made, as short text."""
    name = op_expression(f) if isinstance(f, Op) else getattr(f, "__name__", "f").replace("<lambda>", "f")
    written = [_argument(x) for x in inputs] + [f"{key}={value!r}"[:40] for key, value in options.items()]
    return f"mg.gradcheck({', '.join([name, *written, *(['order=2'] if order == 2 else []), f'seed={seed}'])})"


def _argument(x: Any) -> str:
    named = getattr(x, "name", None)
    if named:
        return str(named)
    if isinstance(x, np.ndarray | float | int):
        try:
            text = literal(x)[0]
        except ValueError:
            text = ""
        return text if 0 < len(text) <= 60 else f"<array {np.shape(x)}>"
    return f"<{type(x).__name__}>"
