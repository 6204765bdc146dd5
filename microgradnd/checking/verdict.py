"""Is this number the derivative? Right, wrong, at a kink, or not to be told from differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .numeric import Along, Rung, climb

RIGHT, WRONG, KINK, UNCLEAR = "right", "wrong", "kink", "unclear"


class Tolerance(NamedTuple):
    """How far an analytic value may be from a numeric one, beyond ten times the latter's estimated error."""

    relative: float = 1e-9
    absolute: float = 1e-12  # in units of the largest gradient of the same input

    def allows(self, a: float, n: float, scale: float, error: float = 0.0) -> bool:
        """Whether `a` and `n` agree."""
        return abs(a - n) <= self.relative * max(abs(a), abs(n)) + self.absolute * scale + 10 * error


class Verdict(NamedTuple):
    """What came of one comparison."""

    kind: str
    numeric: float
    error: float  # estimated, of `numeric`
    sides: tuple[float, float] | None = None  # one-sided slopes at a kink
    why: str = ""


def judge(
    along: Along,
    at: np.ndarray,
    w: np.ndarray,
    analytic: float,
    scale: float,
    tolerance: Tolerance,
    eps: float = 2.0**-52,
    complex_step: Callable[[], float | None] | None = None,
) -> Verdict:
    """Compare an analytic directional derivative of ``w @ outputs`` with differences.

    Parameters
    ----------
    along, at, eps
        The function on a line, as for `numeric.climb`.
    w
        Cotangent of the outputs.
    analytic
        The value to judge.
    scale
        The largest value of its kind: differences far below it can't be resolved.
    complex_step
        The same derivative by the complex-step method, asked where rounding limits the differences,
        and believed where it lies within their error.
    """
    if not np.isfinite(at).all():
        return Verdict(UNCLEAR, np.nan, np.inf, why="f is not finite here")
    rungs: list[Rung] = []
    measured: list[tuple[float, float]] = []
    for rung in climb(along, at, eps):
        rungs.append(rung)
        value, error = rung.weigh(w)
        if not np.isfinite(value):
            continue
        measured.append((value, error))
        if error <= 1e-5 * max(abs(value), scale) and tolerance.allows(analytic, value, scale):
            return Verdict(RIGHT, value, error)
        if len(measured) > 1 and _consistent(measured[-2:]) and error <= 1e-10 * max(abs(value), scale):
            break
    if complex_step is not None and measured:
        measured = _refined(measured, complex_step)
    return _decide(rungs, measured, w, analytic, scale, tolerance)


def _consistent(pair: list[tuple[float, float]]) -> bool:
    (n1, e1), (n2, e2) = pair
    return abs(n1 - n2) <= 10 * (e1 + e2)


def _refined(
    measured: list[tuple[float, float]], complex_step: Callable[[], float | None]
) -> list[tuple[float, float]]:
    value, error = min(measured, key=lambda m: m[1])
    exact = complex_step()
    if exact is None or not abs(exact - value) <= 10 * error <= 1e-2 * abs(value):
        return measured
    return [(exact, 1e-15 * abs(exact))]


def _decide(
    rungs: list[Rung],
    measured: list[tuple[float, float]],
    w: np.ndarray,
    analytic: float,
    scale: float,
    tolerance: Tolerance,
) -> Verdict:
    """The verdict of differences that don't simply confirm the analytic value."""
    if not measured:
        return _at_an_edge(rungs, w, analytic, scale, tolerance)
    best, *others = sorted(measured, key=lambda m: m[1])
    value, error = best
    if others and not _consistent([best, others[0]]):
        error = abs(
            value - others[0][0]
        )  # two steps that differ by more than they admit: neither is to be believed further
    resolved = 10 * error <= 1e-3 * max(abs(value), scale)
    right = np.isfinite(analytic) and tolerance.allows(analytic, value, scale, error)
    if resolved and right:
        return Verdict(RIGHT, value, error)
    sided = [r for r in rungs if np.isfinite(r.left).all() and np.isfinite(r.right).all()]
    pair = sorted(sided, key=lambda r: -r.step)[-2:]
    kink = _at_a_kink(pair[0], pair[1], w, analytic, scale, tolerance) if len(pair) == 2 else None
    if kink is not None:
        return kink
    if resolved:
        return Verdict(WRONG, value, error)
    jumps = len(pair) == 2 and _jumps(pair[0], pair[1])
    why = (
        "f jumps here, or its slope is unbounded" if jumps else "too much rounding noise, or too steep, for differences"
    )
    return Verdict(UNCLEAR, value, error, why=why)


def _at_a_kink(
    far: Rung, near: Rung, w: np.ndarray, analytic: float, scale: float, tolerance: Tolerance
) -> Verdict | None:
    """A jump of slope that stays as the step shrinks; what lies between the slopes is accepted."""
    jump, before = near.right - near.left, far.right - far.left
    visible = np.abs(jump) > 20 * near.noise + 1e-9 * (np.abs(near.left) + np.abs(near.right))
    with np.errstate(all="ignore"):
        ratio = before / jump
    kinked = visible & (ratio > 0.75) & (ratio < 1.5)
    if not kinked.any():
        return None
    smooth = w[~kinked] @ near.slopes[~kinked]
    sides = w[kinked] * near.left[kinked], w[kinked] * near.right[kinked]
    low, high = float(smooth + np.minimum(*sides).sum()), float(smooth + np.maximum(*sides).sum())
    error = float(np.abs(w) @ near.noise + np.abs(w[~kinked]) @ near.errors[~kinked])
    nearest = float(np.clip(analytic, low, high))
    inside = np.isfinite(analytic) and tolerance.allows(analytic, nearest, scale, error)
    return Verdict(KINK if inside else WRONG, nearest, error, (low, high))


def _jumps(far: Rung, near: Rung) -> bool:
    """Whether the two sides drift further apart as the step shrinks."""
    apart, before = np.abs(near.right - near.left), np.abs(far.right - far.left)
    return bool(np.any((apart > 100 * near.noise) & (apart > 3 * before)))


def _at_an_edge(rungs: list[Rung], w: np.ndarray, analytic: float, scale: float, tolerance: Tolerance) -> Verdict:
    """Differences from the one side on which f is defined."""
    unknown = Verdict(UNCLEAR, np.nan, np.inf, why=f"f is not differentiable here (analytic {analytic:.6g})")
    sided = [(r, side) for r in rungs for side in (r.left, r.right) if np.isfinite(side).all()]
    if len(sided) < 2:
        return unknown
    (_, a), (near, b) = sorted(sided, key=lambda pair: -pair[0].step)[-2:]
    value, error = float(w @ b), float(np.abs(w) @ (np.abs(a - b) + near.noise))
    if 10 * error > 1e-3 * max(abs(value), scale):
        return unknown
    inside = np.isfinite(analytic) and tolerance.allows(analytic, value, scale, error)
    return Verdict(KINK if inside else WRONG, value, error, (value, value), why="f is defined on one side only")
