"""Is this number the derivative? Right, wrong, at a kink, or not to be told from differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .numeric import Along, Glance, Rung, base_step, climb, glance, measure

RIGHT, WRONG, KINK, UNCLEAR = "right", "wrong", "kink", "unclear"
JUMPS = "f jumps here, or its slope is unbounded"
FINER = "f has teeth or steps that are narrower than the differences"

_ESTIMATES = 10  # by how much an error estimate may be too small before it is held against the gradient
_RESOLVED = 1e-3  # an error above this part of the value leaves the value unknown
_EPS = 2.0**-52
_ROUNDING = 1e-14  # a slope below this part of the function's own size is rounding
_RESIDUE = 1e-11  # and differences below this part, which divide rounding by the step
_FLAT = 1e-7  # and differences that leave no more than this part open confirm it
_SIDED = 1e-2  # sides that differ by no more than this part are one slope, as far as a first look shows
_INVISIBLE = 1e-6  # nor does what differs by no more than this part of the steepest output
_UNEVEN = 1e-3  # a slope that changes by more than this part with the step is not to be relied on
_NEARBY = (2.0**-15, 2.0**-20)  # parts of the base step, too short to begin with
_PART = 1 / 8  # of its size, by which an output may change and still show one slope
_NEARER = 0.1  # a slope this much nearer to the gradient than what refutes it casts doubt on that
_FALLS_SLOWLY = (0.75, 16)  # how the two sides at a kink part from one rung to the next


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
    """Compare one analytic derivative with differences: four calls if they agree, up to thirty if not."""
    if not np.isfinite(case.at).all():
        return Verdict(UNCLEAR, np.nan, np.inf, why="f is not finite here")
    first = glance(case.along, case.at, case.eps)
    if _confirmed(first, case):
        return Verdict(RIGHT, *first.weigh(case.w))
    rungs: list[Rung] = []
    measured: list[tuple[float, float]] = []
    for rung in climb(case.along, case.at, case.eps, first):
        rungs.append(rung)
        value, error = rung.weigh(case.w)
        if not np.isfinite(value):
            continue
        measured.append((value, error))
        size = max(abs(value), case.scale)
        agrees = _agrees(value, error, case)
        if agrees and error <= 1e-5 * size and not _has_sides(rung.jump, rung.slopes, rung.noise):
            return Verdict(RIGHT, value, error)
        far_off = len(measured) > 1 and abs(case.analytic - value) > 300 * max(error, measured[-2][1])
        settled = len(measured) > 1 and _consistent(*measured[-2:]) and (agrees or far_off or error <= 1e-10 * size)
        if settled and not bent(rungs).any():
            near = None if agrees else _confirmed_nearby(rungs, case)
            if near is not None:
                return near
            break
    if not measured:
        return _at_an_edge(rungs, case)
    verdict = _decide(rungs, case)
    if verdict.kind == WRONG and _moves_within_its_size(rungs, verdict.numeric, case):
        return Verdict(UNCLEAR, verdict.numeric, verdict.error, why=FINER)
    return verdict


def _agrees(value: float, error: float, case: Case) -> bool:
    sharp = error <= 1e-7 * abs(value) + 1e-10 * case.scale  # enough to believe an agreement
    return case.tolerance.allows(case.analytic, value, case.scale, error if sharp else 0.0)


def _confirmed_nearby(rungs: Sequence[Rung], case: Case) -> Verdict | None:
    """The verdict of the shortest steps, should these confirm what wider ones far from it refute, over whole periods."""
    refuted = rungs[-1].weigh(case.w)[0]
    for factor in _NEARBY:
        rung = measure(case.along, case.at, case.eps, factor)
        value, error = rung.weigh(case.w)
        still = (rung.noise == 0) & np.any([r.noise > 0 for r in rungs], axis=0)  # moves, and drowns in rounding here
        if not still.any() and _agrees(value, error, case) and error <= 1e-5 * abs(case.analytic - refuted):
            return Verdict(RIGHT, value, error)
    return None


def _moves_within_its_size(rungs: Sequence[Rung], refuted: float, case: Case) -> bool:
    """Whether the outputs that move do so as the gradient says while they change by a small part of themselves.

    Teeth of period 1e-11 look flat at any step that is wider: outputs that small can't follow the slope for so long.
    """
    moved = np.any([r.noise > 0 for r in rungs], axis=0)
    size = float(np.abs(case.w[moved]) @ np.abs(case.at[moved]))
    step = size / abs(case.analytic) * _PART if case.analytic else 0.0
    if not 0 < step < min(r.step for r in rungs):
        return False
    value, error = measure(case.along, case.at, case.eps, step / base_step(case.eps)).weigh(case.w)
    return abs(value - case.analytic) + error <= _NEARER * abs(refuted - case.analytic)


def _confirmed(first: Glance, case: Case) -> bool:
    """Whether four values already agree with the analytic slope, to within rounding that is small beside it."""
    value, error = first.weigh(case.w)
    noise, change = float(np.abs(case.w) @ first.noise), float(np.abs(case.w) @ first.changes)
    sharp = noise <= 1e-7 * abs(value) + 1e-10 * case.scale
    return (
        case.tolerance.allows(case.analytic, value, case.scale, noise if sharp else 0.0)
        and change <= 1e-5 * max(abs(value), case.scale)
        and error < np.inf
        and not _has_sides(first.apart, first.slopes, first.noise)
    )


def _has_sides(apart: np.ndarray, slopes: np.ndarray, noise: np.ndarray) -> bool:
    """Whether the one-sided slopes of some output may differ, though central differences are right: as at |x|'(0) = 0."""
    size = np.abs(slopes)
    return bool(np.any(apart > _SIDED * size + _INVISIBLE * size.max(initial=0.0) + 20 * noise))


