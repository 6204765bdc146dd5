"""What a gradient check found: plain results, their text, and their picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .verdict import KINK, RIGHT, UNCLEAR, WRONG, Verdict


@dataclass
class InputResult:
    """One input: gradients and verdicts by element, NaN and "" where none was taken alone."""

    name: str
    analytic: np.ndarray
    numeric: np.ndarray
    error: np.ndarray
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    scale: float = 0.0

    def add(self, k: int, verdict: Verdict, step: float) -> None:
        """Note the verdict on element `k`, taken along a direction of length `step`."""
        self.numeric.flat[k], self.error.flat[k] = verdict.numeric / step, verdict.error / step
        self.verdicts[k] = verdict

    def of(self, kind: str) -> list[int]:
        """The flat indices of this verdict."""
        return [k for k, verdict in self.verdicts.items() if verdict.kind == kind]

    def relative(self, k: int) -> float:
        """The relative difference at element `k`."""
        a, n = self.analytic.flat[k], self.numeric.flat[k]
        size = max(abs(a), abs(n), 1e-12 * self.scale)
        return float(abs(a - n) / size) if size else 0.0

    @property
    def worst(self) -> tuple[int, ...] | None:
        """The index of the largest relative difference; the wrong ones come first."""
        among = self.of(WRONG) or self.of(RIGHT)
        if not among:
            return None
        return tuple(int(i) for i in np.unravel_index(max(among, key=self.relative), self.analytic.shape))

    @property
    def max_error(self) -> float:
        """The relative difference there."""
        among = self.of(WRONG) or self.of(RIGHT)
        return max(map(self.relative, among), default=0.0)


@dataclass
class Report:
    """The result of `gradcheck`; true if nothing is wrong."""

    inputs: list[InputResult]
    messages: list[str] = field(default_factory=list)
    calls: int = 0
    seconds: float = 0.0

    @property
    def failures(self) -> list[tuple[InputResult, int]]:
        """The wrong elements, as input and flat index."""
        return [(x, k) for x in self.inputs for k in x.of(WRONG)]

    @property
    def kinks(self) -> list[tuple[InputResult, int]]:
        """The elements at which the function has a kink, and the gradient is one of those allowed there."""
        return [(x, k) for x in self.inputs for k in x.of(KINK)]

    @property
    def inconclusive(self) -> list[tuple[InputResult, int]]:
        """The elements that differences can't tell anything about."""
        return [(x, k) for x in self.inputs for k in x.of(UNCLEAR)]

    @property
    def decided(self) -> bool:
        """Whether anything could be told at all."""
        return not self.inconclusive or any(x.of(RIGHT) or x.of(KINK) for x in self.inputs)

    @property
    def ok(self) -> bool:
        """Whether everything that can be told is right."""
        return not self.failures and not self.messages and self.decided

    @property
    def max_error(self) -> float:
        """The largest relative difference."""
        return max((x.max_error for x in self.inputs), default=0.0)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = list(self.messages)
        for x in self.inputs:
            for k in x.of(WRONG)[:3]:
                index = list(np.unravel_index(k, x.analytic.shape))
                lines.append(
                    f"{x.name} at {list(map(int, index))}: analytic {x.analytic.flat[k]:.6g}, "
                    f"numeric {x.numeric.flat[k]:.6g} ± {x.error.flat[k]:.1g}"
                )
        lines += [f"{x.name}: {x.verdicts[k].why}" for x, k in self.inconclusive[:3]]
        return "\n".join(lines) or f"right: max_error {self.max_error:.1g}, {self.calls} calls of f"

    def __repr__(self) -> str:
        return f"<gradcheck: {self}>"


class GradcheckError(AssertionError):
    """A gradient is wrong, or nothing could be told about it; `report` holds the details."""

    def __init__(self, report: Any) -> None:
        super().__init__(str(report))
        self.report = report
