"""Derivatives along a line by differences, with an honest estimate of their own error.

Central differences at h, 2h and 4h, extrapolated twice (Richardson 1911, doi 10.1098/rsta.1911.0009;
the extrapolation table is Ridders', Adv. Eng. Softw. 4, 1982, doi 10.1016/S0141-1195(82)80057-0), leave a truncation
error of order h**6. The same six values give both one-sided slopes. Steps are powers of two, so that
``x + h`` is exact and no rounding of the step enters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

Along = Callable[[float], np.ndarray]  # t -> the outputs at x + t * direction

BASE = 2.0**-10  # about eps**(1/5), which balances the truncation left, h**6, with rounding, eps / h
# Smaller ones for steep functions, kinks and edges nearby, a larger one against rounding noise.
LADDER = (1.0, 2.0**-5, 2.0**4, 2.0**-10, 2.0**-15)
_STEPS = (1, 2, 4)


class Rung:
    """What six values of the function around a point say, at one step.

    Parameters
    ----------
    h
        The step.
    behind, at, ahead
        The outputs at 1, 2 and 4 steps before the point, at it, and after it.
    eps
        Spacing of the floating-point numbers that the function computes with.

    Attributes
    ----------
    slopes, errors, noise
        The derivative of each output, its estimated error, and the part of that which is rounding.
    """

    def __init__(
        self, h: float, behind: Sequence[np.ndarray], at: np.ndarray, ahead: Sequence[np.ndarray], eps: float
    ) -> None:
        self.step, self.behind, self.at, self.ahead = h, behind, at, ahead
        fine, middle, coarse = ((p - m) / (2 * k * h) for p, m, k in zip(ahead, behind, _STEPS, strict=True))
        better, worse = (4 * fine - middle) / 3, (4 * middle - coarse) / 3
        size = np.fmax(np.fmax(np.abs(ahead[-1]), np.abs(behind[-1])), np.abs(at))
        moved = np.any([y != at for y in (*ahead, *behind)], axis=0)
        self.noise = np.where(moved, 4 * eps * size / h, 0.0)
        self.slopes = better + (better - worse) / 15
        self.errors = np.abs(better - worse) / 4 + self.noise

    @cached_property
    def left(self) -> np.ndarray:
        """The slope of each output just before the point."""
        return _one_sided([(self.at - y) / (k * self.step) for y, k in zip(self.behind, _STEPS, strict=True)])

    @cached_property
    def right(self) -> np.ndarray:
        """The slope of each output just after the point."""
        return _one_sided([(y - self.at) / (k * self.step) for y, k in zip(self.ahead, _STEPS, strict=True)])

    @cached_property
    def jump(self) -> np.ndarray:
        """By how much the two sides disagree; 0 where that is no more than rounding."""
        apart = np.abs(self.right - self.left)
        return np.where(apart > 20 * self.noise + 1e-9 * (np.abs(self.left) + np.abs(self.right)), apart, 0.0)

    @property
    def ragged(self) -> np.ndarray:
        """Which outputs have the point off the curve of its neighbours: what is there is narrower than the step."""
        reach = np.max([np.abs(y - self.at) for y in (*self.ahead, *self.behind)], axis=0) / self.step
        return np.asarray(self.jump > 0.3 * reach)

    def leaps(self, farther: Rung) -> np.ndarray:
        """Which outputs move as far as at a `farther` step, or in whole numbers: they are not continuous, or noise."""
        near, far = (
            np.max([np.abs(y - r.at) for y in (*r.ahead[:n], *r.behind[:n])], axis=0)
            for r, n in ((self, 1), (farther, 3))
        )
        whole = [y == np.rint(y) for y in (self.at, *self.ahead, *self.behind)]
        stairs = np.asarray(np.all(whole, axis=0) & (near > 0))
        return np.asarray(stairs | (near > far / 4) & (near > 25 * self.noise * self.step))

    @property
    def frayed(self) -> np.ndarray:
        """Which outputs have no one slope on either side, where a single kink would leave one on one side at least."""
        slopes = self._secants()
        sides = [np.abs(slopes[0] - slopes[1]), np.abs(slopes[-1] - slopes[-2])]
        return np.asarray(np.min(sides, axis=0) > 0.1 * self.jump)

    def secants(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest slope from one value to the next: a kink within hides in one of them only."""
        slopes = self._secants()
        return np.min(slopes, axis=0), np.max(slopes, axis=0)

    def _secants(self) -> list[np.ndarray]:
        values = [*self.behind[::-1], self.at, *self.ahead]
        gaps = np.diff([-k for k in _STEPS[::-1]] + [0, *_STEPS]) * self.step
        return [(b - a) / gap for a, b, gap in zip(values, values[1:], gaps, strict=False)]

    def weigh(self, w: np.ndarray) -> tuple[float, float]:
        """The derivative of ``w @ outputs``, and its estimated error."""
        return float(w @ self.slopes), float(np.abs(w) @ self.errors)


