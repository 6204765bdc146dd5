"""The gradient check of networks: each layer, loss and activation, and what is said of a wrong one."""

import numpy as np
import pytest

import microgradnd as mg
import microgradnd.nn as nn

rng = np.random.default_rng(0)
X = rng.normal(size=(5, 4))
LABELS = np.array([0, 2, 1, 1, 0])
ACTIVATIONS = [
    "relu", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "silu", "softplus", "soft_sign", "hard_tanh",
    "sigmoid", "tanh", "softmax", "log_softmax",
]  # fmt: skip
LOSSES = {
    "cross_entropy": LABELS,
    "nll_loss": LABELS,
    "kl_divergence": rng.dirichlet([1.0, 1.0, 1.0], 5),
    "binary_cross_entropy": rng.uniform(0, 1, (5, 3)),
    "mse_loss": rng.normal(size=(5, 3)),
    "mae_loss": rng.normal(size=(5, 3)),
    "huber_loss": rng.normal(size=(5, 3)),
    "hinge_loss": rng.choice([-1.0, 1.0], (5, 3)),
}
PICTURES = rng.normal(size=(2, 2, 4, 4))
SEQUENCES = rng.normal(size=(2, 3, 4))
WORDS = np.array([[0, 2, 2], [4, 0, 1]])
LAYERS = {  # each with what it is called with; a layer without parameters stands behind one that has some
    "dense": (lambda: nn.Dense(4, 3, seed=0), X),
    "dense without bias": (lambda: nn.Dense(4, 3, bias=False, seed=0), SEQUENCES),
    "mlp": (lambda: nn.MLP([4, 3, 2], seed=0), X),
    "dropout asleep": (lambda: nn.Sequential(nn.Dense(4, 3, seed=0), nn.Dropout(0.5)).eval(), X),
    "convolution": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1, seed=0), PICTURES),
    "convolution to the edge": (lambda: nn.Conv2d(2, 2, (2, 3), bias=False, seed=0), PICTURES),
    "largest of windows": (lambda: nn.Sequential(nn.Conv2d(2, 2, 1, seed=0), nn.MaxPool2d(2)), PICTURES),
    "overlapping windows": (lambda: nn.Sequential(nn.Conv2d(2, 2, 1, seed=0), nn.MaxPool2d(3, stride=1)), PICTURES),
    "mean of windows": (lambda: nn.Sequential(nn.Conv2d(2, 2, 1, seed=0), nn.AvgPool2d(2)), PICTURES),
    "flatten": (lambda: nn.Sequential(nn.Conv2d(2, 1, 2, seed=0), nn.Flatten(), nn.Dense(9, 2, seed=1)), PICTURES),
    "layer norm": (lambda: nn.Sequential(nn.Dense(4, 3, seed=0), nn.LayerNorm(3)), X),
    "batch norm in training": (lambda: nn.Sequential(nn.Dense(4, 3, seed=0), nn.BatchNorm(3)), X),
    "batch norm in use": (lambda: nn.Sequential(nn.Dense(4, 3, seed=0), nn.BatchNorm(3)).eval(), X),
    "batch norm of pictures": (lambda: nn.Sequential(nn.Conv2d(2, 2, 2, seed=0), nn.BatchNorm(2)), PICTURES),
    "gru": (lambda: nn.GRU(4, 3, seed=0), SEQUENCES),
    "gru, last state": (lambda: nn.GRU(4, 3, last=True, seed=0), SEQUENCES),
    "attention": (lambda: nn.MultiHeadAttention(4, 2, seed=0), SEQUENCES),
    "causal attention": (lambda: nn.MultiHeadAttention(4, 2, causal=True, seed=0), SEQUENCES),
    "embedding": (lambda: nn.Embedding(5, 3, seed=0), WORDS),
    "residual": (lambda: nn.Residual(nn.Dense(4, 4, activation="tanh", seed=0)), X),
}
square = mg.op(np.square, lambda g, y, x: g * x, name="square_bad", elementwise=True)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation, order):
    function = getattr(nn, activation)
    assert mg.gradcheck(lambda x: function(x), X, order=order)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss, order):
    model = nn.Dense(4, 3, activation="log_softmax" if loss == "nll_loss" else None, seed=1)
    assert nn.gradcheck(model, getattr(nn, loss), X, LOSSES[loss], order=order)


CHECKS = [(layer, order) for layer in LAYERS for order in (1, 2)]
SLOW = {("gru", 2), ("attention", 2), ("causal attention", 2)}  # "gru, last state" stands for them by day


@pytest.mark.parametrize(
    ("layer", "order"), [pytest.param(*check, marks=pytest.mark.slow if check in SLOW else ()) for check in CHECKS]
)
def test_every_layer(layer, order):
    make, x = LAYERS[layer]
    model = make()
    report = nn.gradcheck(model, lambda out: np.sum(np.sin(out) + 0.1 * out * out), x, order=order)
    assert report
    names = [name for name, _ in model.named_parameters()]
    again = [f"{name} (second order)" for name in names] + ["cotangent (second order)"]
    assert [checked.name for checked in report.inputs] == names + again * (order == 2)
    # The check's own rtol. One NumPy's BLAS rounds an attention gradient of nearly 0 to 1e-8 of itself, another's not.
    assert report.max_error < 1e-6


def test_no_layer_is_forgotten():
    parts = {type(part) for make, _ in LAYERS.values() for part in make().modules()}
    layers = {c for c in vars(nn).values() if isinstance(c, type) and issubclass(c, nn.Module)}
    assert layers - {nn.Module} <= parts


def test_parameters_are_checked_by_name_and_left_alone():
    model = nn.MLP([4, 3, 3], activation="tanh", seed=0)
    before = {name: p.data.copy() for name, p in model.named_parameters()}
    report = nn.gradcheck(model, nn.cross_entropy, X, LABELS)
    assert [x.name for x in report.inputs] == list(before)
    assert report.max_error < 1e-8
    for name, p in model.named_parameters():
        np.testing.assert_array_equal(p.data, before[name])
        assert p.grad is None


def test_a_wrong_op_in_a_network_is_named_with_the_parameters_it_spoils():
    class Squared(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.outer = nn.Dense(4, 3, seed=0), nn.Dense(3, 3, seed=1)

        def forward(self, x):
            return self.outer(square(self.inner(x)))

    with pytest.raises(mg.GradcheckError, match="op `square_bad` is wrong") as caught:
        nn.gradcheck(Squared(), nn.cross_entropy, X, LABELS)
    wrong = {e.input for e in caught.value.report.failures}
    assert wrong == {"inner.W", "inner.b"}
    assert "a constant factor 0.5" in str(caught.value)


def test_dropout_in_training_is_said_to_be_random():
    model = nn.Sequential(nn.Dense(4, 3, seed=0), nn.Dropout(0.5))
    with pytest.raises(mg.GradcheckError, match="not deterministic"):
        nn.gradcheck(model, nn.cross_entropy, X, LABELS)
    assert nn.gradcheck(model.eval() or model, nn.cross_entropy, X, LABELS)
