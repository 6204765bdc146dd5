"""Is this number the derivative? Right, wrong, at a kink, or not to be told from differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .numeric import Along, Rung, climb

RIGHT, WRONG, KINK, UNCLEAR = "right", "wrong", "kink", "unclear"

_ESTIMATES = 10  # by how much an error estimate may be too small before it is held against the gradient
_RESOLVED = 1e-3  # an error above this part of the value leaves the value unknown
_EPS = 2.0**-52
_ROUNDING = 1e-14  # a slope below this part of the function's own size is rounding
_RESIDUE = 1e-11  # and differences below this part, which divide rounding by the step
_FLAT = 1e-7  # and differences that leave no more than this part open confirm it


class Tolerance(NamedTuple):
    """How far an analytic value may be from a numeric one, beyond ten times the latter's estimated error."""

    relative: float = 1e-9
    absolute: float = 1e-12  # in units of the largest gradient of the same input

    def allows(self, a: float, n: float, scale: float, error: float = 0.0) -> bool:
        """Whether `a` and `n` agree; a NaN or infinity never does."""
        return bool(
            abs(a - n) <= self.relative * max(abs(a), abs(n)) + self.absolute * scale + _ESTIMATES * error < np.inf
        )

    def for_dtype(self, eps: float) -> Tolerance:
        """At least as wide as a function deserves that computes in a dtype of this spacing."""
        return Tolerance(max(self.relative, 1e3 * eps), max(self.absolute, eps)) if eps > 2.0**-52 else self


class Verdict(NamedTuple):
    """What came of one comparison."""

    kind: str
    numeric: float
    error: float  # estimated, of `numeric`
    sides: tuple[float, float] | None = None  # the least and largest slope at a kink
    why: str = ""

    def zero(self, analytic: float) -> bool:
        """Whether neither value can be told from zero, so that their ratio is a ratio of rounding errors."""
        return self.kind == RIGHT and max(abs(analytic), abs(self.numeric)) <= _ESTIMATES * self.error

    def per(self, step: float) -> Verdict:
        """The same for a direction of unit length instead of `step`."""
        sides = self.sides and (self.sides[0] / step, self.sides[1] / step)
        return self._replace(numeric=self.numeric / step, error=self.error / step, sides=sides)


class Case(NamedTuple):
    """One analytic directional derivative, and what differences need to judge it."""

    along: Along  # the outputs on a line through the point
    at: np.ndarray  # the outputs at the point
    w: np.ndarray  # cotangent of the outputs: the derivative is of w @ outputs
    analytic: float
    scale: float  # the largest value of its kind: differences far below it can't be resolved
    tolerance: Tolerance
    eps: float = 2.0**-52  # spacing of the floating-point numbers that the function computes with
    whole: float = 0.0  # the largest number on the way to the outputs, which may cancel to what is judged
    complex_step: Callable[[], float | None] = lambda: None  # the same by a complex step, where f allows it


def judge(case: Case) -> Verdict:
    """Compare one analytic derivative with differences: six calls if they agree, up to thirty if not."""
    if not np.isfinite(case.at).all():
        return Verdict(UNCLEAR, np.nan, np.inf, why="f is not finite here")
    rungs: list[Rung] = []
    measured: list[tuple[float, float]] = []
    for rung in climb(case.along, case.at, case.eps):
        rungs.append(rung)
        value, error = rung.weigh(case.w)
        if not np.isfinite(value):
            continue
        measured.append((value, error))
        size = max(abs(value), case.scale)
        sharp = error <= 1e-7 * abs(value) + 1e-10 * case.scale  # enough to believe an agreement
        if case.tolerance.allows(case.analytic, value, case.scale, error if sharp else 0.0) and error <= 1e-5 * size:
            return Verdict(RIGHT, value, error)
        far_off = len(measured) > 1 and abs(case.analytic - value) > 300 * max(error, measured[-2][1])
        if len(measured) > 1 and _consistent(*measured[-2:]) and (far_off or error <= 1e-10 * size):
            break
    if not measured:
        return _at_an_edge(rungs, case)
    return _decide(rungs, _refine(measured, case), case)


def _consistent(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) <= _ESTIMATES * (one[1] + other[1])


def _refine(measured: list[tuple[float, float]], case: Case) -> list[tuple[float, float]]:
    """The complex-step value where there is one within the differences' error, else these differences.

    Squire & Trapp, SIAM Review 40 (1998), doi 10.1137/S003614459631241X. It has no rounding to speak of, but is silently
    wrong for what is not analytic (abs, maximum): so it may sharpen an estimate and never replaces one.
    """
    value, error = min(measured, key=lambda m: m[1])
    if error <= 1e-10 * abs(value):
        return measured
    exact = case.complex_step()
    if exact is None or not abs(exact - value) <= _ESTIMATES * error <= 1e-2 * max(abs(value), case.scale):
        return measured
    return [(exact, _EPS * abs(exact))]


