"""Inputs for the registry test: small, in general position, away from kinks and poles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import Sample, sample

if TYPE_CHECKING:  # np.random is loaded when it is first used, and importing this package need not
    Rng = np.random.Generator
_PAIR_SHAPES = [((3,), (3,)), ((2, 3), (3,)), ((3, 1), (1, 4)), ((), (2,)), ((2, 1, 3), (4, 1)), ((0, 3), (1,))]


def within(low: float, high: float) -> Callable[[Rng], Iterator[Sample]]:
    """Samples for a one-argument op, drawn uniformly between two bounds."""

    def draw(rng: Rng) -> Iterator[Sample]:
        for shape in [(), (3,), (2, 3), (0, 2)]:
            yield sample(rng.uniform(low, high, shape))

    return draw


def pairs(
    low: float, high: float, low2: float | None = None, high2: float | None = None
) -> Callable[[Rng], Iterator[Sample]]:
    """Samples for a two-argument op, in shapes that broadcast in every direction."""

    def draw(rng: Rng) -> Iterator[Sample]:
        for left, right in _PAIR_SHAPES:
            b = rng.uniform(low if low2 is None else low2, high if high2 is None else high2, right)
            yield sample(rng.uniform(low, high, left), b)

    return draw


def apart(rng: Rng, *shape: int) -> np.ndarray:
    """Values that differ from each other and from zero by at least 0.1: no ties, no kinks."""
    n = int(np.prod(shape))
    return ((rng.permutation(n) - n / 2 + 0.3) / 3 + rng.uniform(0, 0.05, n)).reshape(shape)


def pairs_apart(rng: Rng) -> Iterator[Sample]:
    """Samples for a two-argument op that compares: no element of one comes near one of the other."""
    for left, right in _PAIR_SHAPES:
        n = int(np.prod(left))
        both = apart(rng, n + int(np.prod(right)))
        yield sample(both[:n].reshape(left), both[n:].reshape(right))


def calls(*makers: Callable[[Rng], Sample]) -> Callable[[Rng], Iterator[Sample]]:
    """Samples written out one by one."""
    return lambda rng: (make(rng) for make in makers)


def normal(*shapes: tuple[int, ...], **options: Any) -> Callable[[Rng], Sample]:
    """One sample: normal draws of these shapes, and options."""
    return lambda rng: sample(*(rng.normal(size=shape) for shape in shapes), **options)


def over_axes(**options: Any) -> Callable[[Rng], Iterator[Sample]]:
    """Samples for a reduction: every kind of axis, with and without keepdims."""

    def draw(rng: Rng) -> Iterator[Sample]:
        for shape, axis, keepdims in [
            ((3,), None, False),
            ((2, 3), 0, False),
            ((2, 3), -1, True),
            ((2, 3, 2), (0, 2), False),
            ((2, 3), None, True),
            ((), None, False),
        ]:
            yield sample(apart(rng, *shape), axis=axis, keepdims=keepdims, **options)

    return draw
