"""Losses: one number that says how far predictions are from targets.

Those of classification take logits, not probabilities, and are one op each: so they are exact and finite, in
value and gradient, for any finite logit. Targets are checked, and take the predictions' dtype: float32 stays
float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

import microgradnd as mg

from .activations import log_softmax, sigmoid, softmax
from .arguments import as_number, refuse_mask

__all__ = [
    "binary_cross_entropy",
    "cross_entropy",
    "hinge_loss",
    "huber_loss",
    "kl_divergence",
    "mae_loss",
    "mse_loss",
    "nll_loss",
]

Reduction = Literal["mean", "sum", "none"]
_INT64, _UINT64 = np.dtype(np.int64), np.dtype(np.uint64)


def _reduce(terms: Any, reduction: Reduction) -> Any:
    if reduction == "mean":
        return np.mean(terms)
    if reduction == "sum":
        return np.sum(terms)
    if reduction == "none":
        return terms
    raise ValueError(f"reduction={reduction!r}: expected 'mean', 'sum' or 'none'")


# -- targets ---------------------------------------------------------------------------------------
def _values(target: Any) -> np.ndarray:
    """A target's numbers, whatever they are, as an array."""
    if target is None:
        raise TypeError("target is None, expected class labels, or numbers of the prediction's shape")
    refuse_mask(target, "target")
    return target.data if isinstance(target, mg.Tensor) else np.asarray(target)


def _labels(target: Any, scores: Any) -> np.ndarray:
    """Class indices as int64, or an error that says which one is wrong."""
    labels = _values(target)
    rows, classes = np.shape(scores)[:-1], np.shape(scores)[-1]
    if labels.dtype.kind not in "iuf":
        raise TypeError(
            f"class labels have dtype {labels.dtype}, expected integers 0..{classes - 1}: encode them, "
            "as np.unique(y, return_inverse=True)[1] does"
        )
    if labels.shape != rows:
        way = ", or one row of probabilities per row of logits"
        if labels.shape == (*rows, 1):
            way += ": use target.ravel()"
        elif len(rows) > 1 and labels.shape == scores.shape[:1] + scores.shape[2:]:
            way += ": the classes are the last axis, use np.moveaxis(logits, 1, -1)"
        elif labels.shape == scores.shape:  # one-hot rows, where probabilities aren't taken
            way = ": use target.argmax(axis=-1)"
        raise ValueError(
            f"target of shape {labels.shape} doesn't fit logits of shape {np.shape(scores)}: expected class indices "
            f"of shape {rows}{way}"
        )
    bad = ~((labels >= 0) & (labels < classes) & (labels == np.trunc(labels)))
    if bad.any():
        at = np.unravel_index(int(np.argmax(bad)), bad.shape)
        row = int(at[0]) if len(at) == 1 else tuple(map(int, at))
        label = labels[at].item()
        whole = "; a class index is a whole number" if label % 1 else ""
        raise ValueError(
            f"label {label} at row {row}, but logits have {classes} columns: labels go 0..{classes - 1}{whole}"
        )
    return labels.astype(np.int64)


def _probabilities(target: Any, scores: Any) -> Any:
    """Rows of probabilities in the scores' dtype; a tensor stays one."""
    p = _values(target)
    if p.dtype.kind not in "fiub":
        raise TypeError(f"target has dtype {p.dtype}, expected class indices or probabilities")
    totals = p.sum(axis=-1)
    bad = ~((np.abs(totals - 1) <= 1e-3) & (p >= 0).all(axis=-1))
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"row {row} of target is no distribution: it sums to {totals.flat[row]:.6g} and has a least element of "
            f"{p.reshape(-1, p.shape[-1])[row].min():.6g}; probabilities are >= 0 and sum to 1 "
            "(give class indices if the rows are not meant as probabilities)"
        )
    return target if isinstance(target, mg.Tensor) else p.astype(scores.dtype)


def _like(target: Any, prediction: Any) -> Any:
    """A target of exactly the prediction's shape, in its dtype."""
    values = _values(target)
    if values.shape != prediction.shape:
        way = ""
        if values.size == prediction.size:
            way = ": use target.reshape(-1, 1)" if prediction.ndim == 2 else f": use target.reshape{prediction.shape}"
        raise ValueError(
            f"prediction has shape {prediction.shape} and target {values.shape}; they must be equal, "
            f"broadcasting would pair every prediction with every target{way}"
        )
    if isinstance(target, mg.Tensor):
        return target
    if values.dtype.kind not in "fiub":
        raise TypeError(f"target has dtype {values.dtype}, expected real numbers")
    return values.astype(prediction.dtype, copy=False)


