"""fit: what it learns, measures, refuses and survives."""

import copy
import functools
import io
import os
import pty
import subprocess
import sys
import termios
import textwrap
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn


@pytest.fixture
def blobs(rng):
    """Three classes on a line, cleanly apart: X (90, 2), y (90,)."""
    y = np.repeat(np.arange(3), 30)
    return rng.normal(size=(90, 2)) * 0.3 + 3 * y[:, None], y


def network(seed=0, sizes=(2, 8, 3), **options):
    return nn.MLP(list(sizes), activation="tanh", seed=seed, **options)


def trained(X, y, **options):
    """Weights and history of a short run."""
    model = network()
    history = nn.fit(model, X, y, **{"epochs": 3, "seed": 0} | options)
    return model.state_dict(), history


def adam(model):
    return nn.Adam(model.parameters(), lr=0.03)


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


# -- what it does ------------------------------------------------------------------------------
def test_learns_and_measures(blobs):
    X, y = blobs
    model = network()
    history = nn.fit(model, X, y, optimizer=adam(model), epochs=60, validation_data=(X, y), seed=0)
    assert history["accuracy"][-1] == history["val_accuracy"][-1] == 1.0
    assert history["val_loss"][-1] < history["loss"][0] / 4
    assert history.epochs == 60
    assert len(history.batch_losses) == 60 * 3
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy", "lr"}
    assert not model.training
    assert all(p.grad is None for p in model.parameters())


def test_one_epoch_is_plain_gradient_descent(blobs):
    """Against the same updates written down by hand, in the order that the seed gives."""
    X, y = blobs
    model, twin = network(), network()
    nn.fit(model, X, y, optimizer=nn.SGD(model.parameters(), lr=0.1), epochs=1, batch_size=40, seed=5)
    order = np.random.default_rng(5).permutation(90)
    for rows in (order[:40], order[40:80], order[80:]):
        grads = mg.gradients(nn.cross_entropy(twin(X[rows]), y[rows]), twin.parameters())
        for p, g in zip(twin.parameters(), grads, strict=True):
            p.data = p.data - 0.1 * g.data
    for name, value in twin.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[name], value, rtol=1e-12, atol=1e-14, err_msg=name)


def test_accumulated_batches_make_the_gradient_of_one_large_batch(blobs):
    X, y = blobs
    whole, _ = trained(X, y, batch_size=36)
    parts, history = trained(X, y, batch_size=12, accumulate=3)
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-10, atol=1e-13)
    assert len(history.batch_losses) == 3 * 3


def test_metrics_of_an_epoch_are_means_over_its_samples(blobs):
    X, y = blobs
    model = network()
    frozen = nn.SGD(model.parameters(), lr=1e-300)
    history = nn.fit(model, X, y, optimizer=frozen, epochs=1, batch_size=32, metrics=["accuracy", mean_logit], seed=0)
    output = nn.predict(model, X)
    assert history["accuracy"][0] == pytest.approx(np.mean(output.argmax(1) == y))
    assert history["mean_logit"][0] == pytest.approx(output.mean())
    assert history["loss"][0] == pytest.approx(nn.cross_entropy(output, y).item())


def test_predicting_leaves_each_layer_in_its_mode():
    model = nn.Sequential(nn.BatchNorm(2).eval(), nn.Dropout(0.5), nn.Dense(2, 1, seed=0))
    expected = nn.predict(model, np.ones((5, 2)), batch_size=2)
    assert [layer.training for layer in model.layers] == [False, True, True]
    np.testing.assert_allclose(expected, np.ones((5, 2)) @ model.layers[2].W.data / np.sqrt(1 + 1e-5), rtol=1e-12)
    nn.summary(model, (3, 2))
    assert [layer.training for layer in model.layers] == [False, True, True]
    with pytest.raises(ValueError, match="batch_size=0, expected a whole number from 1 on"):
        nn.predict(model, np.ones((5, 2)), batch_size=0)


@pytest.mark.parametrize(("value", "text"), [(None, "None"), (np.zeros(2), r"array\(\[0., 0.\]\)"), ("high", "'high'")])
def test_a_metric_that_is_no_number_is_named(blobs, value, text):
    def my_metric(output, target):
        return value

    for options in ({"metrics": [my_metric]}, {"validation_data": blobs, "metrics": [my_metric]}):
        with pytest.raises(TypeError, match=f"the metric 'my_metric' gave {text}, expected one number"):
            trained(*blobs, **options)


