"""Reshaping, permuting and broadcasting: NumPy's results, and the transposed map as gradient."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import microgradnd as mg

steady = settings(deadline=None, derandomize=True, max_examples=60)

CALLS = {
    "reshape": lambda x: np.reshape(x, (4, 6)),
    "reshape -1": lambda x: np.reshape(x, -1),
    "reshape F": lambda x: np.reshape(x, (6, 4), order="F"),
    "reshape F -1": lambda x: np.reshape(x, (-1, 2), order="F"),
    "reshape A": lambda x: np.reshape(x.T, (4, 6), order="A"),
    "reshape copy": lambda x: np.reshape(x, 24, copy=True),
    "ravel": np.ravel,
    "ravel F": lambda x: np.ravel(x, "F"),
    "ravel A": lambda x: np.ravel(x.T, "A"),
    "ravel K": lambda x: np.ravel(np.transpose(x, (1, 0, 2)), "K"),
    "transpose": lambda x: np.transpose(x, (2, 0, -2)),
    "permute_dims": lambda x: np.permute_dims(x, (2, 0, 1)),
    "T": lambda x: x.T,
    "swapaxes": lambda x: np.swapaxes(x, 0, -1),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "moveaxis two": lambda x: np.moveaxis(x, [0, 1], [-1, -2]),
    "rollaxis": lambda x: np.rollaxis(x, 2, 1),
    "rollaxis default": lambda x: np.rollaxis(x, 2),
    "matrix_transpose": np.matrix_transpose,
    "expand_dims": lambda x: np.expand_dims(x, (0, -1)),
    "squeeze": lambda x: np.squeeze(x[:1]),
    "squeeze axis": lambda x: np.squeeze(x[:1, None], axis=(0, 1)),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 2, 3, 4)),
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, x[0, 0], x[:, :1]),
    "atleast_1d": lambda x: np.atleast_1d(x[0, 0, 0], x),
    "atleast_2d": lambda x: np.atleast_2d(x[0, 0]),
    "atleast_3d": lambda x: np.atleast_3d(x[0, 0], x[0]),
    "flip": np.flip,
    "flip axes": lambda x: np.flip(x, (0, -1)),
    "fliplr": np.fliplr,
    "flipud": np.flipud,
    "rot90": np.rot90,
    "rot90 2": lambda x: np.rot90(x, 2, (1, 2)),
    "rot90 -1": lambda x: np.rot90(x, -1, (2, 0)),
    "rot90 4": lambda x: np.rot90(x, 4),
    "roll": lambda x: np.roll(x, 5),
    "roll axis": lambda x: np.roll(x, -2, axis=1),
    "roll axes": lambda x: np.roll(x, (1, 2), axis=(0, 2)),
    "roll twice": lambda x: np.roll(x, 2, axis=(0, 1)),
    "meshgrid": lambda x: np.meshgrid(x[0, 0], x[0, :, 0]),
    "meshgrid ij": lambda x: np.meshgrid(x[0, 0], x[0, :, 0], x[:, 0, 0], indexing="ij"),
    "meshgrid sparse": lambda x: np.meshgrid(x[0, 0], x[0, :, 0], sparse=True, copy=False),
    "meshgrid one": lambda x: np.meshgrid(x[0, 0]),
    "copy": lambda x: np.copy(x),
    "copy F": lambda x: np.copy(x, order="F"),
    "astype": lambda x: x.astype(np.float64, copy=False),
    "full_like": lambda x: np.full_like(x, x[0, 0, 0]),
    "full_like row": lambda x: np.full_like(x, x[0, 0], shape=(5, 4), order="F"),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_and_gradients_are_numpys(name, agrees, rng):
    agrees(CALLS[name], rng.normal(size=(2, 3, 4)))


@pytest.mark.parametrize("name", CALLS)
def test_float32_and_odd_layouts(name, rng):
    whole = rng.normal(size=(4, 6, 4)).astype(np.float32)
    for view in (whole[::2, ::-2], np.asfortranarray(whole[:2, :3]), np.broadcast_to(whole[0, 0], (2, 3, 4))):
        x = mg.astensor(view, requires_grad=True)
        for part, expected in zip(as_list(CALLS[name](x)), as_list(CALLS[name](view)), strict=True):
            np.testing.assert_array_equal(part.data.astype(np.float32), expected.astype(np.float32))
            part.sum().backward()
            assert x.grad.dtype == np.float32


def as_list(result):
    return result if isinstance(result, tuple | list) else [result]


def random_array(shape):
    return np.random.default_rng(3).normal(size=shape)


@steady
@given(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3), st.data())
def test_any_axes_of_any_shape(shape, data):
    array = random_array(shape)
    x = mg.tensor(array, requires_grad=True)
    axes = data.draw(st.permutations(range(len(shape))))
    w = random_array(tuple(shape[a] for a in axes))
    y = np.transpose(x, axes)
    np.testing.assert_array_equal(y.data, np.transpose(array, axes))
    (y * w).sum().backward()
    np.testing.assert_array_equal(x.grad, np.transpose(w, np.argsort(axes)))


@steady
@given(hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3))
def test_broadcasting_in_every_direction(shapes):
    a, b = (mg.tensor(random_array(s), requires_grad=True) for s in shapes.input_shapes)
    p, q = np.broadcast_arrays(a, b)
    assert p.shape == q.shape == shapes.result_shape
    (p * q).sum().backward()
    np.testing.assert_allclose(np.vdot(a.grad, a.data), np.sum(p.data * q.data), atol=1e-9)
    np.testing.assert_allclose(np.vdot(b.grad, b.data), np.sum(p.data * q.data), atol=1e-9)


@steady
@given(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3), st.data())
def test_ravel_in_memory_order_of_any_layout(shape, data):
    axes = data.draw(st.permutations(range(len(shape))))
    steps = tuple(slice(None, None, data.draw(st.sampled_from([1, -1, 2]))) for _ in shape)
    view = np.arange(float(np.prod(shape))).reshape(shape).transpose(axes)[steps]
    for order in "CFAK":
        np.testing.assert_array_equal(np.ravel(mg.astensor(view), order).data, np.ravel(view, order))


def test_errors_are_numpys():
    x = mg.tensor(np.zeros((2, 3)), requires_grad=True)
    with pytest.raises(ValueError, match="cannot reshape"):
        np.reshape(x, (4, 2))
    with pytest.raises(ValueError, match="order is 'K'"):
        np.reshape(x, 6, order="K")
    with pytest.raises(np.exceptions.AxisError):
        np.swapaxes(x, 0, 2)
    with pytest.raises(ValueError, match="size not equal to one"):
        np.squeeze(x, 0)
    with pytest.raises(ValueError, match="reverses axis 1"):
        np.fliplr(x[0])
    with pytest.raises(ValueError, match="indexing is 'ji'"):
        np.meshgrid(x[0], indexing="ji")


def test_copies_keep_the_gradient_and_share_no_memory():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = np.copy(x)
    assert not np.shares_memory(y.data, x.data)
    (3 * y).sum().backward()
    np.testing.assert_array_equal(x.grad, [3.0, 3.0])
    grid, _ = np.meshgrid(x, x)
    assert grid.data.flags.writeable


def test_casting():
    x = mg.tensor([1.5, 2.5], requires_grad=True)
    assert x.astype(np.float32).dtype == np.float32
    assert type(x.astype(int)) is np.ndarray
    assert np.astype(x, np.float64, copy=False) is x
    with pytest.raises(TypeError, match="Cannot cast"):
        x.astype(np.float32, casting="safe")
    with pytest.raises(TypeError, match="complex"):
        x.astype(complex)


def test_arrays_alike():
    x = mg.tensor([1.5, 2.5], requires_grad=True)
    for make in (np.zeros_like, np.ones_like):
        y = make(x)
        assert isinstance(y, mg.Tensor)
        assert not y.requires_grad
        np.testing.assert_array_equal(y.data, make(x.data))
        assert type(make(x, dtype=int)) is np.ndarray
        assert type(getattr(mg, make.__name__)(x.data)) is np.ndarray
    assert np.full_like(x, 3).data.tolist() == [3.0, 3.0]
    with pytest.raises(TypeError, match="dtype=float"):
        np.full_like(mg.tensor([0, 0]), x[0])


def test_plain_lists_are_arrays():
    assert type(mg.reshape([1, 2], (2, 1))) is np.ndarray
    assert mg.flip([1, 2]).tolist() == [2, 1]