def _check_targets(target: Any, is_right: Callable[[np.ndarray], np.ndarray], expected: str) -> None:
    """Raise ValueError for the first target that isn't right."""
    values = target.data if isinstance(target, mg.Tensor) else target
    right = is_right(values)
    if not right.all():
        raise ValueError(f"target {values[~right][0]:.6g}, expected {expected}")


# -- softmax cross-entropy -----------------------------------------------------------------------
@functools.lru_cache(maxsize=8)
def _fixed(n: int, k: int, dtype: Any) -> tuple[np.ndarray, ...]:
    """What depends on the batch's shape alone: where rows start, and vectors whose dot products sum and average."""
    share = np.full(n, 1 / n, dtype)
    return np.arange(0, n * k, k), np.ones((k, 1), dtype), share, share.reshape(n, 1)


def _mean_cross_entropy(z: Any, labels: Any) -> Any:
    """The loss, and its gradient with respect to the logits, from the one array of exponentials."""
    if z.dtype.kind != "f":
        z = z.astype(float)
    n, k = z.shape
    starts, ones, share, shares = _fixed(n, k, z.dtype)
    own = starts + labels
    e = z - z.take(starts + z.argmax(1)).reshape(n, 1)  # the largest of each row; starts sooner than z.max(1)
    picked = e.take(own)
    np.exp(e, e)
    total = e.dot(ones)
    loss = (np.log(total).reshape(n) - picked).dot(share)
    e *= shares / total
    e.put(own, e.take(own) - share)
    return loss, e


def _mean_cross_entropy_slope(z: Any, labels: Any) -> Any:
    hit = labels[:, None] == np.arange(z.shape[1])
    return (softmax(z) - hit) / len(z)


mean_cross_entropy = mg.op(
    _mean_cross_entropy,
    lambda g, y, z, labels, saved: g * saved,
    None,
    name="cross_entropy",
    formula="cross-entropy(softmax({0}), {1})",
    saves=_mean_cross_entropy_slope,
    samples=lambda rng: [mg.sample(rng.normal(size=(n, 3)), rng.integers(0, 3, n)) for n in (4, 1)],
    reference=lambda z, labels: -np.mean(np.log(softmax(z))[np.arange(len(z)), labels]),
)


def _cross_entropy_terms(z: Any, t: Any) -> Any:
    """Sums over the last axis of ``-t log softmax(z)``; a class of weight 0 may have a logit of -inf."""
    return np.sum(t * np.where(t == 0, 0.0, -log_softmax(z)), axis=-1)


cross_entropy_terms = mg.op(
    _cross_entropy_terms,
    lambda g, y, z, t: g[..., None] * (softmax(z) * np.sum(t, axis=-1, keepdims=True) - t),
    lambda g, y, z, t: g[..., None] * -log_softmax(z),
    name="cross_entropy_terms",
    formula="-sum({1} * log softmax({0}))",
    samples=lambda rng: [
        mg.sample(rng.normal(size=shape), rng.uniform(0.1, 1, shape)) for shape in [(4, 3), (2, 2, 3), (3,)]
    ],
    reference=lambda z, t: -np.sum(t * np.log(softmax(z)), axis=-1),
)


def cross_entropy(
    logits: Any, target: Any, *, weight: Any = None, label_smoothing: float = 0.0, reduction: Reduction = "mean"
) -> Any:
    """Softmax cross-entropy ``-log softmax(logits)[target]``, averaged over rows.

    Parameters
    ----------
    logits
        Scores of shape ``(..., classes)``, before any softmax.
    target
        Class indices of shape ``(...)``, or probabilities (or one-hot rows) of the logits' shape.
    weight
        One factor per class, of shape ``(classes,)``. With class indices, the mean is the weighted one, and 0 where
        all rows are of classes of weight 0.
    label_smoothing
        Share of each target's probability that is spread evenly over all classes, in [0, 1]
        (Szegedy et al., CVPR 2016, doi:10.1109/CVPR.2016.308).
    reduction
        ``"mean"`` or ``"sum"`` over rows, or ``"none"``.

    Raises
    ------
    ValueError
        If shapes don't fit, a label is out of range, or a row of probabilities doesn't sum to 1.
    TypeError
        If labels are booleans or strings.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> logits = np.array([[0.0, 1e4], [0.0, 0.0]])
    >>> round(float(nn.cross_entropy(logits, np.array([1, 0]))), 4)
    0.3466
    """
    if (
        isinstance(logits, mg.Tensor)
        and target.__class__ is np.ndarray
        and target.dtype is _INT64
        and weight is None
        and not label_smoothing
        and reduction == "mean"
    ):
        shape = logits.shape
        if (
            len(shape) == 2
            and target.shape == shape[:1] != (0,)
            and (labels := target.view(_UINT64)).item(labels.argmax()) < shape[1]  # what is below 0 looks huge
        ):
            return mean_cross_entropy(logits, target)
    return _weighted_cross_entropy(logits, target, weight, label_smoothing, reduction)


