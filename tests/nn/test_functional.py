"""Networks as functions of their parameters, and their summary."""

import collections
from typing import Any, NamedTuple

import numpy as np
import pytest

import microgradnd as mg
from microgradnd import nn

X = np.linspace(-1, 1, 12).reshape(4, 3)
Y = np.array([0, 1, 1, 0])


def arrays(model: nn.Module) -> dict[str, Any]:
    return {name: p.data.copy() for name, p in model.named_parameters()}


def test_it_equals_the_model_and_leaves_it_alone() -> None:
    model, other = nn.MLP([3, 4, 2], seed=0), nn.MLP([3, 4, 2], seed=1)
    before = model.state_dict()
    np.testing.assert_array_equal(nn.functional_call(model, arrays(other), X), other(X).data)
    assert all((before[name] == value).all() for name, value in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())
    swapped = nn.functional_call(model, {"layers.0.b": np.full(4, 9.0)}, X)
    assert swapped.requires_grad, "what is not named stays the model's own"


def test_gradients_equal_backward() -> None:
    model = nn.MLP([3, 4, 2], seed=0)
    gradients = mg.grad(lambda p: nn.cross_entropy(nn.functional_call(model, p, X), Y))(arrays(model))
    nn.cross_entropy(model(X), Y).backward()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(gradients[name], p.grad, rtol=1e-12)


def test_hessian_vector_products_and_jacobians() -> None:
    model = nn.MLP([3, 2], seed=0)
    params = arrays(model)
    loss = lambda p: nn.cross_entropy(nn.functional_call(model, p, X), Y)  # noqa: E731
    v = {name: np.ones_like(p) for name, p in params.items()}
    product = mg.hvp(loss, (params,), (v,))
    product = product[0] if isinstance(product, tuple) else product
    h = 1e-5
    up, down = (mg.grad(loss)({k: p + s * h for k, p in params.items()}) for s in (1, -1))
    for name in params:
        np.testing.assert_allclose(product[name], (up[name] - down[name]) / (2 * h), atol=1e-8)
    J = mg.jacobian(lambda W: nn.functional_call(model, {"layers.0.W": W}, X[0]).detach() * 0 + X[0] @ W)(
        params["layers.0.W"]
    )
    assert np.shape(J) == (2, 3, 2)


class Pair(NamedTuple):
    first: nn.Dense
    second: nn.Dense


@pytest.mark.parametrize(
    "hold",
    [list, tuple, lambda parts: Pair(*parts), lambda parts: dict(enumerate(parts)),
     lambda parts: collections.OrderedDict(enumerate(parts)), lambda parts: [{"deep": (parts,)}],
     lambda parts: type("Parts", (list,), {})(parts)],
    ids=["list", "tuple", "named tuple", "dict", "ordered dict", "nested", "subclass"],
)  # fmt: skip
def test_parameters_are_exchanged_wherever_parts_are_kept(hold: Any) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            self.parts = hold([nn.Dense(3, 4, "tanh", seed=0), nn.Dense(4, 2, seed=1)])

        def forward(self, x: Any) -> Any:
            parts = self.parts[0]["deep"][0] if isinstance(self.parts[0], dict) else self.parts
            assert type(self.parts) is type(hold([1, 2])) or type(self.parts).__name__ == "Parts"
            return parts[1](parts[0](x))

    model, plain = Net(), nn.Sequential(nn.Dense(3, 4, "tanh", seed=0), nn.Dense(4, 2, seed=1))
    found = mg.grad(lambda p: nn.cross_entropy(nn.functional_call(model, p, X), Y))(arrays(model))
    expected = mg.grad(lambda p: nn.cross_entropy(nn.functional_call(plain, p, X), Y))(arrays(plain))
    for a, b in zip(found.values(), expected.values(), strict=True):
        assert b.any()
        np.testing.assert_array_equal(a, b)


def test_shared_layers_stay_shared_and_statistics_are_kept() -> None:
    shared = nn.Dense(3, 3, seed=0)
    model = nn.Sequential(shared, shared, nn.BatchNorm(3))
    params = {"layers.0.W": 2 * np.eye(3), "layers.0.b": np.zeros(3)}
    nn.functional_call(model, params, X)
    np.testing.assert_allclose(model.layers[2].running_mean, 0.1 * (4 * X).mean(0), atol=1e-15)


def test_names_and_shapes_are_checked() -> None:
    model = nn.MLP([3, 4, 2], seed=0)
    with pytest.raises(KeyError, match=r"did you mean 'layers\.0\.W'"):
        nn.functional_call(model, {"layers.0.w": np.ones((3, 4))}, X)
    with pytest.raises(ValueError, match=r"layers.0.W has shape \(3, 4\), got \(4, 3\)"):
        nn.functional_call(model, {"layers.0.W": np.ones((4, 3))}, X)
    for arguments in ([model, [np.ones((3, 4))]], [np.ones(3), {}]):
        with pytest.raises(TypeError, match="takes a model and parameters by name"):
            nn.functional_call(*arguments, X)  # type: ignore[arg-type]


def test_a_summary_is_of_a_model() -> None:
    with pytest.raises(TypeError, match=r"nn.summary\(model, \(1, 64\)\)"):
        nn.summary((1, 64), (1, 64))  # type: ignore[arg-type]


def test_the_summary_counts_what_there_is() -> None:
    model = nn.Sequential(
        nn.Conv2d(None, 4, 3, "relu", seed=0), nn.MaxPool2d(2), nn.BatchNorm(dtype=np.float32), nn.Flatten(), nn.Dense(None, 10)
    )  # fmt: skip
    table = nn.summary(model, (2, 1, 8, 8))
    assert [(row["name"], row["layer"], row["output"], row["parameters"]) for row in table.rows] == [
        ("", "Sequential", (2, 10), 0),
        ("layers.0", "Conv2d", (2, 4, 6, 6), 4 * 9 + 4),
        ("layers.1", "MaxPool2d", (2, 4, 3, 3), 0),
        ("layers.2", "BatchNorm", (2, 4, 3, 3), 8),
        ("layers.3", "Flatten", (2, 36), 0),
        ("layers.4", "Dense", (2, 10), 370),
    ]
    assert (table.parameters, table.trained) == (418, 418)
    assert table.bytes == 8 * (40 + 370) + 4 * 16
    assert "418 parameters, 3,344 bytes" in repr(table)
    assert model.training, "the mode is as before"
    assert (model.layers[2].running_mean == 0).all(), "nothing was learnt"
    model.layers[4].W.requires_grad = False
    assert "360 of them frozen" in repr(nn.summary(model, (2, 1, 8, 8)))
    with pytest.raises(ValueError, match=r"layers.0 \(Conv2d\): expected input"):
        nn.summary(model, (2, 8))
    assert "forward" not in vars(model)