def test_predictions_are_of_a_network():
    for call in (nn.predict, lambda model, X: nn.evaluate(model, X, [0], nn.cross_entropy)):
        with pytest.raises(TypeError, match=r"the model is \w+, expected an nn\.Module"):
            call(len, [[1.0]])
    for output in (None, (1.0, 2.0), 3.0):
        model = nn.Sequential(lambda x, output=output: output)
        with pytest.raises(TypeError, match=f"the network's output is {type(output).__name__}, expected a tensor"):
            nn.predict(model, [[1.0]])


@pytest.mark.parametrize(
    ("loss", "y", "error", "text"),
    [
        ("mse", [0, 1], TypeError, "loss is 'mse'"),
        (functools.partial(nn.cross_entropy, reduction="none"), [0, 1], ValueError, "one number per batch"),
        (lambda output, target: 1.0, [0, 1], TypeError, "the loss gave float"),
        (nn.cross_entropy, [0, 3], ValueError, "label 3 in row 1 of y, but the network has 3 outputs"),
        (nn.cross_entropy, [0, 0.5], ValueError, "label 0.5 in row 1"),
    ],
    ids=range(5),
)
def test_what_cannot_be_evaluated_is_told(loss, y, error, text):
    with pytest.raises(error, match=text):
        nn.evaluate(network(), np.zeros((2, 2)), y, loss)


def test_validation_on_longer_sequences(rng):
    model = nn.GRU(2, 3, seed=0)
    data = [(rng.normal(size=(8, steps, 2)), rng.integers(0, 3, (8, steps))) for steps in (4, 6)]
    history = nn.fit(model, *data[0], validation_data=data[1], epochs=1, seed=0)
    found = nn.predict(model, data[1][0])
    assert history["val_accuracy"][0] == np.mean(found.argmax(-1) == data[1][1])


@pytest.mark.parametrize("form", [(90,), (90, 1)])
@pytest.mark.parametrize("dtype", [bool, int, float])
def test_a_single_output_for_two_classes_is_told_of_the_other_loss(form, dtype):
    y = (np.arange(90) >= 60).astype(dtype).reshape(form)
    with pytest.raises(
        ValueError, match=r"label 1 in row 60 of y, but the network has 1 output: .*binary_cross_entropy"
    ):
        nn.fit(network(sizes=(2, 4, 1)), np.zeros((90, 2)), y)


def test_a_single_class_is_always_right(blobs):
    model = network(sizes=(2, 4, 1))
    history = nn.fit(model, blobs[0], np.zeros(90, int), epochs=1, seed=0)
    assert (history["loss"], history["accuracy"]) == ([0.0], [1.0])


def test_a_network_without_parameters_predicts_arrays():
    assert nn.predict(nn.Sequential(nn.relu), np.array([[-1.0, 2.0]])).tolist() == [[0.0, 2.0]]


def mean_logit(output, target):
    return output.mean()


@pytest.mark.parametrize("seed", [7, np.int64(7), "Generator", "RandomState"])
def test_same_seed_same_bits(blobs, seed):
    fresh = {"Generator": lambda: np.random.default_rng(7), "RandomState": lambda: np.random.RandomState(7)}
    first, second = (trained(*blobs, seed=fresh.get(str(seed), lambda: seed)()) for _ in range(2))
    assert_same(first[0], second[0])
    np.testing.assert_array_equal(first[1].batch_losses, second[1].batch_losses)


def test_threads_train_side_by_side_as_one_after_the_other(blobs):
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda seed: trained(*blobs, seed=seed)[0], range(8)))
    for seed, weights in enumerate(together):
        assert_same(weights, trained(*blobs, seed=seed)[0])


def test_seeds_matter_and_none_differs(blobs):
    losses = [trained(*blobs, seed=seed)[1].batch_losses[0] for seed in (1, 2, None, None)]
    assert len(set(losses)) == 4


def test_global_random_state_is_neither_used_nor_changed(blobs):
    before = np.random.get_state()[1].copy()
    first, _ = trained(*blobs)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.random.seed(99)
    second, _ = trained(*blobs)
    assert_same(first, second)


