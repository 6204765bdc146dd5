"""Schedules: the step length over time, groups, resuming."""

import math
from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn


def make(lr: float = 1.0) -> nn.SGD:
    return nn.SGD(
        [{"params": [mg.tensor(1.0, requires_grad=True)]}, {"params": [mg.tensor(1.0, requires_grad=True)], "lr": 10 * lr}],
        lr=lr,
    )  # fmt: skip


def course(optimizer: nn.Optimizer, schedule: nn.Schedule, steps: int) -> list[float]:
    lrs = []
    for _ in range(steps):
        lrs.append(optimizer.param_groups[0]["lr"])
        assert optimizer.param_groups[1]["lr"] == pytest.approx(10 * lrs[-1])
        schedule.step()
    return lrs


T = np.arange(10)
SCHEDULES: dict[str, tuple[Any, Any]] = {
    "step": (lambda o: nn.StepDecay(o, 3, 0.5), 0.5 ** (T // 3)),
    "exponential": (lambda o: nn.Exponential(o, 0.9), 0.9**T),
    "cosine": (lambda o: nn.Cosine(o, 8, low=0.1), 0.1 + 0.9 * (1 + np.cos(np.pi * np.minimum(T, 8) / 8)) / 2),
    "warm-up": (lambda o: nn.WarmUp(o, 4), np.minimum((T + 1) / 4, 1)),
    "warm-up before": (
        lambda o: nn.WarmUp(o, 4, nn.Exponential(o, 0.5)),
        np.where(T < 3, (T + 1) / 4, 0.5 ** np.maximum(T - 3.0, 0)),
    ),
    "one cycle": (
        lambda o: nn.OneCycle(o, 10, rise=0.5),
        np.where(
            T <= 4,
            1 + (1 / 25 - 1) * (1 + np.cos(np.pi * T / 4)) / 2,
            4e-6 + (1 - 4e-6) * (1 + np.cos(np.pi * (T - 4) / 5)) / 2,
        ),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_course_of_the_step_length(name: str) -> None:
    schedule, expected = SCHEDULES[name]
    optimizer = make()
    np.testing.assert_allclose(course(optimizer, schedule(optimizer), 10), expected, rtol=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_resumed_schedule_goes_on(name: str) -> None:
    schedule, expected = SCHEDULES[name]
    optimizer, later = make(), make()
    first = schedule(optimizer)
    course(optimizer, first, 5)
    second = schedule(later)
    second.load_state_dict(first.state_dict())
    np.testing.assert_allclose(course(later, second, 5), expected[5:], rtol=1e-12)
    with pytest.raises(ValueError, match="this state holds"):
        second.load_state_dict({"count": 1})
    for name, value in (("count", "a"), ("count", None), ("base", 3.0)):
        with pytest.raises(ValueError, match=f"this state, which holds {name}={value!r}, is of no"):
            second.load_state_dict(first.state_dict() | {name: value})
    assert second.count == 10


def test_a_plateau_reduces_the_step_length() -> None:
    optimizer = make()
    schedule = nn.ReduceOnPlateau(optimizer, gamma=0.1, patience=2)
    lrs = []
    for loss in [5, 4, 4, 4, 3.9, 3.9, 3.9, 3.9, 3.9]:
        schedule.step(loss)
        lrs.append(optimizer.param_groups[0]["lr"])
    np.testing.assert_allclose(lrs, [1] * 7 + [0.1] * 2)
    with pytest.raises(TypeError, match="validation_loss"):
        schedule.step()


def test_a_plateau_knows_nothing_better_than_nan_but_any_number() -> None:
    optimizer = make()
    schedule = nn.ReduceOnPlateau(optimizer, gamma=0.5, patience=1)
    for loss in [math.nan, 5.0, 4.0, 3.0, math.nan, 2.0]:
        schedule.step(loss)
    assert optimizer.param_groups[0]["lr"] == 1.0
    for _ in range(2):
        schedule.step(math.nan)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_schedule_is_of_an_optimiser_and_what_follows_of_the_same() -> None:
    with pytest.raises(TypeError, match="Cosine sets the lr of an optimiser"):
        nn.Cosine(nn.Dense(2, 2), 3)  # type: ignore[arg-type]
    for before in (nn.Cosine(make(), 3), 3):
        with pytest.raises(ValueError, match="a schedule of the same optimiser"):
            nn.WarmUp(make(), 3, before=before)  # type: ignore[arg-type]


def test_a_plateau_after_a_warm_up() -> None:
    def warm_up() -> nn.WarmUp:
        optimizer = make()
        return nn.WarmUp(optimizer, 3, before=nn.ReduceOnPlateau(optimizer, gamma=0.5, patience=0))

    def rates(schedule: nn.WarmUp, metrics: list[float]) -> list[float]:
        return [(schedule.step(m), schedule.optimizer.param_groups[0]["lr"])[1] for m in metrics]

    schedule, resumed = warm_up(), warm_up()
    assert rates(schedule, [9.0, 9.0, 9.0, 9.0, 8.0]) == pytest.approx([2 / 3, 1.0, 1.0, 0.5, 0.5])
    resumed.load_state_dict(schedule.state_dict())
    assert rates(resumed, [8.0, 7.0, 7.0]) == rates(schedule, [8.0, 7.0, 7.0]) == [0.25, 0.25, 0.125]


@pytest.mark.parametrize(
    ("share", "kind"), [(-1.0, ValueError), (math.nan, ValueError), ("a", TypeError), (None, TypeError)]
)
def test_a_share_is_a_number_from_zero_on(share: Any, kind: type[Exception]) -> None:
    class Late(nn.Schedule):
        def factor(self, t: int) -> Any:
            return share if t else 1.0

    optimizer = make()
    schedule = Late(optimizer)
    with pytest.raises(kind, match=r"Late: factor\(1\)="):
        schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == [1.0, 10.0]


def test_lengths_and_shares_are_checked() -> None:
    for act in (
        lambda: nn.Cosine(make(), 0),
        lambda: nn.StepDecay(make(), 1.5),
        lambda: nn.OneCycle(make(), 5, rise=1.0),
        lambda: nn.OneCycle(make(), 5, start=0),
        lambda: nn.Exponential(make(), math.nan),
        lambda: nn.Cosine(make(), 5, low="a"),
        lambda: nn.ReduceOnPlateau(make(), gamma=1.5),
        lambda: nn.ReduceOnPlateau(make(), patience="3"),
    ):  # type: ignore[arg-type]
        with pytest.raises((TypeError, ValueError), match="expected"):
            act()
    assert math.isfinite(course(o := make(), nn.OneCycle(o, 1), 1)[0])