class Glance(NamedTuple):
    """What four values of the function around a point say: enough to confirm a slope, where it is smooth."""

    slopes: np.ndarray
    noise: np.ndarray  # rounding, of each slope
    changes: np.ndarray  # by how much each slope changes with the step
    apart: np.ndarray  # by how much the two sides disagree
    ahead: list[np.ndarray]
    behind: list[np.ndarray]
    step: float

    def weigh(self, w: np.ndarray) -> tuple[float, float]:
        """The derivative of ``w @ outputs``, and its error if the next term of the series is no larger than this one."""
        return float(w @ self.slopes), float(np.abs(w) @ (self.noise + (2 * self.step) ** 2 * self.changes))


def base_step(eps: float) -> float:
    """The step to begin with, for a function that computes in numbers of this spacing."""
    return BASE if eps <= np.finfo(np.float64).eps else float(2.0 ** round(np.log2(eps) / 5))


def glance(along: Along, at: np.ndarray, eps: float) -> Glance:
    """The slopes at the base step, by four calls."""
    h = base_step(eps)
    ahead, behind = _values(along, at, h, _STEPS[:2])
    with np.errstate(all="ignore"):
        (p, pp), (m, mm) = ahead, behind
        fine, middle = (p - m) / (2 * h), (pp - mm) / (4 * h)
        size = np.fmax(np.fmax(np.abs(pp), np.abs(mm)), np.abs(at))
        noise = np.where((fine != 0) | (middle != 0), 4 * eps * size / h, 0.0)
        apart = np.abs(2 * (p + m - 2 * at) / h - (pp + mm - 2 * at) / (2 * h))
        return Glance((4 * fine - middle) / 3, noise, np.abs(fine - middle) / 3, apart, ahead, behind, h)


def climb(along: Along, at: np.ndarray, eps: float, begun: Glance) -> Iterator[Rung]:
    """One rung after the other: the base step first, then others to fall back on.

    Parameters
    ----------
    along
        The outputs at a distance from the point.
    at
        The outputs at the point itself.
    eps
        Spacing of the floating-point numbers that the function computes with.
    begun
        What is known already at the base step.
    """
    for factor in LADDER:
        yield measure(along, at, eps, factor, begun if factor == 1 else None)


def measure(along: Along, at: np.ndarray, eps: float, factor: float, begun: Glance | None = None) -> Rung:
    """The rung at this part of the base step, by six calls, or those of them that are not `begun`."""
    h = base_step(eps) * factor
    known = (begun.ahead, begun.behind) if begun is not None else ([], [])
    rest = _values(along, at, h, _STEPS[len(known[0]) :])
    with np.errstate(all="ignore"):
        return Rung(h, known[1] + rest[1], at, known[0] + rest[0], eps)


def _values(
    along: Along, at: np.ndarray, h: float, multiples: Sequence[int]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The outputs at these multiples of the step ahead of the point, and behind it."""
    ahead, behind = ([_like(along(sign * k * h), at) for k in multiples] for sign in (1, -1))
    return ahead, behind


def _one_sided(slopes: list[np.ndarray]) -> np.ndarray:
    near, middle, far = slopes
    return np.asarray((4 * (2 * near - middle) - (2 * middle - far)) / 3)


def _like(y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """NaN where the function failed or changed its number of outputs: no difference can be taken."""
    return y if y.shape == at.shape else np.full(at.shape, np.nan)


def natural_steps(x: np.ndarray) -> np.ndarray:
    """For each element, the power of two on whose scale functions of it tend to change.

    Its own size, within [0.01, 1]; 1 for an exact zero, which has no size; and for huge values enough
    to move them at all.
    """
    size = np.abs(x)
    scale = np.where(size == 0, 1.0, np.clip(size, 1e-2, np.maximum(1.0, size * 2.0**-30)))
    return np.asarray(2.0 ** np.round(np.log2(np.where(np.isfinite(scale), scale, 1.0))))


def close_steps(point: Sequence[np.ndarray], i: int) -> np.ndarray:
    """For each element of array `i`, a step of its own size however small, for slopes as steep as a root's near zero.

    An exact zero takes the size of the smallest number beside it.
    """
    x = np.abs(point[i])
    least = min(float(np.abs(y).min(where=y != 0, initial=1.0)) for y in point)
    sizes = np.minimum(np.where(x == 0, least, x), natural_steps(point[i]))
    return np.asarray(2.0 ** np.floor(np.log2(np.where(np.isfinite(sizes), sizes, 1.0))))