def test_float32_stays_float32(blobs):
    X, y = blobs
    model = network(dtype=np.float32)
    nn.fit(model, X, y, epochs=1, clip_norm=1.0)
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    X = X.astype(np.float32)
    regression = network(sizes=(2, 4, 1), dtype=np.float32)
    dtypes = []
    nn.fit(regression, X, y[:, None], loss=lambda o, t: (dtypes.append(o.dtype), nn.mse_loss(o, t))[1], epochs=1)
    assert set(dtypes) == {np.dtype(np.float32)}


def test_clipping_bounds_the_step(blobs):
    X, y = blobs
    for option, norm in (
        ({"clip_norm": 1e-3}, lambda d: np.linalg.norm(d)),
        ({"clip_value": 1e-3}, lambda d: abs(d).max()),
    ):
        model = network()
        before = np.concatenate([p.data.ravel() for p in model.parameters()])
        nn.fit(model, X, y, optimizer=nn.SGD(model.parameters(), lr=1.0), epochs=1, batch_size=90, **option)
        moved = np.concatenate([p.data.ravel() for p in model.parameters()]) - before
        assert norm(moved) == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize(("per", "rates"), [("epoch", [1.0, 0.5, 0.25]), ("step", [1.0, 0.125, 0.015625])])
def test_schedules_go_on_per_epoch_or_per_step(blobs, per, rates):
    model = network()
    optimizer = nn.SGD(model.parameters(), lr=1.0)
    schedule = nn.StepDecay(optimizer, every=1, gamma=0.5)
    options = {"optimizer": optimizer, "schedule": schedule, "schedule_per": per}
    assert nn.fit(model, *blobs, epochs=3, batch_size=30, **options)["lr"] == rates


def test_reduce_on_plateau_hears_of_each_loss_per_step(blobs):
    model = network()
    optimizer = nn.SGD(model.parameters(), lr=1e-12)
    schedule = nn.ReduceOnPlateau(optimizer, gamma=0.5, patience=0)
    options = {"schedule": schedule, "schedule_per": "step", "batch_size": 90, "epochs": 3, "seed": 0}
    assert nn.fit(model, *blobs, optimizer=optimizer, **options)["lr"] == [1e-12, 1e-12, 0.5e-12]


def test_reduce_on_plateau_hears_of_the_validation_loss(blobs):
    model = network()
    optimizer = nn.SGD(model.parameters(), lr=1e-300)
    schedule = nn.ReduceOnPlateau(optimizer, patience=1)
    history = nn.fit(model, *blobs, epochs=8, validation_data=blobs, optimizer=optimizer, schedule=schedule)
    assert history["lr"][-1] < history["lr"][0]


