"""Schedules: how the step length changes as training goes on.

A schedule sets ``group["lr"]`` of every group of an optimiser, as a share of the lr the group started with.
Call its `step` once per epoch, or per batch: what is counted is up to the caller.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

from .arguments import as_number, as_size
from .optim import Optimizer

__all__ = ["Cosine", "Exponential", "OneCycle", "ReduceOnPlateau", "Schedule", "StepDecay", "WarmUp"]


class Schedule:
    """What schedules share: the lr of each group at the start, and how many steps there were.

    Parameters
    ----------
    optimizer
        Whose step length is set; the current one counts as 1.

    Raises
    ------
    NotImplementedError
        If a subclass doesn't define `factor`.
    TypeError, ValueError
        If `factor` gives no number from 0 on.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> class Harmonic(nn.Schedule):
    ...     def factor(self, t):
    ...         return 1 / (1 + t)
    >>> optimizer = nn.SGD([mg.tensor(1.0, requires_grad=True)], lr=0.6)
    >>> schedule = Harmonic(optimizer)
    >>> schedule.step()
    >>> optimizer.param_groups[0]["lr"]
    0.3
    """

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__} sets the lr of an optimiser, not of {optimizer!r}")
        self.optimizer = optimizer
        self.base = [float(group["lr"]) for group in optimizer.param_groups]
        self.count = 0
        self._apply()

    def factor(self, t: int) -> float:
        """Share of the initial lr after `t` steps: a subclass says which."""
        raise NotImplementedError(f"{type(self).__name__} says nowhere how lr changes: define factor(t)")

    def step(self, metric: float | None = None) -> None:
        """Go on by one step; only `ReduceOnPlateau` looks at the metric."""
        self.count += 1
        self._apply()

    def _apply(self) -> None:
        share = as_number(self.factor(self.count), f"{type(self).__name__}: factor({self.count})", "[0, inf)")
        for group, base in zip(self.optimizer.param_groups, self.base, strict=True):
            group["lr"] = base * share

    def state_dict(self) -> dict[str, Any]:
        """All that resuming needs, as plain numbers and lists."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from a `state_dict` of a schedule of the same kind."""
        own = self.state_dict()
        if saved.keys() != own.keys():
            raise ValueError(f"this state holds {sorted(saved)}, {type(self).__name__} needs {sorted(own)}")
        wrong = [f"{name}={saved[name]!r}" for name, value in own.items() if not _is_of_a_kind(saved[name], value)]
        if wrong or len(saved["base"]) != len(own["base"]):
            told = ", ".join(wrong) or f"rates of {len(saved['base'])} groups, not {len(own['base'])}"
            raise ValueError(f"this state, which holds {told}, is of no {type(self).__name__} of this optimiser")
        vars(self).update(saved)
        self._apply()


def _is_of_a_kind(value: Any, own: Any) -> bool:
    """Whether a number stands where there was one, and a list where there was a list."""
    return all(isinstance(value, kind) for kind in (numbers.Real, list) if isinstance(own, kind))


