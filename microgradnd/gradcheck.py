"""The gradient check's front door: numeric against analytic, and who is to blame."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .backward import gradients
from .checking.numeric import natural_steps
from .checking.problem import Problem, Recording
from .checking.report import GradcheckError, InputResult, Report
from .checking.verdict import Tolerance, judge
from .core import Node
from .tensor import tensor


def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 1,
    rtol: float | None = None,
    atol: float | None = None,
    raises: bool = True,
    wrt: Any = None,
    seed: int = 0,
    **options: Any,
) -> Report:
    """Compare the gradients of `f` with differences, in float64, and say what is wrong and where.

    Parameters
    ----------
    f
        What to check, called as ``f(*inputs, **options)`` with tensors in place of the floating-point
        inputs. It may return numbers, arrays, tensors, or tuples, lists and dicts of them.
    *inputs
        The point to check at: arrays, tensors, floats, or nested tuples, lists and dicts of them.
        They are copied. Integers and booleans are passed on as they are.
    order
        2 checks the second derivatives too: the gradient of (x, v) -> vjp(f, x)(v).
    rtol, atol
        Allowed difference beyond ten times the estimated error of the differences: relative, by
        default 1e-9, and in units of the input's largest gradient, by default 1e-12.
    raises
        Whether a wrong gradient raises; otherwise look at the report.
    wrt
        Indices or names of the inputs to check; by default all floating-point ones.
    seed
        Of the random cotangents.

    Returns
    -------
    Report
        Truthy when right.

    Raises
    ------
    GradcheckError
        If a gradient is wrong, or nothing could be told.
    TypeError, ValueError
        If there is nothing to compare.

    Examples
    --------
    >>> import microgradnd as mg, numpy as np
    >>> bool(mg.gradcheck(np.tanh, np.array([0.5, -2.0])))
    True
    """
    start = time.perf_counter()
    if order not in (1, 2):
        raise ValueError(f"order={order!r}: 1 checks gradients, 2 second derivatives too")
    tolerance = Tolerance(*(d if t is None else t for t, d in zip((rtol, atol), Tolerance(), strict=True)))
    rng = np.random.default_rng(seed)
    problem = Problem(f, inputs, options, wrt)
    report = compare(problem, tolerance, rng)
    if order == 2 and report:
        second = compare(derivative(problem, rng), tolerance, rng)
        report.inputs += second.inputs
        report.messages += second.messages
        problem.calls += second.calls
    report.calls, report.seconds = problem.calls, time.perf_counter() - start
    if raises and not report:
        raise GradcheckError(report)
    return report


def compare(problem: Problem, tolerance: Tolerance, rng: np.random.Generator) -> Report:
    """Check each element of each input."""
    run = problem.record()
    again = problem.values(problem.point)
    if not np.array_equal(run.vector, again, equal_nan=True):
        return Report([], ["f is not deterministic: two calls with the same inputs differ"], calls=problem.calls)
    w = cotangent(run.vector.shape, rng)
    analytic = problem.pull(run, w)
    results = []
    for i, g in enumerate(analytic):
        scale = float(np.abs(g).max(initial=0.0, where=np.isfinite(g)))
        result = InputResult(
            problem.checked[i].name, g, np.full(g.shape, np.nan), np.full(g.shape, np.nan), scale=scale
        )
        steps = natural_steps(problem.point[i])
        for k in range(g.size):
            step = float(steps.flat[k])
            result.add(k, check_element(problem, run, w, i, k, step, result, tolerance), step)
        results.append(result)
    return Report(results, calls=problem.calls)


def check_element(
    problem: Problem,
    run: Recording,
    w: np.ndarray,
    i: int,
    k: int,
    step: float,
    result: InputResult,
    tolerance: Tolerance,
) -> Any:
    """Judge one element of one gradient."""

    def along(t: float) -> np.ndarray:
        point = list(problem.point)
        point[i] = point[i].copy()
        point[i].flat[k] += t * step
        return problem.values(point)

    return judge(along, run.vector, w, float(result.analytic.flat[k]) * step, result.scale * step, tolerance)


def cotangent(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Random numbers of either sign, none near zero and no two alike: ones would hide what sums to zero."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def derivative(problem: Problem, rng: np.random.Generator) -> Problem:
    """The function (x, v) -> vjp(f, x)(v), as a problem of its own."""
    run = problem.record()

    def vjp(point: list[Node], cotangents: list[Any]) -> list[Any]:
        again = problem.run(point)
        total = None
        for y, v in zip(again.outputs, cotangents, strict=True):
            if isinstance(y, Node) and y.tracked:
                part = gradients(y, point, v, create_graph=True)
                total = part if total is None else [a + b for a, b in zip(total, part, strict=True)]
        return total or []

    seeds = [
        tensor(cotangent(np.shape(y.value if isinstance(y, Node) else y), rng), name=f"cotangent {i}")
        for i, y in enumerate(run.outputs)
    ]
    point = [tensor(x, name=leaf.name) for x, leaf in zip(problem.point, problem.checked, strict=True)]
    return Problem(vjp, (point, seeds), {})