# -- data in all its forms -----------------------------------------------------------------------
class Frame:
    """What a data frame is to NumPy."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype=dtype)


@pytest.mark.parametrize(
    "form",
    [
        lambda X, y: (X.tolist(), y.tolist()),
        lambda X, y: (Frame(X), Frame(y)),
        lambda X, y: (mg.tensor(X), y),
        lambda X, y: (np.asfortranarray(X), y.astype(float)),
        lambda X, y: (X[::-1][::-1], y.astype(np.int8)),
        lambda X, y: (X, y[:, None]),
        lambda X, y: (X, np.eye(3)[y]),
        lambda X, y: (X, np.eye(3, dtype=int)[y]),
    ],
    ids=["lists", "data frame", "tensor", "Fortran, float labels", "strided, int8", "column", "one-hot", "int one-hot"],
)
def test_forms_of_data_train_alike(blobs, form):
    weights, history = trained(*form(*blobs))
    expected, its_history = trained(*blobs)
    measured = nn.evaluate(network(), *form(*blobs), nn.cross_entropy, ["accuracy"])
    assert measured == pytest.approx(nn.evaluate(network(), *blobs, nn.cross_entropy, ["accuracy"]))
    for name in expected:
        np.testing.assert_allclose(weights[name], expected[name], rtol=1e-9, atol=1e-12)
    assert history["accuracy"] == its_history["accuracy"]


def test_numbers_of_several_types_in_one_array(blobs):
    X, y = blobs
    mixed = np.array([[a, bool(b > 0)] for a, b in X], dtype=object)
    plain, given = network(), network()
    nn.fit(plain, np.column_stack([X[:, 0], X[:, 1] > 0]), y, epochs=1, seed=0)
    nn.fit(given, mixed, y, epochs=1, seed=0)
    assert_same(plain.state_dict(), given.state_dict())


def test_boolean_labels_are_two_classes(blobs):
    X, y = blobs
    model = network(sizes=(2, 4, 2))
    history = nn.fit(model, X, y > 0, optimizer=adam(model), epochs=40, seed=0)
    assert history["accuracy"][-1] > 0.9


def test_binary_cross_entropy_with_single_logits_and_several_labels(blobs):
    X, y = blobs
    for targets in ((y > 1)[:, None], np.stack([y > 0, y > 1], axis=1)):
        model = network(sizes=(2, 4, targets.shape[1]))
        options = {"loss": nn.binary_cross_entropy, "optimizer": adam(model), "epochs": 60, "seed": 0}
        assert nn.fit(model, X, targets, **options)["accuracy"][-1] > 0.9


@pytest.mark.parametrize("batch_size", [1, 7, 89, 90, 1000])
def test_batches_that_dont_divide_or_exceed_the_data(blobs, batch_size):
    _, history = trained(*blobs, batch_size=batch_size, epochs=1)
    assert len(history.batch_losses) == -(-90 // batch_size)


def test_one_sample_and_a_constant_column():
    model = network()
    history = nn.fit(model, np.ones((1, 2)), [2], epochs=2)
    assert history.epochs == 2
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("batch_size", [1, 89])
def test_a_batch_of_one_row_is_told_of_before_the_first_step(blobs, batch_size):
    model = nn.Sequential(nn.Dropout(0.5, seed=0), nn.Dense(2, 8, seed=0), nn.BatchNorm(8), nn.Dense(8, 3, seed=1))
    before, state = model.state_dict(), model.layers[0].rng.bit_generator.state
    with pytest.raises(
        ValueError, match=r"layers.2 \(BatchNorm\): a batch of shape \(1, 8\) .* batch_size leaves over"
    ):
        nn.fit(model, *blobs, batch_size=batch_size, progress=False)
    assert_same(before, model.state_dict())
    assert model.layers[0].rng.bit_generator.state == state
    assert nn.fit(model, *blobs, batch_size=88, epochs=1, progress=False).epochs == 1


def test_looking_ahead_at_a_batch_of_one_row_changes_nothing(blobs):
    X = np.repeat(blobs[0], 4, axis=1).reshape(90, 1, 2, 4)
    runs = [nn.Sequential(nn.BatchNorm(1), nn.Flatten(), nn.Dropout(0.5, seed=0), nn.Dense(8, 3, seed=0)) for _ in "ab"]
    nn.fit(runs[0], X, blobs[1], batch_size=89, epochs=0, progress=False)
    assert_same(runs[0].state_dict(), runs[1].state_dict())
    assert runs[0].layers[2].rng.random() == runs[1].layers[2].rng.random()


def test_no_epochs_change_nothing(blobs):
    model = network()
    before = model.state_dict()
    history = nn.fit(model, *blobs, epochs=0)
    assert history.epochs == 0
    assert len(history) == 0
    assert_same(before, model.state_dict())


def nan_at(row, column):
    X = np.zeros((90, 2))
    X[row, column] = np.nan
    return X


class Sparse:
    shape = (90, 2)

    def tocsr(self):
        return self


def named(name):
    def metric(output, target):
        return 0.0

    metric.__name__ = name
    return metric


LABELS = np.repeat(np.arange(3), 30)
ZEROS = np.zeros((90, 2))


@pytest.mark.parametrize(
    ("X", "y", "options", "error", "text"),
    [
        (nan_at(17, 1), LABELS, {}, ValueError, r"X holds nan at row 17, column 1 \(1 of its 180"),
        (np.where(nan_at(3, 0) == 0, 0.0, np.inf), LABELS, {}, ValueError, "X holds inf at row 3, column 0"),
        (ZEROS, np.where(LABELS == 1, np.nan, 0.0), {}, ValueError, "y holds nan at row 30"),
        (ZEROS, LABELS[:80], {}, ValueError, "X has 90 rows and y has 80"),
        (ZEROS[:0], LABELS[:0], {}, ValueError, "no rows"),
        (ZEROS, None, {}, TypeError, "y is None"),
        (None, LABELS, {}, TypeError, "X is None"),
        (Sparse(), LABELS, {}, TypeError, "sparse matrix.*toarray"),
        (np.ma.masked_array(ZEROS), LABELS, {}, TypeError, "masked"),
        (ZEROS, [str(i) for i in LABELS], {}, TypeError, "y has dtype <U1.*np.unique"),
        (np.array([["a", None]] * 90), LABELS, {}, TypeError, "X has dtype object"),
        ([[1.0, 2.0], [3.0]], [0, 1], {}, ValueError, "same length"),
        (ZEROS * 1j, LABELS, {}, TypeError, "X has dtype complex"),
        (3.0, LABELS, {}, ValueError, "single number"),
        (
            ZEROS,
            np.where(LABELS == 1, 1e300, LABELS),
            {},
            ValueError,
            "label 1000.* in row 30 of y, but the network has 3",
        ),
        (ZEROS, LABELS + 0.5, {}, ValueError, "label 0.5 in row 0 of y"),
        (ZEROS, LABELS - 1, {}, ValueError, "label -1 in row 0 of y.*labels go 0..2"),
        (ZEROS, LABELS * 5, {}, ValueError, "label 5 in row 30 of y, but the network has 3 outputs"),
        (ZEROS, np.eye(4)[LABELS], {}, ValueError, "4"),
        (ZEROS, np.eye(3)[LABELS] * 2, {}, ValueError, "sum"),
        (ZEROS, LABELS, {"batch_size": 0}, ValueError, "batch_size=0"),
        (ZEROS, LABELS, {"batch_size": 2.5}, ValueError, "batch_size=2.5"),
        (ZEROS, LABELS, {"epochs": -1}, ValueError, "epochs=-1"),
        (ZEROS, LABELS, {"epochs": "ten"}, TypeError, "epochs='ten'"),
        (ZEROS, LABELS, {"accumulate": 0}, ValueError, "accumulate=0"),
        (ZEROS, LABELS, {"seed": -1}, ValueError, "seed=-1"),
        (ZEROS, LABELS, {"optimizer": 0.1}, TypeError, "optimizer is 0.1"),
        (ZEROS, LABELS, {"optimizer": nn.SGD([mg.tensor(0.0, True)], lr=1.0)}, ValueError, "none of this model's"),
        (np.array([[1, None]] * 90), LABELS, {}, TypeError, "row 0, column 1 holds None"),
        (ZEROS, LABELS, {"loss": "mse"}, TypeError, "loss is 'mse'"),
        (ZEROS, LABELS, {"schedule": nn.Cosine}, TypeError, "schedule is <class"),
        (
            ZEROS,
            LABELS,
            {"schedule": nn.Cosine(nn.SGD([mg.tensor(0.0, True)], lr=1.0), 3)},
            ValueError,
            "another optim",
        ),
        (ZEROS, LABELS, {"callbacks": nn.EarlyStopping()}, TypeError, "expected a list"),
        (ZEROS, LABELS, {"callbacks": None}, TypeError, "callbacks=None"),
        (ZEROS, LABELS, {"clip_norm": "1"}, TypeError, "clip_norm='1'"),
        (ZEROS, LABELS, {"callbacks": [3]}, TypeError, "3 is no callback"),
        (ZEROS, LABELS, {"callbacks": [nn.EarlyStopping]}, TypeError, "no callback"),
        (ZEROS, LABELS, {"metrics": ["acuracy"]}, ValueError, "no metric 'acuracy'"),
        (ZEROS, LABELS, {"metrics": 3}, TypeError, "3 is no metric"),
        (ZEROS, LABELS, {"validation_data": ZEROS}, TypeError, "pair"),
        (ZEROS, LABELS, {"validation_data": (ZEROS, LABELS[1:])}, ValueError, "validation X has 90 rows"),
        (ZEROS, LABELS, {"validation_data": (ZEROS, LABELS * 2)}, ValueError, "label 4 in row 60 of validation y"),
        (ZEROS, LABELS, {"validation_data": (np.zeros((9, 5)), LABELS[:9])}, ValueError, r"got \(1, 5\)"),
        (ZEROS, np.where(np.arange(90) == 80, 3, 0), {"loss": nn.nll_loss}, ValueError, "label 3 at row 80"),
        (ZEROS, LABELS, {"save_to": __file__}, NotADirectoryError, "is a file: save_to is a folder"),
        (ZEROS, LABELS, {"schedule_per": "batch"}, ValueError, "schedule_per is 'batch'"),
        (ZEROS, LABELS, {"loss": nn.mse_loss}, ValueError, r"\(90, 3\)"),
        (ZEROS, LABELS, {"loss": lambda o, t: 1.0}, TypeError, "the loss gave float, expected a tensor"),
        (
            ZEROS,
            LABELS,
            {"metrics": [lambda o, t: 1.0, lambda o, t: 2.0]},
            ValueError,
            "two measures would be called '<lambda>'",
        ),
        (ZEROS, LABELS, {"metrics": [named("loss")]}, ValueError, "two measures would be called 'loss'"),
        ({"a": np.arange(1000)}, LABELS, {}, TypeError, r"it holds \{'a': array\(\[.{,60}, expected real numbers"),
        (ZEROS, LABELS, {"loss": lambda o, t: o[:, 0]}, ValueError, "one number per batch"),
        (ZEROS, LABELS, {"clip_norm": 0.0}, ValueError, "clip_norm"),
        (ZEROS, LABELS, {"clip_value": -1}, ValueError, "clip_value"),
        (np.zeros((90, 5)), LABELS, {}, ValueError, "5"),
    ],
)
def test_bad_input_is_refused_before_the_first_step(X, y, options, error, text):
    model = network()
    before = model.state_dict()
    with pytest.raises(error, match=text):
        nn.fit(model, X, y, **{"epochs": 1} | options)
    assert_same(before, model.state_dict())
    assert model.training


# -- stopping early, and being stopped -----------------------------------------------------------
def test_early_stopping_restores_the_best_weights(blobs):
    X, y = blobs
    seen = []
    stopping = nn.EarlyStopping("val_loss", patience=2)
    model = network()
    history = nn.fit(
        model, X, y, epochs=50, seed=0, optimizer=nn.SGD(model.parameters(), lr=8.0), validation_data=(X, y),
        callbacks=[lambda t: seen.append(t.model.state_dict()), stopping],
    )  # fmt: skip
    best = history.best("val_loss")
    assert history.epochs == best + 3 < 50
    assert history.stopped.startswith("no better val_loss for 2 epochs")
    assert_same(seen[best], model.state_dict())


def test_early_stopping_knows_which_way_is_better(blobs):
    assert nn.EarlyStopping("val_accuracy").sign == -1
    assert nn.EarlyStopping("val_loss").sign == 1
    assert nn.EarlyStopping("val_f1").sign == -1
    assert nn.EarlyStopping("mean_logit", mode="max").sign == -1
    for unclear in ("mean_logit", "f1_loss"):
        with pytest.raises(
            ValueError, match=f"'{unclear}' is better when it falls or when it rises is unknown: give mode"
        ):
            nn.EarlyStopping(unclear)
    with pytest.raises(TypeError, match="monitor=None, expected the name"):
        nn.EarlyStopping(None)
    with pytest.raises(ValueError, match=r"watches 'val_loss'.*validation_data"):
        trained(*blobs, callbacks=[nn.EarlyStopping()])


def test_the_best_epoch_is_that_of_the_least_loss_and_the_greatest_accuracy():
    history = nn.History()
    for loss, accuracy, logit in [(0.9, 0.5, 1.0), (0.4, 0.8, 3.0), (0.6, 0.7, 2.0)]:
        history.append({"loss": loss, "val_accuracy": accuracy, "mean_logit": logit})
    assert history.best("loss") == history.best("val_accuracy") == history.best("mean_logit", "max") == 1
    assert history.best("val_accuracy", mode="min") == 0
    with pytest.raises(ValueError, match="'mean_logit' is better when it falls or when it rises is unknown"):
        history.best("mean_logit")
    with pytest.raises(ValueError, match="mode='least', expected 'min' or 'max'"):
        history.best("loss", "least")


@pytest.mark.parametrize(("patience", "error"), [(0, ValueError), (float("nan"), ValueError), ("3", TypeError)])
def test_patience_is_a_number_of_epochs(patience, error):
    with pytest.raises(error, match="patience="):
        nn.EarlyStopping(patience=patience)


def test_callbacks_are_called_in_order_and_can_stop(blobs):
    calls = []

    class Spy(nn.Callback):
        def on_start(self, training):
            calls.append("start")

        def on_batch_end(self, training):
            calls.append(training.step)

        def on_epoch_end(self, training):
            calls.append(f"epoch {training.epoch}")
            if training.epoch == 2:
                training.stop("enough")

        def on_end(self, training):
            calls.append("end")

    _, history = trained(*blobs, epochs=5, batch_size=45, callbacks=[Spy()])
    assert calls == ["start", 1, 2, "epoch 1", 3, 4, "epoch 2", "end"]
    assert history.stopped == "enough"


def test_ctrl_c_gives_the_history_so_far(blobs):
    def interrupt(training):
        if training.epoch == 2:
            raise KeyboardInterrupt

    weights, history = trained(*blobs, epochs=9, callbacks=[interrupt])
    assert history.epochs == 2
    assert history.stopped == "interrupted"
    assert_same(weights, trained(*blobs, epochs=2)[0])


def test_ctrl_c_between_two_lines_leaves_no_mode_switched(blobs):
    """It may come when a scope or a mode was entered and `with` doesn't know yet."""

    def interrupted(output, target):
        if output.requires_grad:
            mg.no_grad().__enter__()
            mg.scope("never left").__enter__()
            np.seterr(all="raise")
            raise KeyboardInterrupt
        return nn.cross_entropy(output, target)

    before = np.geterr()
    assert trained(*blobs, loss=interrupted)[1].stopped == "interrupted"
    x = mg.tensor(2.0, requires_grad=True) * 3
    assert x.requires_grad
    assert x.scope is None
    assert np.geterr() == before


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "replace")])
def test_ctrl_c_while_saving_gives_the_history_so_far_and_a_whole_file(blobs, tmp_path, monkeypatch, owner, name):
    """At the start, after the first epoch; just after what is interrupted was done."""
    real, calls = getattr(owner, name), []

    def interrupted(*arguments, **options):
        done = real(*arguments, **options)
        calls.append(name)
        if len(calls) == at:
            raise KeyboardInterrupt
        return done

    for at in (1, 2, 3, 4):
        calls.clear()
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, interrupted)
            _, history = trained(*blobs, epochs=3, save_to=tmp_path / str(at))
        assert history.stopped == "interrupted" or len(calls) < at
        assert_same(trained(*blobs, epochs=3, save_to=tmp_path / str(at))[0], trained(*blobs, epochs=3)[0])
        assert [p.name for p in (tmp_path / str(at)).iterdir()] == ["checkpoint.safetensors"]