class StepDecay(Schedule):
    """Multiply by `gamma` every `every` steps.

    Parameters
    ----------
    optimizer
        Whose step length is set.
    every
        Steps between two cuts.
    gamma
        Factor of each cut.

    Raises
    ------
    ValueError
        If `every` is no whole number from 1 on.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> optimizer = nn.SGD([mg.tensor(1.0, requires_grad=True)], lr=1.0)
    >>> schedule = nn.StepDecay(optimizer, every=2, gamma=0.5)
    >>> [round((optimizer.param_groups[0]["lr"], schedule.step())[0], 3) for _ in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, every: int, gamma: float = 0.1) -> None:
        self.every, self.gamma = as_size(every, "every"), as_number(gamma, "gamma", "(0, inf)")
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        """Share of the initial lr after `t` steps."""
        return self.gamma ** (t // self.every)


class Exponential(StepDecay):
    """Multiply by `gamma` every step.

    Parameters
    ----------
    optimizer
        Whose step length is set.
    gamma
        Factor of each step.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> optimizer = nn.SGD([mg.tensor(1.0, requires_grad=True)], lr=1.0)
    >>> schedule = nn.Exponential(optimizer, gamma=0.5)
    >>> [round((optimizer.param_groups[0]["lr"], schedule.step())[0], 3) for _ in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        super().__init__(optimizer, 1, gamma)


class Cosine(Schedule):
    """Half a cosine from the initial lr down to `low` times it, where it stays (Loshchilov & Hutter, ICLR 2017).

    Parameters
    ----------
    optimizer
        Whose step length is set.
    steps
        Length of the way down.
    low
        Share of the initial lr that is left.

    Raises
    ------
    ValueError
        If `steps` is no whole number from 1 on.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> optimizer = nn.SGD([mg.tensor(1.0, requires_grad=True)], lr=1.0)
    >>> schedule = nn.Cosine(optimizer, steps=4)
    >>> [round((optimizer.param_groups[0]["lr"], schedule.step())[0], 3) for _ in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    def __init__(self, optimizer: Optimizer, steps: int, low: float = 0.0) -> None:
        self.steps, self.low = as_size(steps, "steps"), as_number(low, "low", "[0, inf)")
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        """Share of the initial lr after `t` steps."""
        return _between(1.0, self.low, t / self.steps)


class WarmUp(Schedule):
    """Rise in a line from ``1 / steps`` of the lr to all of it, then follow another schedule, if one is given.

    Parameters
    ----------
    optimizer
        Whose step length is set.
    steps
        How many steps to rise for.
    before
        A schedule of the same optimiser that takes over then, counting from 0; until then it rests.

    Raises
    ------
    ValueError
        If `steps` is no whole number from 1 on, or `before` no schedule of this optimiser.

    Notes
    -----
    Goyal et al., "Accurate, large minibatch SGD" (2017), section 2.2, arXiv:1706.02677.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> optimizer = nn.SGD([mg.tensor(1.0, requires_grad=True)], lr=1.0)
    >>> schedule = nn.WarmUp(optimizer, 4, before=nn.Cosine(optimizer, 4))
    >>> [round((optimizer.param_groups[0]["lr"], schedule.step())[0], 3) for _ in range(8)]
    [0.25, 0.5, 0.75, 1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def __init__(self, optimizer: Optimizer, steps: int, before: Schedule | None = None) -> None:
        self.steps, self.before = as_size(steps, "steps"), before
        super().__init__(optimizer)
        if not (before is None or (isinstance(before, Schedule) and before.optimizer is optimizer)):  # type: ignore[redundant-expr]
            raise ValueError(f"before={before!r}, expected a schedule of the same optimiser")
        if before is not None:
            self.base = before.base
            self._apply()

    def factor(self, t: int) -> float:
        """Share of the initial lr after `t` steps."""
        if t + 1 < self.steps:
            return (t + 1) / self.steps
        return 1.0 if self.before is None else self.before.factor(t + 1 - self.steps)

    def step(self, metric: float | None = None) -> None:
        """Go on by one step; the schedule that follows is told the metric once it is its turn."""
        if self.before is not None and self.count + 1 >= self.steps:
            self.before.step(metric)
        super().step(metric)

    def state_dict(self) -> dict[str, Any]:
        """All that resuming needs, of the schedule that follows too."""
        return super().state_dict() | {"before": self.before and self.before.state_dict()}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from a `state_dict`."""
        if self.before is not None and saved.get("before"):
            self.before.load_state_dict(saved["before"])
        super().load_state_dict(saved | {"before": self.before} if "before" in saved else saved)


class OneCycle(Schedule):
    """Up from ``1 / start`` of the lr to all of it, and down to ``1 / end``, along cosines (Smith & Topin 2018).

    Parameters
    ----------
    optimizer
        Whose step length is set; its lr is the peak.
    steps
        Length of the whole cycle.
    rise
        Share of the steps that go up.
    start, end
        What the peak is divided by at first, and at last.

    Raises
    ------
    ValueError
        For a `rise` outside of (0, 1), or `steps` that is no whole number from 1 on.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> optimizer = nn.SGD([mg.tensor(1.0, requires_grad=True)], lr=1.0)
    >>> schedule = nn.OneCycle(optimizer, steps=8, rise=0.5)
    >>> [round((optimizer.param_groups[0]["lr"], schedule.step())[0], 3) for _ in range(8)]
    [0.04, 0.28, 0.76, 1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def __init__(
        self, optimizer: Optimizer, steps: int, *, rise: float = 0.3, start: float = 25.0, end: float = 250_000.0
    ) -> None:
        self.steps, self.rise = as_size(steps, "steps"), as_number(rise, "rise", "(0, 1)")
        self.start, self.end = as_number(start, "start", "(0, inf)"), as_number(end, "end", "(0, inf)")
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        """Share of the initial lr after `t` steps."""
        peak, last = self.rise * self.steps - 1, self.steps - 1
        if t < peak:
            return _between(1 / self.start, 1.0, t / peak)
        return _between(1.0, 1 / self.end, (t - peak) / (last - peak) if last > peak else 1.0)


def _between(a: float, b: float, share: float) -> float:
    """From `a` to `b` along half a cosine."""
    return b + (a - b) * (1 + math.cos(math.pi * min(max(share, 0.0), 1.0))) / 2


class ReduceOnPlateau(Schedule):
    """Multiply by `gamma` once the metric has not become smaller for more than `patience` steps.

    Parameters
    ----------
    optimizer
        Whose step length is set.
    gamma
        Factor of each reduction.
    patience
        How many steps without progress are borne.
    least
        Share of the metric that counts as progress.

    Raises
    ------
    TypeError
        When `step` isn't told a metric.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> optimizer = nn.SGD([mg.tensor(1.0, requires_grad=True)], lr=1.0)
    >>> schedule = nn.ReduceOnPlateau(optimizer, gamma=0.5, patience=1)
    >>> [(schedule.step(loss), optimizer.param_groups[0]["lr"])[1] for loss in (3.0, 2.0, 2.0, 2.0)]
    [1.0, 1.0, 1.0, 0.5]
    """

    def __init__(self, optimizer: Optimizer, gamma: float = 0.1, patience: int = 10, least: float = 1e-4) -> None:
        self.gamma, self.patience = as_number(gamma, "gamma", "(0, 1)"), as_size(patience, "patience", 0)
        self.least = as_number(least, "least", "[0, 1)")
        self.best, self.waited, self.reductions = math.inf, 0, 0
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        """Share of the initial lr by now."""
        return self.gamma**self.reductions

    def step(self, metric: float | None = None) -> None:
        """Go on by one step, given what should become smaller: a validation loss, say."""
        if metric is None:
            raise TypeError("ReduceOnPlateau needs what to watch: step(validation_loss)")
        if metric < (self.best - abs(self.best) * self.least if math.isfinite(self.best) else self.best):
            self.best, self.waited = float(metric), 0
        else:
            self.waited += 1
        if self.waited > self.patience:
            self.waited, self.reductions = 0, self.reductions + 1
        super().step()
