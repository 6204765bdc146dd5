"""The plots: an Axes in, the same Axes out, with what was asked for drawn in it."""

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.svm import SVC

from microgradnd import nn
from microgradnd.nn import plots

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    model = nn.MLP([2, 8, 2], activation="tanh", seed=0)
    history = nn.fit(model, X, y, epochs=5, validation_data=(X, y), seed=0)
    return model, X, y, history


def test_history(trained, ax):
    history = trained[3]
    assert history.plot(ax=ax) is ax
    training, validation = ax.lines
    np.testing.assert_array_equal(training.get_ydata(), history["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), history["val_loss"])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    with pytest.raises(ValueError, match="'lss' was not measured, only loss, "):
        plots.plot_history(history, "lss", ax=ax)
    assert not plots.plot_history({}, ax=plt.figure().gca()).lines


def test_batch_losses_and_their_running_mean(ax):
    losses = np.arange(1000.0)
    plots.plot_batch_losses(losses, ax=ax)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), np.arange(1000 - 9) + 4.5)


def test_confusion_matrix_says_what_is_taken_for_what(trained, ax):
    model, X, y, _ = trained
    assert plots.plot_confusion_matrix(model, X, y, title="test", ax=ax) is ax
    share = np.mean(nn.predict(model, X).argmax(axis=1) == y)
    assert ax.get_title() == f"test: accuracy {share:.1%}"
    np.testing.assert_allclose(ax.images[0].get_array().sum(axis=1), 1)


@pytest.mark.parametrize(
    "form",
    [lambda y: y, lambda y: y[:, None], lambda y: np.eye(2)[y], lambda y: y.astype(float)],
    ids=["indices", "column", "one-hot", "floats"],
)
def test_confusion_of_targets_in_every_form_and_of_a_single_logit(trained, ax, form):
    model, X, y, _ = trained
    difference = nn.Sequential(model, lambda logits: logits[:, 1:] - logits[:, :1])
    share = np.mean(nn.predict(model, X).argmax(axis=1) == y)
    for network in (model, difference):
        plots.plot_confusion_matrix(network, X, form(y), ax=ax)
        assert ax.get_title() == f"accuracy {share:.1%}"


def test_confusion_of_a_classifier(trained, ax):
    _, X, y, _ = trained
    names = np.array(["no", "yes"])[y]
    fitted = nn.MLPClassifier((8,), max_iter=20, random_state=0).fit(X, names)
    plots.plot_confusion_matrix(fitted, X, names, ax=ax)
    assert ax.get_title() == f"accuracy {fitted.score(X, names):.1%}"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["no", "yes"]


def test_points_have_the_colour_of_the_region_of_their_class(ax):
    X, thirds = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), nn.MLP([2, 3], seed=0)
    plots.plot_decision_boundary(thirds, X, [0, 1, 2], resolution=10, ax=ax)
    colours = {c.get_label(): c.get_facecolor().tolist() for c in ax.collections if c.get_label() in "012"}
    ax.clear()
    plots.plot_decision_boundary(thirds, X, [1, 2, 1], resolution=10, ax=ax)
    found = {c.get_label(): c.get_facecolor().tolist() for c in ax.collections if c.get_label() in "012"}
    assert found == {label: colours[label] for label in "12"}


NETWORK = nn.MLP([2, 3, 2], seed=0)


@pytest.mark.parametrize(
    ("draw", "error", "text"),
    [
        (lambda: plots.plot_decision_boundary(NETWORK, np.ones((3, 2)), [0, 1]), ValueError, "3 rows and y 2 classes"),
        (lambda: plots.plot_decision_boundary(NETWORK, np.ones((3, 2)), [0, 1, 5]), ValueError, r"y holds \[5\]"),
        (lambda: plots.plot_decision_boundary(NETWORK, [[0.0, np.nan]]), ValueError, "X holds nan at row 0, column 1"),
        (lambda: plots.plot_decision_boundary(nn.MLPClassifier(), np.ones((3, 2))), TypeError, "that was fitted"),
        (lambda: plots.plot_confusion_matrix(NETWORK, np.ones((3, 2)), [0, 1]), ValueError, "X has 3 rows and y has 2"),
        (lambda: plots.plot_activation("log_softmax"), ValueError, "works along an axis"),
        (lambda: plots.plot_activation("rleu"), ValueError, "did you mean 'relu'"),
        (lambda: plots.plot_weights(np.ones((4, 3)), columns=0), ValueError, "columns=0"),
        (lambda: plots.plot_weights(np.ones((4, 0))), ValueError, r"shape \(4, 0\)"),
        (lambda: plots.plot_weights(np.ones(4)), ValueError, r"expected \(inputs, units\)"),
        (lambda: plots.plot_weights(None), TypeError, "weights is None"),
        (lambda: plots.plot_history([1.0, 0.5]), TypeError, "the history is list"),
    ],
)
def test_what_cannot_be_drawn_is_told_before_axes_are_made(draw, error, text):
    before = plt.get_fignums()
    with pytest.raises(error, match=text):
        draw()
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    ("factor", "labels"),
    [
        (1.0, ["layers.0\nDense", "layers.1\nDense"]),
        (np.nan, ["layers.0\nDense\n60 NaN or too large", "layers.1\nDense\n40 NaN or too large"]),
        (1e308, ["layers.0\nDense\n60 NaN or too large", "layers.1\nDense\n40 NaN or too large"]),
    ],
)
def test_histograms_of_a_network_that_explodes_say_so(ax, factor, labels):
    model = nn.MLP([2, 3, 2], "relu", init=nn.init.constant, seed=0)
    for layer in model.layers:
        layer.W.data = np.full(layer.W.shape, factor)
    plots.plot_histograms(model, np.ones((20, 2)), ax=ax)
    assert [t.get_text() for t in ax.get_xticklabels()] == labels
    plots.plot_weights(np.array([[1.0, np.nan], [np.inf, -3.0], [0, 0], [0, 0]]), ax=ax)
    assert ax.images[0].get_clim() == (-3, 3)
    ax.figure.canvas.draw()


