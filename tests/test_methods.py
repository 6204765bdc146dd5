"""A tensor's methods are an array's: same arguments, same results, and gradients where there are any."""

import numpy as np
import pytest

import microgradnd as mg

CALLS = [
    ("sum", (), {}),
    ("sum", (0,), {"keepdims": True, "initial": 2.0}),
    ("sum", (), {"axis": (0, 1), "where": np.array([True, False, True])}),
    ("prod", (1,), {}),
    ("prod", (), {"initial": 2.0}),
    ("mean", (-1, None, None, True), {}),
    ("mean", (), {"where": np.array([True, False, True])}),
    ("var", (0,), {"ddof": 1}),
    ("std", (), {"axis": 1, "keepdims": True}),
    ("max", (0,), {}),
    ("min", (), {"keepdims": True}),
    ("max", (), {"initial": 0.5}),
    ("trace", (1,), {}),
    ("dot", (np.ones((3, 2)),), {}),
    ("cumsum", (1,), {}),
    ("cumprod", (), {}),
    ("clip", (-0.5, 0.5), {}),
    ("clip", (), {"min": -0.5}),
    ("round", (1,), {}),
    ("conj", (), {}),
    ("reshape", (3, -1), {"order": "F"}),
    ("reshape", ((6,),), {}),
    ("transpose", (1, 0), {}),
    ("transpose", (), {}),
    ("swapaxes", (0, 1), {}),
    ("squeeze", (), {}),
    ("ravel", ("F",), {}),
    ("flatten", (), {}),
    ("copy", (), {}),
    ("astype", (np.float32,), {}),
    ("astype", (int,), {}),
    ("diagonal", (-1,), {}),
    ("repeat", (2,), {"axis": 1}),
    ("take", ([0, 0, 5],), {"mode": "clip"}),
    ("compress", ([True, False],), {"axis": 0}),
    ("all", (), {"axis": 0}),
    ("any", (), {"where": False}),
    ("argmax", (0,), {"keepdims": True}),
    ("argmin", (), {}),
    ("argsort", (0,), {"kind": "stable"}),
    ("argpartition", (1,), {}),
    ("nonzero", (), {}),
    ("item", (1, 2), {}),
    ("tolist", (), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS, ids=[f"{i} {c[0]}" for i, c in enumerate(CALLS)])
def test_methods_are_an_arrays(name, args, kwargs, rng):
    array = rng.normal(size=(2, 3))
    x = mg.tensor(array, requires_grad=True)
    expected, got = getattr(array, name)(*args, **kwargs), getattr(x, name)(*args, **kwargs)
    if (np.asarray(expected).dtype.kind == "f" and not isinstance(expected, float | list)) or isinstance(
        expected, np.floating
    ):
        assert isinstance(got, mg.Tensor)
        assert got.dtype == expected.dtype
        got.sum().backward()
        assert x.grad.shape == x.shape
    else:
        assert not isinstance(got, mg.Tensor)
    np.testing.assert_allclose(mg.astensor(got).data if isinstance(got, mg.Tensor) else got, expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["shape", "ndim", "size", "dtype", "itemsize", "nbytes", "strides"])
def test_attributes_are_an_arrays(name):
    array = np.ones((2, 3), np.float32)[:, ::2]
    assert getattr(mg.astensor(array), name) == getattr(array, name)


def test_the_parts_of_real_numbers():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (x.real * 3 + x.imag).sum().backward()
    assert x.grad.tolist() == [3, 3]
    assert x.imag.tolist() == [0, 0]


def test_transposes_are_recorded(rng):
    x = mg.tensor(rng.normal(size=(2, 3, 4)), requires_grad=True)
    assert x.T.shape == (4, 3, 2)
    assert x.mT.shape == (2, 4, 3)
    assert x.mT.requires_grad


@pytest.mark.parametrize(
    ("call", "way"),
    [
        (lambda x: x.sort(), "np.sort"),
        (lambda x: x.partition(1), "np.partition"),
        (lambda x: x.fill(0.0), "np.full_like"),
        (lambda x: x.put([0], 1.0), "mg.put"),
        (lambda x: x.resize((3,)), "np.resize"),
    ],
)
def test_methods_in_place_are_refused(call, way):
    x = mg.tensor([2.0, 1.0])
    with pytest.raises(TypeError, match=way):
        call(x)
    assert x.tolist() == [2.0, 1.0]


def test_flat_and_out_are_refused():
    x = mg.tensor([2.0, 1.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"np\.ravel"):
        x.flat
    with pytest.raises(TypeError, match="out="):
        x.sum(out=np.zeros(()))


@pytest.mark.parametrize("sign", ["&", "|", "^", "<<", ">>"])
@pytest.mark.parametrize("dtype", [int, bool])
def test_bits_of_integers_and_booleans(sign, dtype):
    a, b = np.array([1, 0, 3], dtype), np.array([1, 1, 2], dtype)
    if dtype is bool and sign in ("<<", ">>"):
        a, b = a.astype(np.int8), b
    for ours in (
        eval(f"mg.tensor(a) {sign} b"),
        eval(f"a {sign} mg.tensor(b)"),
        eval(f"mg.tensor(a) {sign} mg.tensor(b)"),
    ):
        np.testing.assert_array_equal(ours, eval(f"a {sign} b"), strict=True)
    np.testing.assert_array_equal(~mg.tensor(a), ~a, strict=True)
    with pytest.raises(TypeError, match=r"bitwise|shift"):
        eval(f"mg.tensor([1.0], requires_grad=True) {sign} b", {"mg": mg, "b": b[:1]})


def test_divmod():
    x = mg.tensor([7.5, -2.0], requires_grad=True)
    quotient, rest = divmod(x, 2.0)
    np.testing.assert_array_equal(quotient.data, [3.0, -1.0])
    np.testing.assert_array_equal(rest.data, [1.5, 0.0])
    assert [part.data.tolist() for part in divmod(9.0, x)] == [[1.0, -5.0], [1.5, -1.0]]


def test_integer_tensors_choose_and_search():
    assert mg.tensor([1, 0]).choose([mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0])]).tolist() == [3.0, 2.0]
    assert mg.tensor([1.0, 2.0, 3.0]).searchsorted(mg.tensor([2.5])).tolist() == [2]