def test_an_error_in_a_callback_leaves_the_model_usable(blobs):
    X, y = blobs
    model = network()

    def fail(training):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        nn.fit(model, X, y, epochs=3, callbacks=[fail])
    assert not model.training
    assert all(p.grad is None for p in model.parameters())
    assert nn.fit(model, X, y, epochs=1).epochs == 1


# -- numbers that go wrong ---------------------------------------------------------------------------
def test_non_finite_loss_names_the_op_and_keeps_the_weights(blobs):
    X, y = blobs
    model = network(sizes=(2, 3))
    before = model.state_dict()

    def broken(output, target):
        return np.mean(np.log(output - 1e3))

    with pytest.raises(FloatingPointError, match=r"the loss became nan in step 1 \(epoch 1\): `log` gave nan"):
        nn.fit(model, X, y, loss=broken, epochs=1)
    assert_same(before, model.state_dict())


def test_non_finite_gradient_names_the_op_and_keeps_the_weights(blobs):
    X, y = blobs
    model = network(sizes=(2, 3))
    for p in model.parameters():
        p.data = np.zeros_like(p.data)

    explode = mg.op(lambda x: x, lambda g, y, x: g * np.inf, name="explode", elementwise=True)
    with pytest.raises(FloatingPointError, match=r"the gradient of .* became NaN or infinite.*explode"):
        nn.fit(model, X, y, loss=lambda o, t: np.mean(explode(o)), epochs=1)
    assert all((p.data == 0).all() for p in model.parameters())


