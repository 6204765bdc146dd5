"""Arrays of every kind: dtypes, memory layouts, sizes, broadcasting, axes, and what NaN does."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import microgradnd as mg
from microgradnd import nn

FLOATS = [np.float16, np.float32, np.float64, np.longdouble]


def leaf(values, dtype=None, **options):
    return mg.tensor(values, requires_grad=True, dtype=dtype, **options)


def graph(root):
    seen, stack = {}, [root]
    while stack:
        node = stack.pop()
        if node.serial not in seen:
            seen[node.serial] = node
            stack += [x for x in node.inputs or () if isinstance(x, mg.Tensor)]
    return list(seen.values())


# -- dtypes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("scalar", [2, 0.5, True, -3])
def test_a_python_scalar_does_not_change_the_dtype(dtype, scalar):
    x = leaf([1.0, 2.0], dtype)
    y = scalar * (x + scalar) / 2.0 - scalar * x**2 + np.maximum(x, scalar)
    y = np.where(x > 1.0, y, 0.0).mean() * 3
    assert y.dtype == dtype
    y.backward()
    assert x.grad.dtype == dtype
    assert {t.dtype for t in graph(y)} == {np.dtype(dtype)}
    assert {t.grad.dtype for t in graph(y) if t.grad is not None} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("other", "result"),
    [
        (np.float64(2), np.float64),
        (np.float32(2), np.float32),
        (np.float16(2), np.float32),
        (np.array(2.0), np.float64),
        (np.array([1, 2]), np.float64),
        (np.array([1, 2], np.int16), np.float32),
        (np.array([True, False]), np.float32),
        (np.ones(2, np.float16), np.float32),
    ],
    ids=map(str, range(8)),
)
def test_promotion_is_numpys_and_the_gradient_comes_back_in_the_leafs_dtype(other, result):
    x = leaf([1.0, 2.0], np.float32)
    for y in (x * other, other * x):
        assert y.dtype == result == (x.data * other).dtype
        y.sum().backward()
        assert x.grad.dtype == np.float32


def test_a_graph_of_mixed_dtypes():
    x, w = leaf([1.0, 2.0], np.float32), leaf([3.0, 4.0], np.float64)
    h = x * 2
    y = (h * w + x.astype(np.float64)).sum()
    y.backward()
    assert y.dtype == np.float64
    for t in graph(y):
        assert t.grad.dtype == t.dtype
    assert x.grad.tolist() == [7, 9]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_float32_never_touches_float64_to_any_order(order):
    x = leaf([0.5, -0.25], np.float32)
    y = (np.tanh(x * x) @ x / np.sqrt(np.exp(x).sum())).sum()
    for _ in range(order):
        assert {t.dtype for t in graph(y)} == {np.dtype(np.float32)}
        (g,) = mg.gradients(y, [x], create_graph=True)
        y = g.sum()
    assert {t.dtype for t in graph(y)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("p", [2, 3, 0.5, -1.5, 1, 0])
def test_a_power_of_float32_by_a_number_stays_float32(p):
    x = leaf([0.5, 0.25], np.float32)
    for dtype in (np.float16, np.float32):
        g = np.ones(2, dtype)
        assert mg.power.vjps[0](g, g, g, p).dtype == dtype, "the rule on plain arrays"
    y = (x**p).sum()
    for _ in range(3):
        (g,) = mg.gradients(y, [x], create_graph=True)
        assert {t.dtype for t in graph(g)} == {np.dtype(np.float32)}
        y = g.sum()
        if not y.requires_grad:
            break


def test_a_network_in_float32_stays_there(rng):
    model = nn.Sequential(nn.Dense(4, 8, "tanh", seed=0, dtype=np.float32), nn.Dense(8, 3, seed=1, dtype=np.float32))
    loss = nn.cross_entropy(model(rng.normal(size=(5, 4)).astype(np.float32)), np.array([0, 1, 2, 0, 1]))
    loss.backward()
    assert {t.dtype for t in graph(loss)} == {np.dtype(np.float32)}
    assert {p.grad.dtype for p in model.parameters()} == {np.dtype(np.float32)}


def test_integer_operands_work_and_integer_overflow_is_numpys():
    x = leaf([1.5, 2.5])
    (x * np.array([2, 3]) + mg.tensor([1, 2])).sum().backward()
    assert x.grad.tolist() == [2, 3]
    with pytest.raises(OverflowError):
        mg.tensor([1], dtype=np.uint8) + 300


@pytest.mark.parametrize(
    "act", [lambda x: x * 1j, lambda x: x * np.array([1j, 2]), lambda x: x.astype(complex)], ids="abc"
)
def test_complex_numbers_say_they_are_out_of_scope(act):
    with pytest.raises(TypeError, match=r"complex|real numbers"):
        act(leaf([1.0, 2.0]))


@pytest.mark.parametrize("other", [np.array([1, "a"], object), np.array(["a", "b"]), np.array([None, None])], ids="abc")
def test_arrays_of_anything_but_real_numbers_are_refused_as_operands(other):
    for act in (lambda a, b: a * b, lambda a, b: b * a, np.maximum):
        with pytest.raises(TypeError, match=r"real numbers"):
            act(leaf([1.0, 2.0]), other)


def test_a_mask_is_never_lost_in_silence():
    masked, x = np.ma.masked_array([1.0, 2.0], [True, False]), leaf([1.0, 2.0])
    for act in (
        lambda: x * masked,
        lambda: masked * x,
        lambda: np.multiply(x, masked),
        lambda: np.where(x > 1, x, masked),
        lambda: x[masked > 1],
        lambda: np.interp(x, masked, [0, 1]),
        lambda: (x * 2).backward(masked),
        lambda: mg.gradients(x * 2, [x], masked),
        lambda: setattr(x, "data", masked),
        lambda: setattr(x, "grad", masked),
        lambda: mg.tensor([1.0, 2.0]).__setitem__(0, np.ma.masked),
    ):
        with pytest.raises(TypeError, match=r"mask|asarray"):
            act()
    assert x.data.tolist() == [1, 2]
    assert x.grad is None


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_a_matrix_whose_product_differs_is_refused_as_an_operand_and_taken_as_data():
    m, x = np.matrix([[1.0, 2.0], [3.0, 4.0]]), leaf([[1.0, 1.0], [1.0, 0.0]])
    for act in (lambda: m * x, lambda: x * m, lambda: m @ x, lambda: x + m):
        with pytest.raises(TypeError, match=r"np\.matrix.*matrix product.*np\.asarray"):
            act()
    assert mg.tensor(m).tolist() == [[1, 2], [3, 4]]


def test_a_subclass_of_ndarray_is_an_array():
    class Special(np.ndarray):
        pass

    special, x = np.array([3.0, 4.0]).view(Special), leaf([1.0, 2.0])
    for y in (x * special, special * x, x @ special):
        assert type(y) is mg.Tensor
        assert type(y.data) is np.ndarray


def test_flat_results():
    x = leaf([1.2, -0.7, 2.0])
    for f in (np.sign, np.floor, np.ceil, np.trunc, np.rint):
        y = f(x)
        assert y.requires_grad
        y.sum().backward(retain_graph=False)
        assert x.grad.tolist() == [0, 0, 0]
    for result in (x > 1, np.isnan(x), np.argmax(x), np.argsort(x), np.isfinite(x), np.logical_not(x), np.shape(x)):
        assert not isinstance(result, mg.Tensor)


# -- memory -----------------------------------------------------------------------------------

BASE = np.arange(1.0, 25.0).reshape(4, 6)
LAYOUTS = {
    "plain": BASE[:2, :3].copy(),
    "sliced": BASE[::2, ::2],
    "negative strides": BASE[1::-1, 2::-1],
    "fortran": np.asfortranarray(BASE[:2, :3]),
    "transposed": BASE[:3, :2].T,
    "broadcast": np.broadcast_to(BASE[0, :3], (2, 3)),
    "byte-swapped": BASE[:2, :3].astype(">f8"),
    "misaligned": np.frombuffer(b"x" + BASE[0].tobytes(), np.float64, 6, 1).reshape(2, 3),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("make", [mg.tensor, mg.astensor])
def test_layout_makes_no_difference(layout, make):
    a = LAYOUTS[layout].view()
    a.flags.writeable = False
    x, plain = make(a, requires_grad=True), leaf(np.array(a, dtype=float, order="C"))
    for t in (x, plain):
        y = (np.exp(t / 10) @ t.T + t.sum(axis=0)[:2] * t[:, [0, 0]]).mean()
        y.backward()
    np.testing.assert_allclose(x.grad, plain.grad, rtol=1e-14)
    assert x.grad.flags.c_contiguous
    assert x.grad.flags.writeable
    assert x.grad.dtype.isnative


@pytest.mark.parametrize("layout", LAYOUTS)
def test_raw_operands_of_any_layout(layout):
    a, x = LAYOUTS[layout], leaf(np.ones((2, 3)))
    (x * a).sum().backward()
    np.testing.assert_array_equal(x.grad, a)
    assert x.grad.dtype.isnative


def test_memory_mapped_arrays(tmp_path):
    np.save(tmp_path / "a.npy", BASE)
    a = np.load(tmp_path / "a.npy", mmap_mode="r")
    x = mg.astensor(a, requires_grad=True)
    (x * a).sum().backward()
    np.testing.assert_array_equal(x.grad, BASE)
    del a, x


# -- sizes and shapes -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0, 2), (1, 1)], ids=str)
def test_every_size(shape):
    x = leaf(np.full(shape, 2.0))
    for y in (x * x, np.exp(x) - x, x.T, np.reshape(x, -1), np.concatenate([np.reshape(x, -1)] * 2)):
        assert isinstance(y, mg.Tensor)
        assert isinstance(y.data, np.ndarray)
        y.sum().backward()
        assert x.grad.shape == shape
        x.zero_grad()
    (3 * x).sum().backward()
    assert (x.grad == 3).all()


def test_zero_dimensional_results_stay_arrays():
    x = leaf([1.0, 2.0])
    for y in (x.sum(), x.mean(), x[0], x.max(), x @ x, x.sum() * 2, np.exp(x.sum()), -x[1]):
        assert y.shape == ()
        assert type(y.data) is np.ndarray
        y.backward()
        assert type(y.grad) is np.ndarray
        assert type(x.grad) is np.ndarray


def test_reductions_of_nothing_are_numpys():
    x = leaf(np.zeros((0, 3)))
    assert x.sum().item() == 0
    with pytest.raises(ValueError, match=r"zero-size|empty"):
        x.max()
    with pytest.warns(RuntimeWarning), np.errstate(all="ignore"):
        assert np.isnan(x.mean().item())


@pytest.mark.parametrize("axis", [0, -1, (0, 1), (-1, 0), np.int64(1), (), None], ids=str)
@pytest.mark.parametrize("keepdims", [True, False])
def test_axes_of_every_kind(axis, keepdims):
    a = BASE[:2, :3].copy()
    x = leaf(a)
    for ours, numpys in [(np.sum, np.sum), (np.mean, np.mean), (np.max, np.max)]:
        y = ours(x, axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(y.data, numpys(a, axis=axis, keepdims=keepdims))
        y.sum().backward()
        assert x.grad.shape == a.shape


@pytest.mark.parametrize("axis", [2, -3, (0, 0), 1.5])
def test_wrong_axes_are_numpys_error_with_the_op_named(axis):
    with pytest.raises((np.exceptions.AxisError, ValueError, TypeError), match=r"sum|axis"):
        np.sum(leaf(np.ones((2, 3))), axis=axis)


@given(mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3), st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_broadcasting_in_every_direction(shapes, seed):
    rng = np.random.default_rng(seed)
    a, b, c = (rng.uniform(1, 2, s) for s in shapes.input_shapes)
    x, y, z = leaf(a), leaf(b), leaf(c)
    result = x * y / z - np.where(a > 1.5, y, z) + np.maximum(x, z) ** y
    w = rng.normal(size=shapes.result_shape)
    result.backward(w)
    hit = np.broadcast_arrays(a, b, c)
    full = [leaf(h) for h in hit]
    X, Y, Z = full
    (X * Y / Z - np.where(hit[0] > 1.5, Y, Z) + np.maximum(X, Z) ** Y).backward(w)
    for t, whole in zip((x, y, z), full, strict=True):
        assert t.grad.shape == t.shape
        extra = whole.ndim - t.ndim
        axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(t.shape) if n != whole.shape[i + extra])
        np.testing.assert_allclose(t.grad, whole.grad.sum(axis=axes).reshape(t.shape), atol=1e-12)


def test_repeated_indices_add_up_and_wrong_ones_are_numpys_error():
    x = leaf([1.0, 2.0, 3.0])
    x[[0, 0, 1]].sum().backward()
    assert x.grad.tolist() == [2, 1, 0]
    x.zero_grad()
    x[np.array([True, False, True])].sum().backward()
    assert x.grad.tolist() == [1, 0, 1]
    with pytest.raises(IndexError, match="`getitem`"):
        x[[0, 3]]


def test_missing_data_that_a_mask_leaves_out_reaches_no_gradient():
    x, t = np.array([[1.0, np.nan], [np.nan, 2.0]]), np.array([np.nan, 1.0])
    for error in (np.abs, np.square, lambda d: np.logaddexp(d, 0.0), lambda d: np.sqrt(1 + d * d)):
        w = leaf([0.5, 0.25])
        with np.errstate(invalid="ignore"):  # NumPy's logaddexp warns of NaN
            loss = np.where(np.isnan(t), 0.0, error(np.where(np.isnan(x), 0.0, x * w).sum(axis=1) - t)).sum()
            loss.backward()
        assert np.isfinite(w.grad).all()
        assert w.grad[0] == 0
        assert w.grad[1] != 0


# -- NaN --------------------------------------------------------------------------------------


def test_nan_and_infinity_pass_through_without_an_error_of_ours():
    x = leaf([np.nan, np.inf, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (x * 2 + np.exp(-x)).sum().backward()
    assert np.isnan(x.grad[0])
    assert x.grad[1] == 2


def test_the_gradient_of_what_was_not_chosen_is_zero():
    x = leaf([0.0, 4.0])
    np.where(x > 0, np.sqrt(x), 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.25]


def test_a_network_trains_without_a_floating_point_warning(rng):
    model = nn.Sequential(nn.Dense(4, 8, "tanh", seed=0), nn.Dense(8, 3, seed=1))
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        loss = nn.cross_entropy(1e4 * model(rng.normal(size=(6, 4))), np.array([0, 1, 2, 0, 1, 2]))
        loss.backward()
    assert np.isfinite(loss.item())