def test_gradients_of_a_network_with_frozen_parameters(ax):
    model = nn.MLP([2, 3, 2], seed=0)
    model.layers[0].W.requires_grad = False
    plots.plot_histograms(model, np.eye(2), [0, 1], ax=ax)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["layers.0.b", "layers.1.W", "layers.1.b"]


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_decision_boundary_of_a_network(trained, ax, outputs):
    _, X, y, _ = trained
    model = nn.MLP([2, 4, outputs], activation="tanh", seed=0)
    assert plots.plot_decision_boundary(model, X, y, resolution=20, ax=ax) is ax
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["0", "1"]
    with pytest.raises(ValueError, match=r"expected \(n, 2\)"):
        plots.plot_decision_boundary(model, X[:, :1], ax=ax)


class Frame:
    """What a data frame is to NumPy, with names."""

    columns = ("length", "width")

    def __array__(self, dtype=None, copy=None):
        return np.eye(2)


def test_axes_are_called_as_the_columns_of_a_frame(ax):
    plots.plot_decision_boundary(NETWORK, Frame(), resolution=10, ax=ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == Frame.columns


def test_decision_boundary_of_a_classifier_without_probabilities(trained, ax):
    _, X, y, _ = trained
    plots.plot_decision_boundary(SVC().fit(X, y), X, y, resolution=10, ax=ax)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["0", "1"]


def test_decision_boundary_of_an_estimator(trained, ax):
    _, X, y, _ = trained
    assert plots.plot_decision_boundary(nn.MLPClassifier((4,), max_iter=2).fit(X, y), X, y, ax=ax) is ax


@pytest.mark.parametrize("name", ["relu", "sigmoid", "gelu", "tanh", "silu"])
def test_activations_with_their_derivatives(ax, name):
    plots.plot_activation(name, ax=ax)
    value, slope = (line for line in ax.lines if line.get_label() in ("value", "derivative"))
    x, v = value.get_data()
    middle = (x[1:] + x[:-1]) / 2
    away = np.abs(middle) > 0.05  # relu has a kink
    np.testing.assert_allclose(
        np.interp(middle, x, slope.get_ydata())[away], (np.diff(v) / np.diff(x))[away], atol=2e-4
    )


def test_weights_as_images(ax):
    W = np.arange(12.0).reshape(4, 3)
    plots.plot_weights(W, columns=2, ax=ax)
    sheet = ax.images[0].get_array()
    np.testing.assert_array_equal(sheet[:2, :2], W[:, 0].reshape(2, 2))
    np.testing.assert_array_equal(sheet[3:, :2], W[:, 2].reshape(2, 2))
    assert plots.plot_weights(np.ones((4, 3, 2, 2)), ax=ax) is ax
    with pytest.raises(ValueError, match="6 inputs are no image of 2 x 2"):
        plots.plot_weights(np.ones((6, 3)), ax=ax)


def test_histograms_of_activations_and_gradients(trained, ax):
    model, X, y, _ = trained
    plots.plot_histograms(model, X, ax=ax)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["layers.0\nDense", "layers.1\nDense"]
    ax.clear()
    plots.plot_histograms(model, X, y, ax=ax)
    assert [t.get_text() for t in ax.get_xticklabels()] == [name for name, _ in model.named_parameters()]
    assert all(p.grad is None for p in model.parameters())


class Backwards(nn.Module):
    """Assigned in another order than called, with a function between."""

    def __init__(self):
        self.output, self.hidden = nn.Dense(3, 2, seed=0), nn.Dense(2, 3, seed=1)

    def forward(self, x):
        return self.output(np.tanh(self.hidden(x)))


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Backwards(), ["hidden\nDense", "output\nDense"]),
        (
            nn.Sequential(nn.Dense(2, 3, seed=1), np.tanh, nn.Dense(3, 2, seed=0)),
            ["layers.0\nDense", "layers.2\nDense"],
        ),
        (nn.Dense(2, 2, seed=0), ["Dense"]),
    ],
)
def test_histograms_are_of_what_layers_give_when_the_network_runs(rng, ax, model, names):
    X = rng.normal(size=(20, 2))
    plots.plot_histograms(model, X, ax=ax)
    assert [t.get_text() for t in ax.get_xticklabels()] == names
    last = ax.collections[len(names) - 1].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose([last.min(), last.max()], [model(X).data.min(), model(X).data.max()])


def test_new_axes_when_none_are_given():
    made = plots.plot_activation("relu")
    plt.close(made.figure)
    assert made.get_title() == "relu"
