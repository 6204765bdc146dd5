"""The one check that tests of op families share: a function on tensors against the same function on arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgradnd as mg


def flatten(result: Any) -> list[Any]:
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in flatten(part)]
    return [result]


def floats(result: Any) -> list[Any]:
    return [part for part in flatten(result) if np.result_type(np.asarray(getattr(part, "data", part))).kind == "f"]


def slope(f: Callable[[float], Any], h: float = 1e-3) -> Any:
    """The derivative of f at 0, by central differences extrapolated twice (error about h**6)."""
    d = [(f(k) - f(-k)) / (2 * k) for k in (h, 2 * h, 4 * h)]
    return (64 * d[0] - 20 * d[1] + d[2]) / 45


@pytest.fixture
def agrees() -> Callable[..., None]:
    """``agrees(f, *arrays)``: f gives tensors the values and dtypes that NumPy gives, and right gradients twice."""

    def check(f: Callable[..., Any], *arrays: Any, order: int = 2, rtol: float = 1e-6) -> None:
        rng = np.random.default_rng(7)
        arrays = tuple(np.asarray(a) for a in arrays)
        xs = [mg.astensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
        expected, got = flatten(f(*arrays)), flatten(f(*xs))
        assert len(expected) == len(got)
        for e, t in zip(expected, got, strict=True):
            value = t.data if isinstance(t, mg.Tensor) else t
            np.testing.assert_allclose(value, e, rtol=1e-9, atol=1e-11)
            assert np.asarray(value).dtype == np.asarray(e).dtype
            assert np.shape(value) == np.shape(e)
        weights = [rng.normal(size=np.shape(e)) for e in floats(expected)]
        directions = [rng.normal(size=a.shape) for a in arrays]

        def loss(*inputs: Any) -> Any:
            return sum(np.sum(w * y) for w, y in zip(weights, floats(f(*inputs)), strict=True))

        def moved(t: float) -> list[Any]:
            return [a + t * u if a.dtype.kind == "f" else a for a, u in zip(arrays, directions, strict=True)]

        def pull(*inputs: Any) -> tuple[Any, list[Any]]:
            leaves = [mg.tensor(a, requires_grad=a.dtype.kind == "f") for a in inputs]
            wanted = [x for x in leaves if x.requires_grad]
            y = loss(*leaves)
            return wanted, mg.gradients(y, wanted, create_graph=True) if isinstance(y, mg.Tensor) else []

        wanted, gs = pull(*arrays)
        for x, g in zip(wanted, gs, strict=True):
            assert g.dtype == x.dtype
            assert g.shape == x.shape
        us = [u for a, u in zip(arrays, directions, strict=True) if a.dtype.kind == "f"]
        analytic = sum(float(np.sum(g.data * u)) for g, u in zip(gs, us, strict=True))
        close(analytic, slope(lambda t: loss(*moved(t))), rtol)
        if order < 2:
            return
        vs = [rng.normal(size=x.shape) for x in wanted]
        project = lambda gs: sum(np.sum(g * v) for g, v in zip(gs, vs, strict=True))  # noqa: E731
        seconds = mg.gradients(project(gs), wanted) if project(gs).requires_grad else [np.zeros(1)]
        analytic = sum(float(np.sum(np.asarray(getattr(s, "data", s)) * u)) for s, u in zip(seconds, us, strict=False))
        close(analytic, slope(lambda t: project(pull(*moved(t))[1]).item()), rtol)

    def close(analytic: float, numeric: float, rtol: float) -> None:
        assert abs(analytic - numeric) <= rtol * max(1.0, abs(numeric)), (analytic, numeric)

    return check
