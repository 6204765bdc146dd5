"""Derivatives along a line by differences, with an honest estimate of their own error.

Central differences at h, 2h and 4h, extrapolated twice (Richardson 1911, doi 10.1098/rsta.1911.0009;
the extrapolation table is Ridders', Adv. Eng. Softw. 4, 1982, doi 10.1016/S0141-1195(82)80057-0), leave a truncation
error of order h**6. The same six values give both one-sided slopes. Steps are powers of two, so that
``x + h`` is exact and no rounding of the step enters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

Along = Callable[[float], np.ndarray]  # t -> the outputs at x + t * direction

BASE = 2.0**-10  # about eps**(1/5), which balances the truncation left, h**6, with rounding, eps / h
# Smaller ones for steep functions, kinks and edges nearby, a larger one against rounding noise.
LADDER = (1.0, 2.0**-5, 2.0**4, 2.0**-10, 2.0**-15)


class Rung(NamedTuple):
    """What six values of the function around a point say, at one step."""

    step: float
    slopes: np.ndarray  # derivative of each output
    errors: np.ndarray  # estimated error of each slope
    noise: np.ndarray  # the part of it that is rounding
    left: np.ndarray  # one-sided slopes
    right: np.ndarray

    def weigh(self, w: np.ndarray) -> tuple[float, float]:
        """The derivative of ``w @ outputs``, and its estimated error."""
        return float(w @ self.slopes), float(np.abs(w) @ self.errors)


def climb(along: Along, at: np.ndarray, eps: float) -> Iterator[Rung]:
    """One rung after the other: the base step first, then others to fall back on.

    Parameters
    ----------
    along
        The outputs at a distance from the point.
    at
        The outputs at the point itself.
    eps
        Spacing of the floating-point numbers that the function computes with.
    """
    base = BASE if eps <= np.finfo(np.float64).eps else 2.0 ** round(np.log2(eps) / 5)
    for factor in LADDER:
        yield measure(along, at, base * factor, eps)


def measure(along: Along, at: np.ndarray, h: float, eps: float) -> Rung:
    """The slopes at step `h`, by six calls."""
    ahead, behind = ([_like(along(sign * k * h), at) for k in (1, 2, 4)] for sign in (1, -1))
    with np.errstate(all="ignore"):
        coarse, middle, fine = (
            (p - m) / (2 * k * h) for p, m, k in zip(ahead[::-1], behind[::-1], (4, 2, 1), strict=True)
        )
        better, worse = (4 * fine - middle) / 3, (4 * middle - coarse) / 3
        size = np.fmax(np.fmax(np.abs(ahead[0]), np.abs(behind[0])), np.abs(at))
        moved = np.any([y != at for y in (*ahead, *behind)], axis=0)
        noise = np.where(moved, 4 * eps * size / h, 0.0)
        return Rung(
            h,
            better + (better - worse) / 15,
            np.abs(better - worse) / 4 + noise,
            noise,
            _one_sided([(at - y) / (k * h) for y, k in zip(behind, (1, 2, 4), strict=True)]),
            _one_sided([(y - at) / (k * h) for y, k in zip(ahead, (1, 2, 4), strict=True)]),
        )


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
