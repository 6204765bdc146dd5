"""Zero stays zero through every rule: no cotangent in, none out, however steep or undefined the slope is."""

import itertools

import numpy as np
import pytest

import microgradnd as mg
from microgradnd.ops import slopes

POINTS = [np.inf, -np.inf, 0.0, 1.0, -1.0, 2.0, -2.5, 1e200, -1e200, 1e-300]
DISCRETE = {"ldexp", "where"}  # an exponent, a condition: not among these points
ELEMENTWISE = sorted(
    name for name, op in mg.OPS.items() if op.elementwise and op.module.startswith("microgradnd.ops") and not op.packed
)


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if name not in DISCRETE])
def test_no_cotangent_in_none_out(name: str) -> None:
    op = mg.OPS[name]
    options = next(iter(op.samples(np.random.default_rng(0)))).options
    inputs = [np.array(column) for column in zip(*itertools.product(POINTS, repeat=op.arity), strict=True)]
    with np.errstate(all="ignore"):
        y = op.forward(*inputs, **options)
        for rule in op.vjps:
            g = rule(np.zeros_like(y), y, *inputs, **options)
            np.testing.assert_array_equal(g, np.zeros_like(y))


@pytest.mark.parametrize("function", [slopes.scale, slopes.over])
def test_nan_is_kept_where_something_flows(function: mg.Op) -> None:
    with np.errstate(all="ignore"):
        y = function(np.array([1.0, 0.0, np.nan, 0.0]), np.array([np.nan, np.nan, 1.0, 2.0]))
    np.testing.assert_array_equal(y, [np.nan, 0.0, np.nan, 0.0])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, np.int64, np.bool_])
@pytest.mark.parametrize("shape", [(), (0,), (2, 2)])
def test_scale_is_the_product_in_every_dtype_and_layout(dtype: type, shape: tuple[int, ...]) -> None:
    slope = np.ones(shape, dtype)
    with np.errstate(all="raise"):
        product = slopes.scale(np.full(shape, 3.0, np.float32), slope.T)
    np.testing.assert_array_equal(product, 3 * slope)
    assert product.dtype == np.result_type(np.float32, dtype)


def test_finite_slopes_whose_squares_overflow_raise_nothing() -> None:
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(slopes.scale(np.ones(2), np.array([1e200, -1e300])), [1e200, -1e300])