class Fragile(nn.Module):
    """Divides by a dropout's zeros, after statistics were taken."""

    def __init__(self):
        self.dense, self.norm = nn.Dense(2, 3, seed=0), nn.BatchNorm(3)
        self.dropout = nn.Dropout(0.002, seed=0)

    def forward(self, x):
        y = self.norm(self.dense(x))
        return y / self.dropout(np.ones(y.shape))


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_failing_step_is_repeated_with_its_own_dropout_and_leaves_no_trace(blobs, accumulate):
    model, seen = Fragile(), []

    class Look(nn.Callback):
        def on_batch_end(self, training):
            seen.append((model.state_dict(), copy.deepcopy(model.dropout.rng)))

    options = {"batch_size": 10, "accumulate": accumulate, "callbacks": [Look()], "seed": 1}
    with pytest.raises(FloatingPointError, match=r"`divide` gave -?inf"):
        nn.fit(model, *blobs, epochs=100, **options)
    state, draws = seen[-1]
    assert_same(state, model.state_dict())
    assert model.dropout.rng.random() == draws.random()


def test_what_overflows_in_the_networks_dtype_is_told_of_first(blobs):
    model = nn.MLP([2, 3], dtype=np.float32, seed=0)
    with pytest.raises(ValueError, match=r"X as float32 holds -?inf"):
        nn.fit(model, blobs[0] * 1e300, blobs[1])


