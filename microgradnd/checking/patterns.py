"""What kind of mistake it looks like: a factor, a sign, a transposition, a sum that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .search import Search


class Context:
    """A wrong gradient of one op's argument beside the right one, with all that the rule could have used.

    Parameters
    ----------
    alone
        The op at its recorded inputs.
    search
        The comparison of its rules.
    j
        Which of its differentiable arguments.
    """

    def __init__(self, alone: Any, search: Search, j: int) -> None:
        self.alone, self.search, self.j = alone, search, j
        result = search.results[j]
        self.known = np.array(sorted(result.verdicts), dtype=int)
        self.complete = self.known.size == result.analytic.size
        self.a = result.analytic.reshape(-1)[self.known]
        self.n = np.array([result.verdicts[k].numeric for k in self.known])
        self.wrong = np.isin(self.known, result.of("wrong"))
        self.shape = result.analytic.shape
        self.x = alone.point[j].reshape(-1)[self.known]

    def operands(self) -> Iterator[tuple[str, np.ndarray]]:
        """What has this argument's shape and could be a factor, by name."""
        candidates = [(f"argument {i}", x) for i, x in zip(self.alone.arguments, self.alone.point, strict=True)]
        for name, value in [*candidates, ("the output", self.alone.out)]:
            if value.shape == self.shape:
                yield name, value.reshape(-1)[self.known]

    def numeric_of(self, w: np.ndarray, j: int | None = None, at: tuple[int, np.ndarray] | None = None) -> np.ndarray:
        """The right gradient for another cotangent, of another argument, or `at` another value of one: by differences."""
        j = self.j if j is None else j
        point = list(self.alone.point)
        if at is not None:
            point[at[0]] = at[1]
        columns = []
        for k in range(point[j].size):
            sides = []
            for t in (1e-5, -1e-5):
                x = point[j].copy()
                x.reshape(-1)[k] += t
                sides.append(self.alone.values([*point[:j], x, *point[j + 1 :]]))
            columns.append(float(w @ (sides[0] - sides[1])) / 2e-5)
        return np.array(columns)


def find_pattern(c: Context) -> str:
    """The first pattern that fits, in words; "" if none does."""
    if not (np.isfinite(c.a).all() and np.isfinite(c.n).all() and c.known.size):
        return ""
    for look in (
        _zero,
        _factor,
        _transposed,
        _exchanged,
        _missing_sum,
        _signs,
        _region,
        _slope_factor,
        _offset,
        _row_sums,
    ):
        found = look(c)
        if found:
            return found
    return ""


def _close(a: np.ndarray, b: np.ndarray, rtol: float = 1e-6) -> bool:
    return bool(np.allclose(a, b, rtol=rtol, atol=rtol * float(np.abs(b).max(initial=0.0))))


def _zero(c: Context) -> str:
    return "the rule gives zero everywhere: nothing flows" if not c.a.any() and c.n.any() else ""


def _factor(c: Context) -> str:
    if not c.n.any():
        return ""
    ratio = float(c.a @ c.n / (c.n @ c.n))
    if not _close(c.a, ratio * c.n) or c.n.size < 2:
        return ""
    if abs(ratio + 1) < 1e-6:
        return "the sign: every element is -1 times the right one"
    sizes = {n: f"axis {axis} has length {n}" for axis, n in enumerate(c.alone.out.shape)}
    sizes |= {n: f"argument's axis {axis} has length {n}" for axis, n in enumerate(c.shape)}
    sizes |= {
        c.alone.out.size: f"the output has {c.alone.out.size} elements",
        c.a.size: f"the argument has {c.a.size} elements",
    }
    for n, what in sizes.items():
        if n > 2 and abs(ratio * n - 1) < 1e-6:
            return f"a constant factor 1/{n}, and {what}: divided once too often?"
        if n > 2 and abs(ratio / n - 1) < 1e-6:
            return f"a constant factor {n}, and {what}: a division is missing?"
    return f"a constant factor {ratio:.6g}"


def _transposed(c: Context) -> str:
    if not c.complete or len(c.shape) < 2:
        return ""
    a, n = c.a.reshape(c.shape), c.n.reshape(c.shape)
    for way, flipped in (("transposed", n.T), ("with the last two axes exchanged", np.swapaxes(n, -1, -2))):
        if _close(a.ravel(), flipped.ravel()):
            return f"a transposition: analytic is numeric {way}"
    for j, argument in enumerate(c.alone.arguments):
        x = c.alone.point[j]
        if (
            j != c.j
            and x.ndim > 1
            and x.shape == x.T.shape
            and c.a.size <= 100
            and _close(c.a, c.numeric_of(c.search.w, at=(j, x.T)))
        ):
            return f"a transposition: this is the gradient for argument {argument} transposed"
    return ""


def _exchanged(c: Context) -> str:
    if not c.complete:
        return ""
    if any(_close(c.a, np.flip(c.n.reshape(c.shape), axis).ravel()) for axis in range(len(c.shape))):
        return "analytic is numeric in reverse order along an axis"
    for j, argument in enumerate(c.alone.arguments):
        if j != c.j and c.alone.point[j].size == c.a.size <= 100 and _close(c.a, c.numeric_of(c.search.w, j)):
            return f"arguments exchanged: this is the gradient of argument {argument}"
    return ""


def _missing_sum(c: Context) -> str:
    out = c.alone.out.shape
    if not c.complete or c.a.size > 100 or c.alone.out.size == c.a.size:
        return ""
    w = c.search.w.reshape(out)
    for axis, n in enumerate(out):
        for kept in (0, n - 1) if n > 1 else ():
            only = np.zeros_like(w)
            index = (slice(None),) * axis + (kept,)
            only[index] = w[index]
            if _close(c.a, c.numeric_of(only.ravel())):
                return f"a missing sum over axis {axis} of the output, along which this argument was broadcast: only index {kept} arrives"
    return ""


def _signs(c: Context) -> str:
    if not _close(np.abs(c.a), np.abs(c.n)) or not c.wrong.any():
        return ""
    return "the sign is wrong" + (_where(c) or ", at some elements")


def _region(c: Context) -> str:
    where = _where(c)
    return f"wrong{where}, right elsewhere" if where and not c.wrong.all() else ""


def _where(c: Context) -> str:
    for text, mask in (
        (" exactly where the argument is negative", c.x < 0),
        (" exactly where it is positive", c.x > 0),
    ):
        if np.array_equal(mask, c.wrong):
            return text
    return ""


def _slope_factor(c: Context) -> str:
    if c.n.size < 2 or not c.n.all():
        return ""
    for name, v in c.operands():
        with np.errstate(all="ignore"):
            ways = {
                f"a factor too many: analytic is numeric times {name}": c.n * v,
                f"a factor is missing: analytic is numeric divided by {name}": c.n / v,
            }
        for text, guess in ways.items():
            if np.isfinite(guess).all() and _close(c.a, guess):
                return text
    return ""


def _offset(c: Context) -> str:
    difference = c.a - c.n
    if difference.size > 1 and _close(difference, np.full_like(difference, difference.mean())):
        return f"off by the same number everywhere, {difference.mean():.6g}: a term that is constant"
    return ""


def _row_sums(c: Context) -> str:
    if not c.complete or not c.shape or c.shape[-1] < 2:
        return ""
    a, n = c.a.reshape(c.shape), c.n.reshape(c.shape)
    size = np.abs(a).max()
    if np.abs(n.sum(-1)).max() < 1e-6 * size < np.abs(a.sum(-1)).max():
        return "the right rows sum to zero and these don't: is the term -y·sum(g·y) of a softmax missing?"
    return ""
