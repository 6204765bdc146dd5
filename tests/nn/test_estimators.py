"""The estimators, by scikit-learn's own checks and in its company."""

import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from microgradnd import nn


@parametrize_with_checks([nn.MLPClassifier(max_iter=30), nn.MLPRegressor(max_iter=60)])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def quick(**options):
    usual = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.01, "max_iter": 60, "random_state": 0}
    return nn.MLPClassifier(**usual | options)


def test_string_labels_and_probabilities(iris):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])
    fitted = quick().fit(X, names[y])
    assert fitted.score(X, names[y]) > 0.95
    assert set(fitted.predict(X)) == set(names)
    probabilities = fitted.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(names[probabilities.argmax(axis=1)], fitted.predict(X))


def test_same_random_state_same_weights(iris):
    first, second = (quick(max_iter=3).fit(*iris).model_.state_dict() for _ in range(2))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_partial_fit_needs_the_classes_and_goes_on(iris):
    X, y = iris
    estimator = quick()
    with pytest.raises(ValueError, match="needs classes"):
        estimator.partial_fit(X, y)
    for _ in range(40):
        for part in range(3):  # each call sees two of the three classes at most
            estimator.partial_fit(X[part::3], y[part::3], classes=[0, 1, 2])
    assert estimator.n_iter_ == 120
    assert estimator.score(X, y) > 0.9
    with pytest.raises(ValueError, match="not among the classes"):
        estimator.partial_fit(X, y + 1)


def test_warm_start_goes_on_and_a_cold_one_begins_anew(iris):
    warm = quick(max_iter=2, warm_start=True).fit(*iris)
    before = warm.loss_curve_[-1]
    assert warm.fit(*iris).loss_curve_[-1] < before
    assert len(warm.loss_curve_) == warm.n_iter_ == 4
    cold = quick(max_iter=2).fit(*iris)
    assert cold.fit(*iris).loss_curve_ == cold.fit(*iris).loss_curve_


@pytest.mark.parametrize("change", [{"hidden_layer_sizes": (8,)}, {"hidden_layer_sizes": ()}, {"activation": "tanh"}])
def test_training_goes_on_with_the_same_network_only(iris, change):
    for call in ("fit", "partial_fit"):
        warm = quick(max_iter=1, warm_start=True).fit(*iris)
        before = warm.model_.state_dict()
        with pytest.raises(ValueError, match="can't go on from one of"):
            getattr(warm.set_params(**change), call)(*iris)
        assert all(np.array_equal(before[name], value) for name, value in warm.model_.state_dict().items())
    assert warm.set_params(warm_start=False).fit(*iris).model_.sizes[1:-1] == list(warm.hidden_layer_sizes)


def test_the_number_of_outputs_stays(rng):
    X = rng.normal(size=(20, 2))
    warm = nn.MLPRegressor((4,), max_iter=1, warm_start=True, random_state=0).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="can't go on from one of"):
        warm.fit(X, X)
    assert warm.predict(X).shape == (20,)


def test_early_stopping_holds_data_out(iris):
    fitted = quick(early_stopping=True, n_iter_no_change=3, max_iter=500).fit(*iris)
    assert "val_loss" in fitted.history_
    assert fitted.n_iter_ < 500
    assert fitted.score(*iris) > 0.9


@pytest.mark.parametrize(
    "rows", [slice(0, 4), slice(0, 51), slice(None, None, 25)], ids=["few", "one of a class", "sparse"]
)
def test_early_stopping_on_data_too_small_for_some_of_each_class(iris, rows):
    X, y = iris
    fitted = quick(early_stopping=True, max_iter=3).fit(X[rows], y[rows])
    assert fitted.predict(X[rows]).shape == y[rows].shape
    assert "val_loss" in fitted.history_