def test_an_output_has_a_row_for_each_row(blobs):
    with pytest.raises(ValueError, match=r"shape \(\) for one row"):
        nn.fit(nn.Sequential(nn.Dense(2, 3), np.sum), *blobs)


def test_early_stopping_asks_for_validation_only_where_there_is_none(blobs):
    for options, text in [({}, "; give validation_data"), ({"validation_data": blobs}, "val_accuracy$")]:
        with pytest.raises(ValueError, match=f"'val_losss', which isn't measured.*{text}"):
            trained(*blobs, callbacks=[nn.EarlyStopping("val_losss")], **options)


def test_a_frozen_network_is_told_of_and_a_frozen_layer_stays(blobs):
    model = network()
    for p in model.parameters():
        p.requires_grad = False
    with pytest.raises(ValueError, match="all parameters are frozen"):
        nn.fit(model, *blobs)
    model.layers[1].W.requires_grad = True
    before = model.state_dict()
    optimizer = nn.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    nn.fit(model, *blobs, optimizer=optimizer, epochs=1, clip_norm=1.0, seed=0)
    changed = [name for name, value in model.state_dict().items() if not np.array_equal(before[name], value)]
    assert changed == ["layers.1.W"]


def test_only_networks_are_trained(blobs):
    with pytest.raises(TypeError, match=r"expected an nn\.Module"):
        nn.fit(lambda x: x, *blobs)
    with pytest.raises(TypeError, match="has it parameters"):
        nn.fit(nn.Flatten(), *blobs)


