"""Multilayer perceptrons as scikit-learn estimators, for pipelines, searches and cross-validation."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

try:
    from scipy.sparse import issparse
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.preprocessing import LabelBinarizer
    from sklearn.utils import check_random_state, compute_class_weight
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
except ImportError as error:
    raise ImportError('the estimators need scikit-learn: pip install "microgradnd[train]"') from error

from .activations import named_activation, sigmoid, softmax
from .arguments import as_number, as_size, refuse_mask
from .callbacks import EarlyStopping
from .data import Array
from .evaluation import predict
from .layers import MLP
from .losses import binary_cross_entropy, cross_entropy, mse_loss
from .optim import SGD, Adam, AdamW, Optimizer, RMSprop
from .training import fit

__all__ = ["MLPClassifier", "MLPRegressor"]

_OPTIMIZERS = {"adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "sgd": functools.partial(SGD, momentum=0.9)}
_KNOWN_AS = {"identity": None, "logistic": "sigmoid"}  # scikit-learn's names of activations
_INTERVALS = {"learning_rate_init": "(0, inf)", "alpha": "[0, inf)", "tol": "[0, inf)", "validation_fraction": "(0, 1)"}
_LEAST = {"batch_size": 1, "max_iter": 0, "n_iter_no_change": 1}


@contextmanager
def _whole(estimator: Any) -> Iterator[None]:
    """What was learnt before stays, if something is refused: an estimator is never half of the one and half of the other.

    An error of the training itself passes: the network is then the one before the failing step.
    """
    before = dict(vars(estimator))
    try:
        yield
    except (TypeError, ValueError):
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class _MLPEstimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: making the network, and training it with `fit`."""

    model_: MLP
    optimizer_: Optimizer

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 1e-4,
        batch_size: int = 32,
        learning_rate_init: float = 1e-3,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _check_settings(self) -> None:
        """Refuse a setting out of its range, before anything is learnt."""
        if self.solver not in _OPTIMIZERS:
            raise ValueError(f"solver is {self.solver!r}, expected one of {', '.join(_OPTIMIZERS)}")
        self._hidden()
        named_activation(self._activation())
        for name, interval in _INTERVALS.items():
            as_number(getattr(self, name), name, interval)
        for name, least in _LEAST.items():
            as_size(getattr(self, name), name, least)

    def _hidden(self) -> list[int]:
        given = self.hidden_layer_sizes
        return [as_size(n, "hidden_layer_sizes") for n in (np.atleast_1d(given).tolist() if np.size(given) else [])]

    def _activation(self) -> Any:
        given: Any = self.activation
        return _KNOWN_AS.get(given, given) if isinstance(given, str) else given

    def _begin_or_go_on(self, going_on: bool, n_outputs: int, dtype: Any) -> None:
        """A new network, or the old one, if it is what the settings of now describe."""
        sizes = [self.n_features_in_, *self._hidden(), n_outputs]
        if not going_on:
            return self._begin(sizes, dtype)
        if (sizes, named_activation(self._activation())) != (self.model_.sizes, self.model_.activation):
            raise ValueError(
                f"a network of sizes {sizes} with {self.activation} can't go on from one of {self.model_.sizes} with "
                f"{self.model_.activation}: clone the estimator, or call fit with warm_start=False, to begin anew"
            )
        if any(not p.data.flags.writeable for p in self.model_.parameters()):  # as joblib maps large ones into memory
            self.model_, self.optimizer_ = copy.deepcopy((self.model_, self.optimizer_))
        return None

    def _begin(self, sizes: list[int], dtype: Any) -> None:
        """A new network and its optimiser, drawn from the random state."""
        self.random_ = check_random_state(self.random_state)
        self.model_ = MLP(sizes, self._activation(), seed=self.random_.randint(2**31 - 1), dtype=dtype)
        self.optimizer_ = self._make_optimizer()
        self.n_iter_ = 0
        self.loss_curve_: list[float] = []

    def _make_optimizer(self) -> Optimizer:
        make: Any = _OPTIMIZERS[self.solver]
        made: Optimizer = make(self.model_.parameters(), lr=self.learning_rate_init, weight_decay=self.alpha)
        return made

    def _train(self, X: Array, target: Array, loss: Any, stratify: Array | None, epochs: int | None) -> None:
        """Train for `epochs`, or (None) until it no longer helps."""
        before, self.optimizer_ = self.optimizer_, self._make_optimizer()  # with the settings of now
        if type(before) is type(self.optimizer_):
            self.optimizer_.state = before.state
        validation = None
        stopping: list[Any] = []
        if epochs is None:
            monitor = "loss"
            if self.early_stopping:
                from sklearn.model_selection import train_test_split

                X, X_val, target, target_val = train_test_split(
                    X, target, test_size=self.validation_fraction, random_state=self.random_,
                    stratify=_divisible(stratify, self.validation_fraction),
                )  # fmt: skip
                validation, monitor = (X_val, target_val), "val_loss"
            stopping = [
                EarlyStopping(
                    monitor, patience=self.n_iter_no_change, min_delta=self.tol, restore=bool(self.early_stopping)
                )
            ]
        self.history_ = fit(
            self.model_, X, target, loss=loss, optimizer=self.optimizer_,
            epochs=self.max_iter if epochs is None else epochs, batch_size=self.batch_size,
            validation_data=validation, seed=self.random_.randint(2**31 - 1), progress=bool(self.verbose),
            callbacks=stopping, metrics=(),
        )  # fmt: skip
        self.n_iter_ += self.history_.epochs
        self.loss_curve_ += self.history_["loss"] if self.history_.epochs else []

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Array, Array]:
        self._check_settings()
        refuse_mask(X, "X")  # scikit-learn would go on without it
        refuse_mask(y, "y")
        X, y = validate_data(
            self, X, y, multi_output=True, reset=reset, dtype=(np.float64, np.float32), y_numeric=self._numeric
        )
        return X, y

    _numeric = False

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self, "model_")
        refuse_mask(X, "X")
        X = validate_data(self, X, reset=False, dtype=(np.float64, np.float32))
        return predict(self.model_, X)