def test_class_weights_shift_the_decision(iris):
    X, y = iris
    plain = quick(max_iter=10).fit(X, y).predict(X)
    favoured = quick(max_iter=10, class_weight={0: 1, 1: 100, 2: 1}).fit(X, y).predict(X)
    assert np.mean(favoured == 1) > np.mean(plain == 1)
    assert quick(class_weight="balanced").fit(X, y).score(X, y) > 0.9


def test_several_labels_per_sample():
    X, y = make_multilabel_classification(200, n_features=10, n_classes=4, random_state=0)
    X = StandardScaler().fit_transform(X)
    fitted = quick(max_iter=200).fit(X, y)
    assert fitted.predict(X).shape == fitted.predict_proba(X).shape == y.shape
    assert np.mean(fitted.predict(X) == y) > 0.9
    with pytest.raises(ValueError, match="class_weight is for one label"):
        quick(class_weight="balanced").fit(X, y)


def test_one_label_per_sample_stays_one():
    X, Y = make_multilabel_classification(30, n_classes=3, random_state=0)
    table, flat = (
        quick(max_iter=1, warm_start=True).fit(X, Y),
        quick(max_iter=1, warm_start=True).fit(X, np.arange(30) % 3),
    )
    for estimator, y in [(table, Y[:, 0]), (flat, np.eye(3, dtype=int)[np.arange(30) % 3])]:
        for call in (estimator.fit, estimator.partial_fit):
            with pytest.raises(ValueError, match="per sample, and training goes on"):
                call(X, y)


def test_regression_of_several_numbers(rng):
    X = rng.normal(size=(200, 3))
    y = np.stack([X @ [1, 2, 3], np.sin(X[:, 0])], axis=1)
    fitted = nn.MLPRegressor((32,), learning_rate_init=0.01, random_state=0).fit(X, y)
    assert fitted.score(X, y) > 0.95
    assert fitted.predict(X).shape == y.shape
    assert nn.MLPRegressor((4,), random_state=0).partial_fit(X, y[:, 0]).predict(X).shape == (200,)


def test_search_over_a_pipeline_in_processes(iris):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), quick(max_iter=10)), {"mlpclassifier__hidden_layer_sizes": [(2,), (16,)]},
        n_jobs=2, cv=3,
    )  # fmt: skip
    search.fit(*iris)
    assert search.best_params_["mlpclassifier__hidden_layer_sizes"] == (16,)


@pytest.mark.slow
def test_search_on_a_cluster_of_two_workers():
    pytest.importorskip("distributed")
    example = Path(__file__).parents[2] / "examples" / "search_on_a_cluster.py"
    told = subprocess.run([sys.executable, example], capture_output=True, text=True, check=True).stdout
    assert told.startswith("2 workers")
    scores = [float(line.split()[0]) for line in told.splitlines()[1:-1]]
    assert len(scores) == 4
    assert max(scores) > 0.9


def test_cross_validation_and_cloning(iris):
    assert cross_val_score(clone(quick()), *iris, cv=3).mean() > 0.9


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"solver": "lbfgs"}, "solver is 'lbfgs', expected one of adam"),
        ({"activation": "rleu"}, "did you mean 'relu'"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"max_iter": -1}, "max_iter=-1"),
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes=0, expected a whole number"),
        ({"validation_fraction": 1}, r"validation_fraction=1, expected a number in \(0, 1\)"),
        ({"class_weight": {5: 1.0}}, "not in class_weight"),
        ({"learning_rate_init": float("nan")}, "learning_rate_init=nan"),
        ({"alpha": -1}, "alpha=-1"),
        ({"tol": float("nan")}, "tol=nan"),
        ({"n_iter_no_change": 0}, "n_iter_no_change=0"),
    ],
)
def test_wrong_arguments_are_told(iris, options, text):
    with pytest.raises(ValueError, match=text):
        quick(**options).fit(*iris)
    X, y = iris
    fitted = quick(max_iter=2).fit(X, y)
    before = fitted.predict_proba(X)
    for call in (fitted.set_params(**options).fit, quick(**options).fit):
        with pytest.raises(ValueError, match=text):
            call(X[:, :2], np.array(["a", "b", "c"])[y])
    assert_array_equal(fitted.predict_proba(X), before)  # what was refused has changed nothing
    assert fitted.n_features_in_ == 4
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert not hasattr(call.__self__, "n_features_in_")


