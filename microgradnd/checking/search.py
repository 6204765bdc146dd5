"""Which elements of which gradient are wrong: one by one, or by random directions and halving."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from .numeric import Along, base_step, climb, close_steps, glance, natural_steps
from .report import InputResult
from .verdict import JUMPS, KINK, RIGHT, UNCLEAR, WRONG, Case, Tolerance, Verdict, bent, judge

_DIRECTIONS = 4  # one misses an element off by 1e-4 in some tenth of all draws; four, in hardly any
_SAMPLE = 24  # elements looked at alone where a big gradient is wrong
_FOUND = 6  # wrong ones that are enough to explain
_CHECKS = 300  # directions spent on halving
_DRAWS = 5  # pairs of directions that show whether slopes add up
_TINY = 1e-20  # a complex step: its square vanishes beside any number


class Target(Protocol):
    """What can be searched: a function of arrays, at a point."""

    point: list[np.ndarray]
    at: np.ndarray
    eps: float
    whole: float

    def values(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """The outputs at other arrays, as one vector."""

    def complex_values(self, arrays: Sequence[np.ndarray]) -> np.ndarray | None:
        """The same on complex arrays, if possible."""


class Search:
    """Analytic gradients of ``w @ outputs`` held against differences.

    Parameters
    ----------
    target
        The function at its point.
    w
        Cotangent of its outputs.
    analytic
        The gradients to judge, one per array of the point.
    names
        What the arrays are called.
    """

    def __init__(
        self,
        target: Target,
        w: np.ndarray,
        analytic: Sequence[np.ndarray],
        names: Sequence[str],
        tolerance: Tolerance,
        rng: np.random.Generator,
    ) -> None:
        self.target, self.w, self.rng = target, w, rng
        self.tolerance = tolerance.for_dtype(target.eps)
        self.results = [InputResult(name, np.asarray(g)) for name, g in zip(names, analytic, strict=True)]
        self.steps = [natural_steps(x) for x in target.point]

    def run(self, exhaustive: bool) -> list[InputResult]:
        """Check every gradient, each element alone or not."""
        for i in range(len(self.results)):
            if exhaustive:
                self.one_by_one(i, range(self.results[i].analytic.size))
            else:
                self.by_directions(i)
        return self.results

    def one_by_one(self, i: int, elements: Sequence[int]) -> None:
        """Judge these elements of gradient `i`, each alone."""
        result = self.results[i]
        for k in elements:
            if k not in result.verdicts:
                result.verdicts[k] = self._judge(i, np.array([k]), np.ones(1), result.scale)

    def by_directions(self, i: int) -> None:
        """Judge gradient `i` along random directions; where one disagrees, halve until the elements are found."""
        result = self.results[i]
        everything = np.arange(result.analytic.size)
        verdicts = [self.along(i, everything) for _ in range(_DIRECTIONS if everything.size else 0)]
        if all(verdict.kind == RIGHT for verdict in verdicts):
            result.directions = len(verdicts)
            return
        self.one_by_one(i, self.rng.permutation(everything)[:_SAMPLE].tolist())
        if len(result.of(WRONG)) < _FOUND:
            self._halve(i, everything)

    def _halve(self, i: int, everything: np.ndarray) -> None:
        waiting, spent = [everything], 0
        while waiting and spent < _CHECKS and len(self.results[i].of(WRONG)) < _FOUND:
            part = waiting.pop()
            if part.size == 1:
                self.one_by_one(i, part.tolist())
            elif self.along(i, part).kind not in (RIGHT, KINK):
                waiting += np.array_split(part, 2)
            spent += 1

    def along(self, i: int, elements: np.ndarray, signs: np.ndarray | None = None) -> Verdict:
        """Judge gradient `i` along a direction that moves these elements, of about unit length in all.

        Of random magnitude as well as sign: two exchanged elements cancel in half of all sign vectors.
        """
        n = elements.size
        draw = (self.rng.integers(32, 97, n) * self.rng.choice([-1, 1], n)) / 64 if signs is None else signs
        return self._judge(i, elements, draw * 2.0 ** -round(np.log2(n) / 2))

    def _judge(self, i: int, elements: np.ndarray, draw: np.ndarray, scale: float | None = None) -> Verdict:
        """Judge gradient `i` along this direction, at the usual steps and, where these are too wide, at closer ones."""
        usual = self.steps[i].flat[elements]
        line, verdict = self._try(i, elements, draw, usual, scale)
        if verdict.kind in (RIGHT, KINK):
            return verdict
        close = close_steps(self.target.point, i).flat[elements]
        if np.array_equal(close, usual):
            return verdict
        closer, second = self._try(i, elements, draw, close, scale)
        told = second.kind != UNCLEAR or second.why == JUMPS
        return second if told and self._all_move(line, closer) else verdict

    def _try(
        self, i: int, elements: np.ndarray, draw: np.ndarray, steps: np.ndarray, scale: float | None
    ) -> tuple[_Line, Verdict]:
        moves, g = draw * steps, self.results[i].analytic.flat[elements]
        line = self._line(i, elements, moves)
        with np.errstate(all="ignore"):
            analytic = float(g @ moves)
            size = float(np.abs(g * moves).sum(where=np.isfinite(g))) if scale is None else scale * float(steps[0])
        verdict = judge(self._case(line, analytic, size))
        return line, verdict.per(float(moves[0])) if elements.size == 1 else verdict

    def _all_move(self, line: _Line, closer: _Line) -> bool:
        """Whether what moves at the usual steps does so at closer ones too, and is no constant to rounding alone."""
        h, at = base_step(self.target.eps), self.target.at
        wide, near = line(h), closer(h)
        return wide.shape == near.shape == at.shape and bool(np.all((near != at) | (wide == at)))

    def is_smooth(self, i: int) -> bool:
        """Whether the outputs have one slope each where array `i` is moved, and two movements' slopes add up.

        A median with ties has a slope along every line, and no gradient.
        """
        return all(self._is_linear(i) for _ in range(_DRAWS))

    def _is_linear(self, i: int) -> bool:
        x = self.target.point[i]
        moves = self.steps[i].ravel() * self.rng.uniform(0.5, 1.5, x.size) * self.rng.choice([-1.0, 1.0], x.size)
        some = self.rng.random(x.size) < 0.5
        both, one, other = (self._line(i, np.arange(x.size), moves * part) for part in (1.0, some, ~some))
        first, *parts = (glance(line, self.target.at, self.target.eps) for line in (both, one, other))
        far, near = itertools.islice(climb(both, self.target.at, self.target.eps, first), 2)
        with np.errstate(all="ignore"):
            rest = np.abs(first.slopes - parts[0].slopes - parts[1].slopes)
            adds_up = rest <= 1e-4 * np.abs([g.slopes for g in (first, *parts)]).max(axis=0) + 100 * first.noise
            return bool(adds_up.all()) and not (bent([far, near]) | near.leaps(far)).any()

    def _line(self, i: int, elements: Sequence[int] | np.ndarray, moves: np.ndarray) -> _Line:
        return _Line(self.target, i, elements, moves)

    def _case(self, line: _Line, analytic: float, scale: float) -> Case:
        along: Along = line
        return Case(
            along,
            self.target.at,
            self.w,
            analytic,
            scale,
            self.tolerance,
            self.target.eps,
            self.target.whole,
            lambda: line.complex_step(self.w),
        )


class _Line:
    """The outputs at ``x + t * direction``, where the direction moves some elements of one array."""

    def __init__(self, target: Target, i: int, elements: Sequence[int] | np.ndarray, moves: np.ndarray) -> None:
        self.target, self.i, self.elements, self.moves = target, i, elements, moves

    def __call__(self, t: float) -> np.ndarray:
        return self.target.values(self._moved(t, self.target.point))

    def complex_step(self, w: np.ndarray) -> float | None:
        y = self.target.complex_values(self._moved(1j * _TINY, [x.astype(complex) for x in self.target.point]))
        return None if y is None or y.shape != w.shape else float(w @ y.imag) / _TINY

    def _moved(self, t: complex, point: list[np.ndarray]) -> list[np.ndarray]:
        arrays = list(point)
        x = arrays[self.i] = arrays[self.i].copy()
        x.reshape(-1)[self.elements] += t * self.moves
        return arrays