def test_a_huge_learning_rate_is_told_what_to_do(blobs):
    X, y = blobs
    model = network(sizes=(2, 3))
    optimizer = nn.SGD(model.parameters(), lr=1e200)
    with pytest.raises(FloatingPointError, match="Try a learning rate below 1e\\+200"):
        nn.fit(model, X * 1e200, y, optimizer=optimizer, epochs=5)


# -- the bar -----------------------------------------------------------------------------------------
SCRIPT = textwrap.dedent(
    """
    import sys
    import numpy as np
    from microgradnd import nn
    model = nn.MLP([2, 3, 2], seed=0)
    nn.fit(model, np.zeros((64, 2)), np.zeros(64, int), epochs=3, progress="--quiet" not in sys.argv)
    """
)


def watched(*arguments):
    """What a script prints to a terminal."""
    main, child = pty.openpty()
    termios.tcsetwinsize(child, (24, 120))
    with subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], stderr=child, stdout=child) as process:
        os.close(child)
        printed = b""
        while True:
            try:
                got = os.read(main, 4096)
            except OSError:
                break
            if not got:
                break
            printed += got
    os.close(main)
    assert process.returncode == 0
    return printed.decode()


def test_a_bar_in_a_terminal_and_only_there():
    shown = watched()
    assert "epoch 3/3" in shown
    assert "loss=" in shown
    assert "accuracy=1" in shown
    assert "6/6" in shown
    assert watched("--quiet") == ""
    logged = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    assert logged.stderr == logged.stdout == b""


class ZMQInteractiveShell:
    pass


class TerminalInteractiveShell:
    pass


@pytest.mark.parametrize(
    ("shell", "seen"),
    [(ZMQInteractiveShell, True), (type("Shell", (ZMQInteractiveShell,), {}), True), (TerminalInteractiveShell, False)],
    ids=["Jupyter", "Colab", "IPython without a terminal"],
)
def test_a_bar_in_notebooks_of_every_kind(blobs, monkeypatch, shell, seen):
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=shell))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    trained(*blobs)
    assert ("9/9" in sys.stderr.getvalue()) == seen


def test_no_standard_error_at_all(blobs, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert trained(*blobs)[1].epochs == 3
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert trained(*blobs)[1].epochs == 3