def test_masks_are_not_lost(iris):
    X, y = iris
    fitted = quick(max_iter=1).fit(X, y)
    masked = np.ma.masked_array(X, X > 1)
    for call in (
        lambda: quick().fit(masked, y),
        lambda: quick().fit(X, np.ma.masked_array(y, y > 1)),
        lambda: fitted.predict(masked),
        lambda: nn.MLPRegressor().partial_fit(masked, X[:, 0]),
    ):
        with pytest.raises(TypeError, match=r"is a masked array, whose mask would be lost: fill it first"):
            call()


def test_activations_by_the_names_of_scikit_learn(iris):
    for theirs, ours in [("logistic", "sigmoid"), ("identity", None)]:
        fitted = quick(activation=theirs, max_iter=2).fit(*iris)
        assert fitted.model_.activation == ours
        assert clone(fitted).activation == theirs
        assert_array_equal(
            fitted.predict_proba(iris[0]), quick(activation=ours, max_iter=2).fit(*iris).predict_proba(iris[0])
        )


def test_going_on_with_arrays_that_are_mapped_into_memory(iris, tmp_path):
    X, y = iris
    plain = quick(max_iter=2).fit(X, y)
    joblib.dump(plain, tmp_path / "fitted")
    mapped = joblib.load(tmp_path / "fitted", mmap_mode="r")
    assert not mapped.model_.layers[0].W.data.flags.writeable
    assert_array_equal(mapped.partial_fit(X, y).predict_proba(X), plain.partial_fit(X, y).predict_proba(X))


def test_importing_networks_imports_nothing_optional():
    heavy = "sklearn matplotlib tqdm safetensors scipy pandas joblib graphviz".split()
    code = f"import sys, microgradnd.nn; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'MLPclassifier'"):
        _ = nn.MLPclassifier
    code = "import sys; from microgradnd import nn; nn.plots.plot_weights; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_partial_fit_refuses_what_parts_cannot_tell(iris):
    X, y = iris
    with pytest.raises(ValueError, match="'balanced' needs all data at once"):
        quick(class_weight="balanced").partial_fit(X, y, classes=np.unique(y))
    model = quick().partial_fit(X, y, classes=np.unique(y))
    with pytest.raises(ValueError, match="the first call of partial_fit had"):
        model.partial_fit(X, y, classes=np.unique(y)[:2])


def test_a_table_of_labels_may_be_sparse():
    X, Y = make_multilabel_classification(60, random_state=0)
    dense = quick(max_iter=2).fit(X, Y)
    assert_array_equal(quick(max_iter=2).fit(X, csr_array(Y)).predict_proba(X), dense.predict_proba(X))


def test_going_on_uses_the_settings_of_now_and_refuses_other_features(iris):
    X, y = iris
    model = quick(max_iter=2, warm_start=True).fit(X, y)
    model.set_params(learning_rate_init=1e-9, solver="adam").fit(X, y)
    assert model.optimizer_.param_groups[0]["lr"] == 1e-9
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="X has 3 features"):
        model.fit(X[:, :3], y)
    assert_array_equal(model.predict_proba(X), before)
    with pytest.raises(ValueError, match="learning_rate_init=nan"):
        model.set_params(learning_rate_init=float("nan")).fit(X, y)


def test_a_class_may_weigh_nothing(iris):
    X, y = iris
    model = quick(class_weight={np.unique(y)[0]: 0.0}, batch_size=1, max_iter=2).fit(X, y)
    assert np.isfinite(model.loss_curve_).all()