def _weighted_cross_entropy(logits: Any, target: Any, weight: Any, label_smoothing: float, reduction: Reduction) -> Any:
    logits = _as_scores(logits)
    classes = logits.shape[-1]
    indices = np.shape(target) != logits.shape
    if indices:
        hit = _labels(target, logits)[..., None] == np.arange(classes)
        t: Any = hit.astype(logits.dtype)
    else:
        t = _probabilities(target, logits)
    smooth = as_number(label_smoothing, "label_smoothing", "[0, 1]")
    if smooth:
        t = (1 - smooth) * t + smooth / classes
    if weight is None:
        return _reduce(cross_entropy_terms(logits, t), reduction)
    w = _class_weights(weight, logits)
    terms = cross_entropy_terms(logits, t * w)
    if reduction == "mean" and indices:
        return np.sum(terms) / _total(hit * w)
    return _reduce(terms, reduction)


def _as_floats(x: Any) -> Any:
    """Predictions as a tensor or an array of floats."""
    if isinstance(x, mg.Tensor):
        return x
    values = mg.astensor(x).data
    return values if values.dtype.kind == "f" else values.astype(float)


def _as_scores(scores: Any) -> Any:
    scores = _as_floats(scores)
    if scores.ndim == 0:
        raise ValueError("logits are a single number, expected scores of shape (..., classes)")
    return scores


def _class_weights(weight: Any, scores: Any) -> np.ndarray:
    w = np.asarray(weight)
    if w.shape != scores.shape[-1:] or w.dtype.kind not in "iuf" or not ((w >= 0) & (w < np.inf)).all():
        raise ValueError(f"weight={weight!r}: expected one number >= 0 per class, {scores.shape[-1]} of them")
    return w.astype(scores.dtype)


def _total(weights: np.ndarray) -> float:
    """What a weighted mean is divided by; where nothing has weight, 1, so that the mean is 0."""
    return float(weights.sum()) or 1.0


def nll_loss(log_probabilities: Any, target: Any, *, weight: Any = None, reduction: Reduction = "mean") -> Any:
    """Negative log-likelihood ``-log_probabilities[target]``: cross-entropy after `log_softmax`.

    Parameters
    ----------
    log_probabilities
        Of shape ``(..., classes)``.
    target
        Class indices of shape ``(...)``.
    weight
        One factor per class; the mean is then the weighted one.
    reduction
        ``"mean"`` or ``"sum"`` over rows, or ``"none"``.

    Raises
    ------
    TypeError, ValueError
        For labels that aren't whole numbers 0..classes - 1, or don't fit in shape.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> float(nn.nll_loss(np.array([[-0.5, -2.0], [-1.0, -0.1]]), [1, 0]))
    1.5
    """
    scores = _as_scores(log_probabilities)
    labels = _labels(target, scores)
    terms = -scores[(*np.indices(labels.shape, sparse=True), labels)]
    if weight is None:
        return _reduce(terms, reduction)
    w = _class_weights(weight, scores)[labels]
    return np.sum(terms * w) / _total(w) if reduction == "mean" else _reduce(terms * w, reduction)