def _decide(rungs: list[Rung], measured: list[tuple[float, float]], case: Case) -> Verdict:
    """The verdict where differences don't simply confirm the analytic value."""
    best, *others = sorted(measured, key=lambda m: m[1])
    value, error = best
    if others and not _consistent(best, others[0]):
        error = abs(value - others[0][0])  # they differ by more than they admit: neither is to be believed further
    size = float(np.abs(case.w) @ np.abs(case.at))
    error = max(error, _EPS * size)  # a rule rounds as well
    fits = case.tolerance.allows(case.analytic, value, case.scale, error)
    resolved = _ESTIMATES * error <= _RESOLVED * max(abs(value), case.scale)
    nothing = abs(case.analytic) <= _ROUNDING * size and error <= _FLAT * size
    if fits and (resolved or nothing):
        return Verdict(RIGHT, value, error)
    if abs(case.analytic) <= _ROUNDING * case.whole and abs(value) + error <= _RESIDUE * case.whole:
        return Verdict(RIGHT, value, error)  # zero: this is what larger numbers leave when they cancel
    sided = [r for r in rungs if np.isfinite(r.left).all() and np.isfinite(r.right).all()]
    pair = sorted(sided, key=lambda r: -r.step)[-2:]
    kink = _at_a_kink(pair[0], pair[1], case) if len(pair) == 2 else None
    if kink is not None:
        return kink
    jumps = len(pair) == 2 and _jumps(pair[0], pair[1])
    if resolved and not (jumps and _stands_apart(sided)):
        return Verdict(WRONG, value, error)
    why = "f jumps here, or its slope is unbounded" if jumps else "too much rounding, or too steep, for differences"
    return Verdict(UNCLEAR, value, error, why=why)


def _at_a_kink(far: Rung, near: Rung, case: Case) -> Verdict | None:
    """A jump of slope that stays as the step shrinks; what lies between the slopes is accepted.

    Taken output by output: relu(x) - relu(-x) is smooth at 0, but its parts are not.
    """
    jump, before = near.right - near.left, far.right - far.left
    visible = np.abs(jump) > 20 * near.noise + 1e-9 * (np.abs(near.left) + np.abs(near.right))
    with np.errstate(all="ignore"):
        ratio = before / jump
    kinked = visible & (ratio > 0.75) & (ratio < 1.5)
    if not kinked.any():
        return None
    w = case.w
    smooth = w[~kinked] @ near.slopes[~kinked]
    sides = w[kinked] * near.left[kinked], w[kinked] * near.right[kinked]
    low, high = float(smooth + np.minimum(*sides).sum()), float(smooth + np.maximum(*sides).sum())
    error = float(np.abs(w) @ near.noise + np.abs(w[~kinked]) @ near.errors[~kinked])
    nearest = float(np.clip(case.analytic, low, high))
    inside = case.tolerance.allows(case.analytic, nearest, case.scale, error)
    return Verdict(KINK if inside else WRONG, nearest, error, (low, high))


def _jumps(far: Rung, near: Rung) -> bool:
    """Whether the two sides drift further apart as the step shrinks."""
    apart, before = np.abs(near.right - near.left), np.abs(far.right - far.left)
    return bool(np.any((apart > 100 * near.noise) & (apart > 3 * before)))


def _stands_apart(rungs: list[Rung]) -> bool:
    """Whether the point lies off the smooth curve that its neighbours make, as on a pole narrower than any step."""
    widest = max(rungs, key=lambda r: r.step)
    apart = np.abs(widest.right - widest.left)
    return bool(np.any((apart > 100 * widest.noise) & (apart > 0.1 * np.abs(widest.slopes))))


def _at_an_edge(rungs: list[Rung], case: Case) -> Verdict:
    """Differences from the one side on which f is defined."""
    unknown = Verdict(UNCLEAR, np.nan, np.inf, why=f"f is not differentiable here (analytic {case.analytic:.6g})")
    sided = [(r, side) for r in rungs for side in (r.left, r.right) if np.isfinite(side).all()]
    if len(sided) < 2:
        return unknown
    (_, a), (near, b) = sorted(sided, key=lambda pair: -pair[0].step)[-2:]
    value, error = float(case.w @ b), float(np.abs(case.w) @ (np.abs(a - b) + near.noise))
    if _ESTIMATES * error > _RESOLVED * max(abs(value), case.scale):
        return unknown
    inside = case.tolerance.allows(case.analytic, value, case.scale, error)
    return Verdict(KINK if inside else WRONG, value, error, (value, value), "f is defined on one side only")
