"""fit by replayed steps: bit for bit what it is without, and no replay where a step could differ from the recorded one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn
from microgradnd.nn import training

RNG = np.random.default_rng(0)
X, LABELS, NUMBERS = RNG.normal(size=(203, 6)), RNG.integers(0, 3, 203), RNG.normal(size=(203, 3))


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of the batches that were replayed."""
    seen = []

    class Counted(mg.Replay):
        def __call__(self, *arrays: Any) -> Any:
            seen.append(arrays[0].shape)
            return super().__call__(*arrays)

    monkeypatch.setattr(mg, "Replay", Counted)
    return seen


def weights_and_losses(make: Callable[[], nn.Module], **options: Any) -> tuple[list[np.ndarray], list[float]]:
    model = make()
    target = NUMBERS if options.get("loss") is nn.mse_loss else LABELS
    history = nn.fit(model, X, target, **{"epochs": 6, "batch_size": 20, "seed": 1, "progress": False} | options)
    return [p.data for p in model.parameters()], history["loss"] + list(history.batch_losses)


class Normed(nn.Sequential):
    """A class of the user's."""


REPLAYED: dict[str, tuple[Callable[[], nn.Module], dict[str, Any]]] = {
    "tanh": (lambda: nn.MLP([6, 5, 3], activation="tanh", seed=0), {}),
    "gelu": (lambda: nn.MLP([6, 5, 5, 3], activation="gelu", seed=0), {"validation_data": (X[:9], LABELS[:9])}),
    "float32": (lambda: nn.Sequential(nn.Dense(6, 3, "relu", seed=0, dtype=np.float32)), {}),
    "norm": (lambda: nn.Sequential(nn.Dense(6, 4, seed=0), nn.LayerNorm(4), nn.relu, nn.Dense(4, 3, seed=1)), {}),
    "residual": (lambda: nn.Sequential(nn.Residual(nn.Dense(6, 6, "silu", seed=0)), nn.Dense(6, 3, seed=1)), {}),
    "numbers": (lambda: nn.MLP([6, 5, 3], seed=0), {"loss": nn.mse_loss}),
    "clipped": (lambda: nn.MLP([6, 5, 3], seed=0), {"clip_norm": 0.1, "clip_value": 0.01}),
    "stopped": (lambda: nn.MLP([6, 5, 3], seed=0), {"callbacks": [nn.EarlyStopping(monitor="loss", patience=1)]}),
    "told": (lambda: nn.MLP([6, 5, 3], seed=0), {"callbacks": [lambda training: None], "batch_size": 5}),
}  # fmt: skip


@pytest.mark.parametrize("name", REPLAYED)
def test_replayed_steps_are_those_without_to_the_last_bit(
    name: str, replays: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, options = REPLAYED[name]
    found, losses = weights_and_losses(make, **options)
    assert len(replays) > 30
    assert len(set(replays)) == 1  # what is left over at the end of an epoch goes the other way
    replays.clear()
    monkeypatch.setattr(training, "WORTH", np.inf)
    expected, as_before = weights_and_losses(make, **options)
    assert not replays
    assert losses == as_before
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def with_changed_forward() -> nn.Module:
    model = nn.MLP([6, 5, 3], seed=0)
    forward = model.forward
    model.forward = lambda x: forward(x) * len(x)  # type: ignore[method-assign]
    return model


EAGER: dict[str, tuple[Callable[[], nn.Module], dict[str, Any]]] = {
    "dropout": (lambda: nn.Sequential(nn.Dense(6, 8, "tanh", seed=0), nn.Dropout(0.5, seed=0), nn.Dense(8, 3, seed=1)), {}),
    "batch norm": (lambda: nn.Sequential(nn.Dense(6, 4, seed=0), nn.BatchNorm(4), nn.Dense(4, 3, seed=1)), {}),
    "a function of the user's": (lambda: nn.Sequential(nn.Dense(6, 3, seed=0), lambda z: z * len(z)), {}),
    "an activation of the user's": (lambda: nn.Dense(6, 3, lambda z: z * z, seed=0), {}),
    "a class of the user's": (lambda: Normed(nn.Dense(6, 3, seed=0)), {}),
    "a forward of the user's": (with_changed_forward, {}),
    "a loss of the user's": (lambda: nn.Dense(6, 3, seed=0), {"loss": lambda z, t: nn.cross_entropy(z, t)}),
    "smoothed labels": (lambda: nn.Dense(6, 3, seed=0), {"loss": __import__("functools").partial(nn.cross_entropy, label_smoothing=0.1)}),
    "accumulation": (lambda: nn.Dense(6, 3, seed=0), {"accumulate": 2}),
    "few steps": (lambda: nn.Dense(6, 3, seed=0), {"epochs": 2}),
    "few steps between calls": (lambda: nn.Dense(6, 3, seed=0), {"callbacks": [lambda training: None]}),
}  # fmt: skip


@pytest.mark.parametrize("name", EAGER)
def test_what_might_differ_from_step_to_step_is_not_replayed(name: str, replays: list[tuple[int, ...]]) -> None:
    make, options = EAGER[name]
    found, _ = weights_and_losses(make, **options)
    assert all(np.isfinite(w).all() for w in found)
    assert not replays


def test_a_class_whose_forward_was_exchanged_is_not_replayed(
    replays: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    forward = nn.Dense.forward
    monkeypatch.setattr(nn.Dense, "forward", lambda self, x: (calls.append(x), forward(self, x))[1])
    weights_and_losses(lambda: nn.Dense(6, 3, seed=0))
    assert not replays
    assert len(calls) >= 6 * 11


def test_what_a_callback_changes_between_epochs_holds(replays: list[tuple[int, ...]]) -> None:
    model = nn.MLP([6, 5, 3], seed=0)
    first, last = model.layers
    before = first.W.data.copy()
    seen = []

    def change(training: nn.Training) -> None:
        seen.append((np.array_equal(first.W.data, before), len(replays)))
        first.W.requires_grad = first.b.requires_grad = training.epoch >= 2
        last.activation = "tanh" if training.epoch == 3 else None

    first.W.requires_grad = first.b.requires_grad = False
    nn.fit(model, X, LABELS, epochs=4, batch_size=5, seed=0, progress=False, callbacks=[change])
    assert [frozen for frozen, _ in seen] == [True, True, False, False]
    counts = np.diff([0, *(count for _, count in seen)])  # what frozen layers give is of each batch its own
    assert counts.tolist() == [0, 0, 39, 39]  # all 40 full batches of an epoch but its first


def test_under_debug_steps_are_eager_and_the_broken_op_is_named(replays: list[tuple[int, ...]]) -> None:
    with mg.debug():
        nn.fit(nn.MLP([6, 5, 3], seed=0), X, LABELS, epochs=4, batch_size=20, progress=False)
    assert not replays


def test_where_a_replayed_step_breaks_the_op_is_named_and_the_weights_are_as_before(
    replays: list[tuple[int, ...]],
) -> None:
    model = nn.MLP([6, 5, 3], activation="relu", seed=0)
    data = X / 10
    data[150] = 1e308  # and its products with weights add up to more
    model.layers[0].W.data[...] = 1.0
    model.layers[0].W.touch()
    with pytest.raises(FloatingPointError, match=r"became (inf|nan) in step \d+ .*`affine`"):
        nn.fit(model, data, LABELS, epochs=4, batch_size=5, seed=0, progress=False)
    assert replays
    assert all(p.grad is None for p in model.parameters())
    assert all(np.isfinite(p.data).all() for p in model.parameters())