class MLPClassifier(ClassifierMixin, _MLPEstimator):  # type: ignore[misc]
    """A multilayer perceptron that classifies, trained with `microgradnd.nn.fit`.

    Parameters
    ----------
    hidden_layer_sizes
        Units of each hidden layer.
    activation
        Of the hidden layers, by name; scikit-learn's ``"logistic"`` and ``"identity"`` are known too.
    solver
        ``"adam"``, ``"adamw"``, ``"rmsprop"`` or ``"sgd"`` (with momentum 0.9).
    alpha
        Weight decay.
    batch_size
        Samples per step.
    learning_rate_init
        Step length.
    max_iter
        Most epochs.
    tol, n_iter_no_change
        Stop when the loss has not fallen by `tol` for so many epochs.
    early_stopping, validation_fraction
        Watch the loss on a held-out part of the data instead, and keep the best weights. The part holds some of each
        class, if it is large enough.
    class_weight
        Factor per class: a dict, ``"balanced"`` (inversely to their numbers), or None.
    warm_start
        Go on from the weights of the last `fit`, which must be of the same network.
    random_state
        Of weights, shuffling and splitting.
    verbose
        Show a progress bar.

    Attributes
    ----------
    classes_ : ndarray
        The labels.
    model_ : MLP
        The network: its outputs are logits.
    history_ : History
        Of the last training.
    loss_curve_, n_iter_
        Training loss per epoch, and how many there were.

    Raises
    ------
    ValueError
        In `fit`: for an unknown solver, activation or penalty, labels that are no classes, data that isn't finite, or
        a warm start with other hidden layers.

    Examples
    --------
    >>> from microgradnd import nn
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> nn.MLPClassifier((16,), learning_rate_init=0.01, random_state=0).fit(X, y).score(X, y) > 0.95
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 1e-4,
        batch_size: int = 32,
        learning_rate_init: float = 1e-3,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        class_weight: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            hidden_layer_sizes, activation, solver=solver, alpha=alpha, batch_size=batch_size,
            learning_rate_init=learning_rate_init, max_iter=max_iter, tol=tol, n_iter_no_change=n_iter_no_change,
            early_stopping=early_stopping, validation_fraction=validation_fraction, warm_start=warm_start,
            random_state=random_state, verbose=verbose,
        )  # fmt: skip
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any) -> MLPClassifier:
        """Learn from samples and their labels.

        Parameters
        ----------
        X
            Shape (n, features).
        y
            Labels of any type, shape (n,); or a 0-1 table of several labels per sample, shape (n, labels).
        """
        going_on = self.warm_start and hasattr(self, "model_")
        with _whole(self):
            X, y = self._validate(X, y, reset=not going_on)
            y = _flat_labels(y)
            target = self._encode(y, None if going_on else y)
            self._begin_or_go_on(going_on, self.classes_.size, X.dtype)
            self._train(X, target, self._loss(y), None if self._multilabel else target, None)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> MLPClassifier:
        """Go through these samples once; the first call needs all labels there will be, as `classes`."""
        with _whole(self):
            self._go_through(X, y, classes)
        return self

    def _go_through(self, X: Any, y: Any, classes: Any) -> None:
        first = not hasattr(self, "model_")
        X, y = self._validate(X, y, reset=first)
        y = _flat_labels(y)
        if self.class_weight == "balanced":
            raise ValueError("class_weight='balanced' needs all data at once, partial_fit sees parts: give a dict")
        if not first and classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes are {np.unique(classes)}, the first call of partial_fit had {self.classes_}")
        if first and classes is None and type_of_target(y) != "multilabel-indicator":
            raise ValueError("the first call of partial_fit needs classes=..., all labels there will be")
        known = None if not first else (y if classes is None or np.ndim(y) == 2 else np.asarray(classes))
        target = self._encode(y, known)
        self._begin_or_go_on(not first, self.classes_.size, X.dtype)
        self._train(X, target, self._loss(y), None, 1)

    def predict_proba(self, X: Any) -> Array:
        """Probability of each class, shape (n, classes); of each label where there are several per sample."""
        outputs = self._outputs(X)
        probabilities: Array = sigmoid(outputs) if self._multilabel else softmax(outputs)
        return probabilities

    def predict(self, X: Any) -> Array:
        """The most probable label of each sample; a 0-1 table where there are several."""
        outputs = self._outputs(X)
        if self._multilabel:
            return (outputs > 0).astype(int)
        found: Array = self.classes_[outputs.argmax(axis=1)]
        return found

    def _encode(self, y: Array, known: Array | None) -> Array:
        """Labels as class indices, or as a float table; `known` sets what labels there are."""
        if known is not None:
            self._binarizer = LabelBinarizer().fit(known)
            self.classes_ = self._binarizer.classes_
            self._multilabel = self._binarizer.y_type_ == "multilabel-indicator"
        if self._multilabel != (y.ndim == 2):
            had, given = ("several labels", "one")[:: 1 if self._multilabel else -1]
            raise ValueError(f"y has {given} per sample, and training goes on from a network of {had}: begin anew")
        if self._multilabel:
            return np.asarray(y, dtype=float)
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise ValueError(f"y holds labels that are not among the classes {self.classes_}: {unknown}")
        return np.searchsorted(self.classes_, y)

    def _loss(self, y: Array) -> Any:
        if self._multilabel:
            if self.class_weight is not None:
                raise ValueError("class_weight is for one label per sample; y has several")
            return binary_cross_entropy
        if self.class_weight is None:
            return cross_entropy
        weight = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        return functools.partial(cross_entropy, weight=weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _divisible(labels: Array | None, share: float) -> Array | None:
    """The labels, if a share of them can hold some of each class, and the rest too; else None, to divide at random."""
    if labels is None:
        return None
    counts, held = np.unique(labels, return_counts=True)[1], math.ceil(share * len(labels))
    return labels if counts.min() > 1 and len(counts) <= min(held, len(labels) - held) else None


def _flat_labels(y: Any) -> Array:
    """Labels with one axis, unless there are several per sample: then a dense table."""
    check_classification_targets(y)
    several = type_of_target(y) == "multilabel-indicator"
    flat: Array = y.toarray() if issparse(y) else y if several else column_or_1d(y, warn=True)
    return flat


class MLPRegressor(RegressorMixin, _MLPEstimator):  # type: ignore[misc]
    """A multilayer perceptron that predicts numbers, trained with `microgradnd.nn.fit` on squared errors.

    Parameters
    ----------
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate_init, max_iter, tol, n_iter_no_change,\
    early_stopping, validation_fraction, warm_start, random_state, verbose
        As for `MLPClassifier`.

    Raises
    ------
    ValueError
        In `fit`: for an unknown solver or activation, or data that isn't finite.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> nn.MLPRegressor((32,), learning_rate_init=0.01, random_state=0).fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.9
    True
    """

    _numeric = True

    def fit(self, X: Any, y: Any) -> MLPRegressor:
        """Learn from samples and their numbers, of shape (n,) or (n, outputs)."""
        return self._learn(X, y, self.warm_start and hasattr(self, "model_"), None)

    def partial_fit(self, X: Any, y: Any) -> MLPRegressor:
        """Go through these samples once."""
        return self._learn(X, y, hasattr(self, "model_"), 1)

    def predict(self, X: Any) -> Array:
        """The number, or numbers, of each sample, in the shape of the y that was learnt from."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._flat else outputs

    def _learn(self, X: Any, y: Any, going_on: bool, epochs: int | None) -> MLPRegressor:
        with _whole(self):
            X, y = self._validate(X, y, reset=not going_on)
            target = y.reshape(len(y), -1)
            self._begin_or_go_on(going_on, target.shape[1], X.dtype)
            self._flat = y.ndim == 1
            self._train(X, target, mse_loss, None, epochs)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