def kl_divergence(logits: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Kullback-Leibler divergence of softmax(logits) from a target distribution, ``sum p log(p / q)``.

    Parameters
    ----------
    logits
        Scores of shape ``(..., classes)``; log-probabilities do as well, a softmax leaves them as they are.
    target
        Probabilities `p` of the same shape.
    reduction
        ``"mean"`` or ``"sum"`` over rows, or ``"none"``.

    Raises
    ------
    ValueError
        If the shapes differ, or a row of the target is no distribution.

    Notes
    -----
    Kullback & Leibler (1951), doi 10.1214/aoms/1177729694.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> round(float(nn.kl_divergence(np.zeros((1, 2)), np.array([[1.0, 0.0]]))), 4)
    0.6931
    """
    logits = _as_scores(logits)
    if np.shape(target) != logits.shape:
        raise ValueError(f"target of shape {np.shape(target)}, expected probabilities of shape {logits.shape}")
    p = _probabilities(target, logits)
    entropy = -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1)
    return _reduce(cross_entropy_terms(logits, p) - entropy, reduction)


# -- two classes -----------------------------------------------------------------------------------
def _range(z: Any) -> tuple[Any, Any]:
    """The least and the largest finite number of its dtype."""
    limits = np.finfo(z.dtype)
    return limits.min, limits.max


binary_cross_entropy_terms = mg.op(
    lambda z, t: np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z))),
    lambda g, y, z, t: g * (sigmoid(z) - t),
    lambda g, y, z, t: -g * np.clip(z, *_range(z)),  # a number even where z is infinite: 0 times it is 0
    name="binary_cross_entropy",
    formula="cross-entropy(σ({0}), {1})",
    elementwise=True,
    samples=lambda rng: [mg.sample(rng.normal(size=(3, 2)), rng.uniform(0, 1, (3, 2)))],
    reference=lambda z, t: np.log(1 + np.exp(z)) - z * t,
)


def binary_cross_entropy(logits: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Sigmoid cross-entropy ``-t log σ(z) - (1 - t) log(1 - σ(z))``, averaged over all elements.

    Parameters
    ----------
    logits
        Scores, before any sigmoid.
    target
        Of the same shape: 0 or 1, or probabilities between.
    reduction
        ``"mean"`` or ``"sum"`` over elements, or ``"none"``.

    Raises
    ------
    ValueError
        If the shapes differ, or a target is outside of [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> float(nn.binary_cross_entropy(np.array([1e4, -1e4]), np.array([1, 1])))
    5000.0
    """
    logits = _as_floats(logits)
    t = _like(target, logits)
    _check_targets(t, lambda v: (v >= 0) & (v <= 1), "0 or 1, or a probability between")
    return _reduce(binary_cross_entropy_terms(logits, t), reduction)


def hinge_loss(scores: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Hinge loss ``max(0, 1 - t · score)`` of a linear margin, as in support vector machines.

    Parameters
    ----------
    scores
        Signed distances from the boundary.
    target
        Of the same shape: -1 or 1.
    reduction
        ``"mean"`` or ``"sum"`` over elements, or ``"none"``.

    Raises
    ------
    ValueError
        If the shapes differ, or a target is neither -1 nor 1.

    Notes
    -----
    Cortes & Vapnik (1995), doi 10.1007/BF00994018.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> float(nn.hinge_loss(np.array([2.0, -0.5]), np.array([1, 1])))
    0.75
    """
    scores = _as_floats(scores)
    t = _like(target, scores)
    _check_targets(t, lambda v: np.abs(v) == 1, "-1 or 1: for 0 and 1 give 2 * t - 1")
    return _reduce(np.maximum(1 - t * scores, 0), reduction)


# -- regression ------------------------------------------------------------------------------------
def mse_loss(prediction: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Squared error, averaged over all elements.

    Parameters
    ----------
    prediction, target
        Of the same shape.
    reduction
        ``"mean"`` or ``"sum"`` over elements, or ``"none"``.

    Raises
    ------
    ValueError
        If the shapes differ: (4, 1) against (4,) would broadcast to 16 differences.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> float(nn.mse_loss(np.array([1.0, 2.0]), [1, 4]))
    2.0
    """
    prediction = _as_floats(prediction)
    return _reduce(np.square(prediction - _like(target, prediction)), reduction)


def mae_loss(prediction: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Absolute error, averaged over all elements; its slope where they agree is 0.

    Parameters
    ----------
    prediction, target
        Of the same shape.
    reduction
        ``"mean"`` or ``"sum"`` over elements, or ``"none"``.

    Raises
    ------
    ValueError
        If prediction and target differ in shape, which would broadcast, or for an unknown reduction.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> float(nn.mae_loss(np.array([1.0, 2.0]), [1, 4]))
    1.0
    """
    prediction = _as_floats(prediction)
    return _reduce(np.abs(prediction - _like(target, prediction)), reduction)


def huber_loss(prediction: Any, target: Any, *, delta: float = 1.0, reduction: Reduction = "mean") -> Any:
    """Half the squared error up to `delta`, and on from there with its slope (Huber 1964).

    Parameters
    ----------
    prediction, target
        Of the same shape.
    delta
        Where the parabola becomes a line, > 0.
    reduction
        ``"mean"`` or ``"sum"`` over elements, or ``"none"``.

    Raises
    ------
    ValueError
        If the shapes differ, which would broadcast, for a `delta` not above 0, or an unknown reduction.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> nn.huber_loss(np.array([0.5, 3.0]), [0, 0], reduction="none")
    array([0.125, 2.5  ])
    """
    delta = as_number(delta, "delta", "(0, inf)")
    prediction = _as_floats(prediction)
    r = prediction - _like(target, prediction)
    inner = np.minimum(np.maximum(r, -delta), delta)
    return _reduce(inner * (r - 0.5 * inner), reduction)
