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