def bent(rungs: Sequence[Rung]) -> np.ndarray:
    """At which rungs, the widest first, each output has a kink between the values that were taken.

    Where the function is smooth the two sides meet as the cube of the step, by a factor of thousands from one rung
    to the next; at a kink they don't, until the step is shorter than the way to it.
    """
    rungs = sorted(rungs, key=lambda r: -r.step)
    jumps = np.array([np.nan_to_num(r.jump, nan=0.0, posinf=0.0) for r in rungs])
    marks = np.zeros(jumps.shape, dtype=bool)
    persists = (
        (jumps[1:] > 0) & (jumps[:-1] > _FALLS_SLOWLY[0] * jumps[1:]) & (jumps[:-1] < _FALLS_SLOWLY[1] * jumps[1:])
    )
    marks[1:] |= persists
    marks[:-1] |= persists
    return marks


def _consistent(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) <= _ESTIMATES * (one[1] + other[1])


def _best(rungs: Sequence[Rung], kinked: np.ndarray, case: Case) -> tuple[float, float, float]:
    """The derivative, from each output's own best rung, its estimated error, and how far the next best differs.

    Kinks at various distances from the point may leave no single rung at which all outputs are smooth. Where an output's
    two best differ by more than they admit, neither is to be believed further; nor beyond the rounding of larger numbers
    that it was computed from. Where the best rung is wider than what is at the point, the next best is infinitely far.
    """
    slopes = np.array([r.slopes for r in rungs])
    errors = np.array([np.where(k, np.maximum(r.errors, r.jump), r.errors) for r, k in zip(rungs, kinked, strict=True)])
    moved = np.any([r.noise > 0 for r in rungs], axis=0)  # what moves at one step may drown in rounding at another
    rounding = np.where(moved, case.eps * np.maximum(np.abs(case.at), case.whole), 0.0)
    errors += np.array([rounding / r.step for r in rungs])
    errors = np.where(np.isfinite(slopes) & np.isfinite(errors), errors, np.inf)
    rough = np.array([_is_rough(r, case) for r in rungs])
    order = np.argsort(errors, axis=0, kind="stable")
    slope, error, uneven = (np.take_along_axis(a, order[:2], axis=0) for a in (slopes, errors, rough))
    if len(rungs) == 1:
        return float(case.w @ slope[0]), float(np.abs(case.w) @ error[0]), np.inf if uneven[0].any() else 0.0
    apart = np.where(np.isfinite(error[1]), np.abs(slope[0] - slope[1]), 0.0)
    best = np.where(apart > _ESTIMATES * (error[0] + error[1]), apart, error[0])
    doubt = np.inf if uneven[0].any() else float(np.abs(case.w) @ apart)
    return float(case.w @ slope[0]), float(np.abs(case.w) @ best), doubt


def _is_rough(rung: Rung, case: Case) -> np.ndarray:
    """Which outputs are no smooth curve at this step, beyond rounding: what is there is finer than the step."""
    uneven = rung.errors - rung.noise > _UNEVEN * np.abs(rung.slopes) + 1e-9 * np.abs(case.at).max(initial=0.0)
    return np.asarray(rung.ragged | uneven)


def _refine(value: float, error: float, case: Case) -> tuple[float, float]:
    """The complex-step value where there is one within the differences' error, else these differences.

    Squire & Trapp, SIAM Review 40 (1998), doi 10.1137/S003614459631241X. It has no rounding to speak of, but is silently
    wrong for what is not analytic (abs, maximum): so it may sharpen an estimate and never replaces one.
    """
    if error <= 1e-10 * abs(value):
        return value, error
    exact = case.complex_step()
    if exact is None or not abs(exact - value) <= _ESTIMATES * error <= 1e-2 * abs(value):
        return value, error
    return exact, _EPS * abs(exact)


def _decide(rungs: list[Rung], case: Case) -> Verdict:
    """The verdict where differences don't simply confirm the analytic value."""
    rungs = sorted(rungs, key=lambda r: -r.step)
    kinked = bent(rungs)
    value, error, doubt = _best(rungs, kinked, case)
    if not kinked.any():
        value, error = _refine(value, error, case)
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
    leaps = len(sided) > 1 and bool(sided[-1].leaps(sided[-2]).any())
    kink = _at_a_kink(sided[-2:], case) if len(sided) > 1 and not leaps else None
    if kink is not None:
        return kink
    jumps = leaps or (len(sided) > 1 and _jumps(*sided[-2:]))
    sure = doubt < np.inf and not case.tolerance.allows(case.analytic, value, case.scale, max(error, doubt))
    if resolved and sure and not leaps and not (jumps and _stands_apart(sided)):
        return Verdict(WRONG, value, error)
    why = JUMPS if jumps else "too much rounding, or too steep, for differences"
    return Verdict(UNCLEAR, value, error, why=why)


def _at_a_kink(pair: Sequence[Rung], case: Case) -> Verdict | None:
    """A jump of slope that stays as the step shrinks; what lies between the slopes is accepted.

    Taken output by output: relu(x) - relu(-x) is smooth at 0, but its parts are not. A kink right at the point shows
    both its slopes. One just beside it, as near as the shortest step, hides them in the secants.
    """
    far, near = pair
    kinked = bent(pair)[-1]
    if not kinked.any() or (kinked & near.frayed).any():
        return None
    beside = kinked & (far.jump > 1.5 * near.jump)
    least, largest = near.secants()
    room = largest - least
    low = np.where(beside, least - room, np.minimum(near.left, near.right))
    high = np.where(beside, largest + room, np.maximum(near.left, near.right))
    w = case.w
    smooth = w[~kinked] @ near.slopes[~kinked]
    sides = w[kinked] * low[kinked], w[kinked] * high[kinked]
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
