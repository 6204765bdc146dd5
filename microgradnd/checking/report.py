"""What a gradient check found: plain results, their text, and their picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .verdict import KINK, RIGHT, UNCLEAR, WRONG, Verdict

if TYPE_CHECKING:
    from .blame import Fault


class Element(NamedTuple):
    """One element of one gradient, and what differences say of it."""

    input: str
    place: tuple[int, ...]  # its index
    analytic: float
    numeric: float
    error: float  # estimated error of `numeric`
    relative: float  # difference between the two, relative to the larger; 0 where neither can be told from zero
    sides: tuple[float, float] | None = None  # the one-sided slopes, at a kink
    why: str = ""


class InputResult:
    """One input: its gradient, and the verdict on each element that was looked at alone.

    Parameters
    ----------
    name
        What messages call it.
    analytic
        The gradient by backward.
    """

    def __init__(self, name: str, analytic: np.ndarray) -> None:
        self.name, self.analytic = name, analytic
        self.verdicts: dict[int, Verdict] = {}  # by flat index
        self.directions = 0  # random directions along which all of it was found right
        finite = np.isfinite(analytic)
        self.scale = float(np.abs(analytic).max(initial=0.0, where=finite))

    def of(self, kind: str) -> list[int]:
        """The flat indices of this verdict."""
        return [k for k, verdict in self.verdicts.items() if verdict.kind == kind]

    @property
    def cleared(self) -> bool:
        """Whether every element was looked at alone, and none is wrong or on a kink."""
        return len(self.verdicts) == self.analytic.size and not (self.of(WRONG) or self.of(KINK))

    def element(self, k: int) -> Element:
        """What is known of the element at a flat index."""
        verdict, a = self.verdicts[k], float(self.analytic.flat[k])
        place = tuple(int(i) for i in np.unravel_index(k, self.analytic.shape))
        size = max(abs(a), abs(verdict.numeric), 1e-12 * self.scale)
        relative = 0.0 if not size or verdict.zero(a) else abs(a - verdict.numeric) / size
        return Element(self.name, place, a, verdict.numeric, verdict.error, relative, verdict.sides, verdict.why)

    @property
    def worst(self) -> Element | None:
        """The wrong element with the largest difference; if none is wrong, the right one with the largest relative."""
        wrong = [self.element(k) for k in self.of(WRONG)]
        if wrong:
            return max(wrong, key=lambda e: abs(e.analytic - e.numeric) if np.isfinite(e.analytic) else np.inf)
        return max((self.element(k) for k in self.of(RIGHT)), key=lambda e: e.relative, default=None)

    @property
    def max_error(self) -> float:
        """The largest relative difference; at a kink that is accepted there is none to speak of."""
        return max((self.element(k).relative for kind in (WRONG, RIGHT) for k in self.of(kind)), default=0.0)

    def errors(self) -> np.ndarray:
        """Relative differences in the input's shape, NaN where no element was looked at alone."""
        errors = np.full(self.analytic.shape, np.nan)
        for k in self.verdicts:
            errors.flat[k] = self.element(k).relative
        return errors


@dataclass
class Report:
    """The result of `gradcheck`: true if nothing is wrong, and something could be told.

    Attributes
    ----------
    inputs
        One result per input that was checked; with ``order=2`` those of the second derivative follow.
    blame
        The ops whose own rules are wrong.
    broken
        What else is wrong, in words: a path that was not recorded, a function that is not deterministic.
    notes
        What is worth knowing and not wrong: surrogate gradients, ops that differences can't judge.
    calls, seconds
        What it cost: calls of the function, and time.
    """

    function: str = "f"
    inputs: list[InputResult] = field(default_factory=list)
    blame: list[Fault] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ops: int = 0  # recorded ops that were checked by themselves
    reproduce: str = ""
    calls: int = 0
    seconds: float = 0.0

    def _elements(self, kind: str) -> list[Element]:
        return [x.element(k) for x in self.inputs for k in x.of(kind)]

    @property
    def failures(self) -> list[Element]:
        """The wrong elements."""
        return self._elements(WRONG)

    @property
    def kinks(self) -> list[Element]:
        """Elements where the function has a kink, and the gradient is one of those allowed there."""
        return self._elements(KINK)

    @property
    def inconclusive(self) -> list[Element]:
        """Elements that differences can't tell anything about."""
        return self._elements(UNCLEAR)

    @property
    def decided(self) -> bool:
        """Whether anything could be told at all."""
        told = any(x.directions or x.of(RIGHT) or x.of(KINK) or x.of(WRONG) for x in self.inputs)
        return told or not self.inconclusive

    @property
    def ok(self) -> bool:
        """Whether everything that can be told is right."""
        return self.decided and not (self.failures or self.blame or self.broken)

    @property
    def max_error(self) -> float:
        """The largest relative difference between analytic and numeric."""
        return max((x.max_error for x in self.inputs), default=0.0)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        from .text import write

        return write(self)

    def __repr__(self) -> str:
        return f"<gradcheck {self}>"

    def _repr_html_(self) -> str:
        import html  # only a notebook needs it

        colour = "#2a7d2a" if self else "#b00020"
        head, *rest = str(self).split("\n")
        body = html.escape("\n".join(rest))
        return (
            f'<div style="border-left: 4px solid {colour}; padding-left: 8px">'
            f'<b style="color: {colour}">{html.escape(head)}</b><pre style="margin: 4px 0; white-space: pre-wrap">{body}</pre></div>'
        )

    def plot(self) -> Any:
        """Draw the map of errors over each input, with matplotlib.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            Without matplotlib, which comes with ``pip install "microgradnd[train]"``.
        """
        from .picture import draw_errors

        return draw_errors(self)
