"""The hypothesis strategies: what they draw is what they say, and the ops hold on it."""

import builtins

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import microgradnd as mg
from microgradnd import strategies

quick = settings(deadline=None, derandomize=True, max_examples=25)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_arrays_keep_dtype_and_bounds(dtype):
    @quick
    @given(strategies.arrays(low=-0.1, high=1.7, dtype=dtype))
    def check(a):
        assert a.dtype == dtype
        assert np.isfinite(a).all()
        assert ((a >= -0.1) & (a <= 1.7)).all()
        assert ((a == 0) | (np.abs(a) >= np.finfo(dtype).smallest_normal)).all()

    check()


@quick
@given(strategies.arrays((2, 3), apart=1e-2))
def test_arrays_apart_have_no_ties_and_no_zeros(a):
    around = np.sort(np.append(a.ravel(), 0.0))
    assert np.diff(around).min() >= 1e-2 - 1e-12
    assert mg.gradcheck(lambda x: np.max(np.abs(x)), a)


def test_what_cannot_be_apart_is_refused():
    with pytest.raises(ValueError, match="can't be"):
        find(strategies.arrays((1000,), low=0, high=1, apart=0.1), lambda a: True)


@quick
@given(strategies.arrays(), st.data())
def test_layouts_change_the_memory_and_not_the_numbers(a, data):
    laid_out = data.draw(strategies.layouts(st.just(a)))
    np.testing.assert_array_equal(laid_out, a)
    assert not np.shares_memory(laid_out, a) or laid_out.flags.f_contiguous
    assert mg.gradcheck(lambda x: np.sum(np.sin(x)), laid_out)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda a: a.ndim > 1 and not a.flags.c_contiguous and a.flags.f_contiguous,
        lambda a: a.ndim > 1 and min(a.strides) < 0,
        lambda a: a.size > 1 and a.base is not None and not (a.flags.c_contiguous or a.flags.f_contiguous),
        lambda a: not a.flags.writeable,
        lambda a: a.ndim == 0,
        lambda a: a.size == 0,
    ],
    ids=["Fortran", "negative strides", "sliced", "read-only", "0-d", "empty"],
)
def test_each_layout_is_drawn(wanted):
    assert wanted(find(strategies.layouts(), wanted, settings=settings(derandomize=True, max_examples=1000)))


@pytest.mark.parametrize(("name", "options"), [("logaddexp", {"order": 2}), ("log", {}), ("matmul", {}), ("sum", {})])
def test_a_test_is_made_of_an_op(name, options):
    test = mg.gradcheck.given(name, settings=quick, **options)
    assert test.__name__ == f"test_{name}"
    test()


def test_the_test_of_a_wrong_op_fails():
    bad = mg.op(np.multiply, lambda g, y, a, b: g * b, lambda g, y, a, b: -g * a, name="bad", elementwise=True)
    with pytest.raises(mg.GradcheckError, match="argument 1"):
        strategies.given(bad, settings=quick)()
    with pytest.raises(ValueError, match="no samples"):
        strategies.given(mg.op(np.sort, lambda g, y, x: g))


@quick
@given(strategies.broadcastable(3))
def test_shapes_broadcast(shapes):
    assert len(shapes) == 3
    np.broadcast_shapes(*shapes)


@quick
@given(st.data())
def test_axes_and_indices_are_valid(data):
    x = data.draw(strategies.arrays())
    axis = data.draw(strategies.axes(x.ndim))
    assert mg.gradcheck(lambda x: np.sum(x, axis=axis), x)
    index = data.draw(strategies.indices(x.shape))
    assert mg.gradcheck(lambda x: x[index], x)


@pytest.mark.parametrize("name", ["multiply", "log", "sqrt", "tanh", "subtract"])
def test_ops_hold_on_their_domains(name):
    @settings(deadline=None, derandomize=True, max_examples=10)
    @given(strategies.operands(name))
    def check(arguments):
        assert mg.gradcheck(mg.OPS[name], *arguments)

    check()


def test_operands_are_for_elementwise_ops():
    with pytest.raises(ValueError, match="not elementwise"):
        strategies.operands("matmul")


def test_without_hypothesis_the_error_names_the_extra(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name.startswith("hypothesis"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"microgradnd\[test\]"):
        strategies.arrays()
