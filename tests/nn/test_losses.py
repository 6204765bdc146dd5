"""Losses: values against their definitions, gradients, extremes, reductions, and targets that don't fit."""

import itertools
from typing import Any

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn

Z = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.2], [-0.4, 0.8, 0.1], [0.0, 0.0, 0.0]])
Y = np.array([2, 0, 1, 1])
ROWS = np.arange(4)
P = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 0.6, 0.4], [0.3, 0.3, 0.4]])
W = np.array([1.0, 2.0, 0.5])
LOG_Q = Z - np.log(np.exp(Z).sum(1, keepdims=True))
SIGNS = np.where(P > 0.35, 1, -1)
T = Z[::-1] * 1.7


def value(x: Any) -> float:
    return float(x.item() if isinstance(x, mg.Tensor) else x)


def smoothed(eps: float) -> np.ndarray:
    return (1 - eps) * np.eye(3)[Y] + eps / 3


DEFINITIONS: dict[str, tuple[Any, float]] = {
    "indices": (lambda z: nn.cross_entropy(z, Y), -LOG_Q[ROWS, Y].mean()),
    "int32 and lists": (lambda z: nn.cross_entropy(z, Y.astype(np.int32).tolist()), -LOG_Q[ROWS, Y].mean()),
    "whole floats": (lambda z: nn.cross_entropy(z, Y.astype(float)), -LOG_Q[ROWS, Y].mean()),
    "sequences": (lambda z: nn.cross_entropy(z.reshape(2, 2, 3), Y.reshape(2, 2)), -LOG_Q[ROWS, Y].mean()),
    "probabilities": (lambda z: nn.cross_entropy(z, P), -(P * LOG_Q).sum(1).mean()),
    "one-hot integers": (lambda z: nn.cross_entropy(z, np.eye(3, dtype=int)[Y]), -LOG_Q[ROWS, Y].mean()),
    "sum": (lambda z: nn.cross_entropy(z, Y, reduction="sum"), -LOG_Q[ROWS, Y].sum()),
    "weighted": (lambda z: nn.cross_entropy(z, Y, weight=W), -(W[Y] * LOG_Q[ROWS, Y]).sum() / W[Y].sum()),
    "weighted sum": (lambda z: nn.cross_entropy(z, Y, weight=W, reduction="sum"), -(W[Y] * LOG_Q[ROWS, Y]).sum()),
    "smoothed": (lambda z: nn.cross_entropy(z, Y, label_smoothing=0.1), -(smoothed(0.1) * LOG_Q).sum(1).mean()),
    "smoothed and weighted": (
        lambda z: nn.cross_entropy(z, Y, weight=W, label_smoothing=0.1),
        -(smoothed(0.1) * W * LOG_Q).sum() / W[Y].sum(),
    ),
    "nll": (lambda z: nn.nll_loss(nn.log_softmax(z), Y), -LOG_Q[ROWS, Y].mean()),
    "nll, weighted": (
        lambda z: nn.nll_loss(nn.log_softmax(z), Y, weight=W),
        -(W[Y] * LOG_Q[ROWS, Y]).sum() / W[Y].sum(),
    ),
    "kl": (lambda z: nn.kl_divergence(z, P), (P * (np.log(np.where(P > 0, P, 1)) - LOG_Q)).sum(1).mean()),
    "binary": (
        lambda z: nn.binary_cross_entropy(z, P),
        -(P * np.log(1 / (1 + np.exp(-Z))) + (1 - P) * np.log(1 / (1 + np.exp(Z)))).mean(),
    ),
    "hinge": (lambda z: nn.hinge_loss(z, SIGNS), np.maximum(0, 1 - SIGNS * Z).mean()),
    "mse": (lambda z: nn.mse_loss(z, T), ((Z - T) ** 2).mean()),
    "mae": (lambda z: nn.mae_loss(z, T), np.abs(Z - T).mean()),
    "huber": (
        lambda z: nn.huber_loss(z, T, delta=0.9),
        np.where(np.abs(Z - T) < 0.9, 0.5 * (Z - T) ** 2, 0.9 * (np.abs(Z - T) - 0.45)).mean(),
    ),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_values_and_gradients(name: str) -> None:
    loss, expected = DEFINITIONS[name]
    assert value(loss(Z)) == pytest.approx(expected, rel=1e-13)
    assert mg.gradcheck(loss, Z, order=2)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_float32_stays_float32(name: str) -> None:
    z = mg.tensor(Z, requires_grad=True, dtype=np.float32)
    loss = DEFINITIONS[name][0](z)
    assert loss.dtype == np.float32
    loss.backward()
    assert z.grad.dtype == np.float32
    assert loss.item() == pytest.approx(DEFINITIONS[name][1], rel=1e-5)


def test_targets_may_require_gradients() -> None:
    assert mg.gradcheck(lambda t: nn.cross_entropy(Z, nn.softmax(t)), Z[::-1], order=2)
    assert mg.gradcheck(lambda t: nn.binary_cross_entropy(Z, nn.sigmoid(t)), Z[::-1])
    assert mg.gradcheck(lambda t: nn.mse_loss(Z, t), T)


@pytest.mark.parametrize("scale", [1e4, 1e300])
def test_any_finite_logit_gives_a_finite_loss_and_gradient(scale: float) -> None:
    y, gradients = np.array([0, 1]), [[0, 0], [0.5, -0.5]]
    z = mg.tensor([[scale, -scale], [scale, -scale]], requires_grad=True)
    loss = nn.cross_entropy(z, y)
    loss.backward()
    assert loss.item() == scale
    assert z.grad.tolist() == gradients
    terms = nn.cross_entropy(z, np.eye(2)[y], reduction="none")
    assert terms.data.tolist() == [0, 2 * scale]
    assert mg.gradients(terms, [z], np.array([0.5, 0.5]))[0].data.tolist() == gradients
    z = mg.tensor([scale, -scale, scale, -scale], requires_grad=True)
    loss = nn.binary_cross_entropy(z, [1, 0, 0, 1], reduction="sum")
    loss.backward()
    assert loss.item() == 2 * scale
    assert z.grad.tolist() == [0, 0, 1, -1]


def test_a_logit_of_minus_infinity() -> None:
    z = mg.tensor([[-np.inf, 0.0]], requires_grad=True)
    for target in ([0], np.array([0]), [[1.0, 0.0]]):
        assert nn.cross_entropy(z, target).item() == np.inf
        np.testing.assert_array_equal(mg.gradients(nn.cross_entropy(z, target), [z])[0].data, [[-1, 1]])
    for target in ([1], [[0.0, 1.0]]):
        assert nn.cross_entropy(z, target).item() == 0


def test_the_slope_of_sigmoid_cross_entropy_at_zero_and_one_half_is_zero() -> None:
    z = mg.tensor([0.0], requires_grad=True)
    nn.binary_cross_entropy(z, [0.5]).backward()
    assert z.grad.tolist() == [0]


@pytest.mark.parametrize(
    "layout",
    [np.asfortranarray, lambda z: np.repeat(z, 2, axis=0)[::2], lambda z: z[:, ::-1].copy()[:, ::-1]],
    ids=["columns", "every other row", "backwards"],
)
def test_the_logits_layout_makes_no_difference(layout: Any) -> None:
    z, plain = mg.astensor(layout(Z), requires_grad=True), mg.tensor(Z, requires_grad=True)
    for x in (z, plain):
        nn.cross_entropy(x, Y).backward()
    np.testing.assert_allclose(z.grad, plain.grad, rtol=1e-14)


CASES: dict[str, tuple[Any, type[Exception], str]] = {
    "out of range": (lambda: nn.cross_entropy(np.zeros((40, 10)), np.where(np.arange(40) == 37, 10, 0)), ValueError,
                     r"^label 10 at row 37, but logits have 10 columns: labels go 0\.\.9$"),
    "negative": (lambda: nn.cross_entropy(Z, np.array([0, -1, 0, 0])), ValueError, "label -1 at row 1"),
    "fraction": (lambda: nn.cross_entropy(Z, [0, 1, 0.5, 0]), ValueError, "label 0.5 at row 2.*whole number"),
    "nan": (lambda: nn.cross_entropy(Z, [0, np.nan, 0, 0]), ValueError, "label nan at row 1"),
    "bool": (lambda: nn.cross_entropy(Z, Y > 0), TypeError, "dtype bool"),
    "strings": (lambda: nn.cross_entropy(Z, ["a", "b", "a", "b"]), TypeError, "return_inverse"),
    "column": (lambda: nn.cross_entropy(Z, Y[:, None]), ValueError, r"shape \(4, 1\).*target.ravel\(\)"),
    "length": (lambda: nn.cross_entropy(Z, Y[:3]), ValueError, r"\(3,\) doesn't fit logits of shape \(4, 3\)"),
    "class count": (lambda: nn.cross_entropy(Z, np.eye(4)[Y]), ValueError, r"\(4, 4\) doesn't fit"),
    "rows": (lambda: nn.cross_entropy(Z, P * 0.9), ValueError, "row 0 of target is no distribution: it sums to 0.9"),
    "zero row": (lambda: nn.cross_entropy(Z, P * [[1], [1], [0], [1]]), ValueError, "row 2 .* sums to 0"),
    "negative probability": (lambda: nn.cross_entropy(Z, P + [[0.5, -0.5, 0]]), ValueError, "least element of -0.2"),
    "scalar": (lambda: nn.cross_entropy(3.0, 0), ValueError, "single number"),
    "smoothing": (lambda: nn.cross_entropy(Z, Y, label_smoothing=2), ValueError, "label_smoothing=2"),
    "smoothing text": (lambda: nn.cross_entropy(Z, Y, label_smoothing="a"), TypeError, "label_smoothing='a' is str"),
    "reduction": (lambda: nn.cross_entropy(Z, Y, reduction="avg"), ValueError, "'mean', 'sum' or 'none'"),
    "weights": (lambda: nn.cross_entropy(Z, Y, weight=[1, 2]), ValueError, "3 of them"),
    "nll": (lambda: nn.nll_loss(LOG_Q, [0, 1, 2, 3]), ValueError, "label 3 at row 3"),
    "infinite label": (lambda: nn.cross_entropy(Z, [0, np.inf, 1, 1]), ValueError, "label inf at row 1"),
    "no target": (lambda: nn.mse_loss(Z, None), TypeError, "target is None"),
    "text": (lambda: nn.binary_cross_entropy(Z[:, 0], ["a"] * 4), TypeError, "target has dtype <U1"),
    "mse": (lambda: nn.mse_loss(np.ones((4, 1)), np.ones(4)), ValueError,
            r"\(4, 1\) and target \(4,\).*target.reshape\(-1, 1\)"),
    "mse, swapped": (lambda: nn.mse_loss(np.ones(4), np.ones((4, 1))), ValueError, r"target.reshape\(4,\)"),
    "binary": (lambda: nn.binary_cross_entropy(np.ones(2), [0, 2]), ValueError, "target 2, expected 0 or 1"),
    "hinge": (lambda: nn.hinge_loss(np.ones(2), [0, 1]), ValueError, r"2 \* t - 1"),
    "huber": (lambda: nn.huber_loss(Z, T, delta=0), ValueError, "delta=0"),
    "one-hot rows for nll": (lambda: nn.nll_loss(LOG_Q, np.eye(3)[Y]), ValueError,
                             r"expected class indices of shape \(4,\): use target.argmax\(axis=-1\)$"),
    "channels first": (lambda: nn.cross_entropy(np.zeros((2, 3, 5, 4)), np.zeros((2, 5, 4), int)), ValueError,
                       r"the classes are the last axis, use np.moveaxis\(logits, 1, -1\)"),
    "infinite weight": (lambda: nn.cross_entropy(Z, Y, weight=[1, np.inf, 1]), ValueError, "one number >= 0 per class"),
    "no labels": (lambda: nn.cross_entropy(Z, None), TypeError, "target is None"),
    "masked labels": (lambda: nn.cross_entropy(Z, np.ma.masked_array(Y, Y > 1)), TypeError, "mask would be lost"),
    "masked numbers": (lambda: nn.huber_loss(Z, np.ma.masked_array(T, T > 1)), TypeError, "mask would be lost"),
    "masked probabilities": (lambda: nn.kl_divergence(Z, np.ma.masked_array(P)), TypeError, "mask would be lost"),
    "masked predictions": (lambda: nn.mse_loss(np.ma.masked_array(Z), T), TypeError, "lose the mask"),
    "complex predictions": (lambda: nn.mae_loss(Z * 1j, T), TypeError, "complex numbers"),
    "complex probabilities": (lambda: nn.cross_entropy(Z, P * 1j), TypeError, "target has dtype complex128"),
    "no prediction": (lambda: nn.mse_loss(None, [1.0]), TypeError, "NoneType"),
    "text for predictions": (lambda: nn.binary_cross_entropy(["a"], [1]), TypeError, "<U1"),
    "kl": (lambda: nn.kl_divergence(Z, Y), ValueError, r"probabilities of shape \(4, 3\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_targets_that_do_not_fit_are_named(name: str) -> None:
    act, kind, text = CASES[name]
    with pytest.raises(kind, match=text):
        act()


def test_a_single_class_costs_nothing_and_no_rows_have_no_mean() -> None:
    assert value(nn.cross_entropy(np.ones((3, 1)), np.zeros(3, int))) == 0
    with pytest.warns(RuntimeWarning):
        assert np.isnan(value(nn.cross_entropy(np.ones((0, 3)), np.zeros(0, int))))
    assert value(nn.cross_entropy(np.ones((0, 3)), np.zeros(0, int), reduction="sum")) == 0


def test_predictions_may_be_lists_and_integers() -> None:
    assert value(nn.mse_loss([1, 2], [1, 4])) == 2
    assert value(nn.binary_cross_entropy([0, 0], [1, 0])) == pytest.approx(np.log(2))
    for z, y in itertools.product(([[0, 0], [0, 0]], np.zeros((2, 2), int)), ([1, 0], np.array([1, 0]))):
        assert value(nn.cross_entropy(z, y)) == pytest.approx(np.log(2))


def test_rows_without_weight_have_no_loss() -> None:
    z = mg.tensor(Z, requires_grad=True)
    for loss in (nn.cross_entropy(z, np.zeros(4, int), weight=[0, 1, 1]), nn.nll_loss(z, [0] * 4, weight=[0, 1, 1])):
        loss.backward()
        assert value(loss) == 0
        assert (z.grad == 0).all()


def test_labels_are_not_changed_by_the_loss() -> None:
    target = Y.copy()
    target.flags.writeable = False
    nn.cross_entropy(mg.tensor(Z, requires_grad=True), target).backward()
    assert (target == Y).all()
