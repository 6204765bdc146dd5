"""np.linalg: values, gradients to second order, stacks, conventions at 0, and what is refused."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import microgradnd as mg

SQUARE = [(3, 3), (2, 2, 2), (1, 1), (2, 1, 3, 3), (0, 2, 2)]
TALL_AND_WIDE = [(4, 2), (2, 4), (3, 3), (2, 3, 2), (0, 3, 2)]


def spread_out(rng, shape):
    """Random matrices with singular values well apart."""
    return rng.normal(size=shape) + 2 * np.diag(np.arange(1.0, max(shape[-2:]) + 1))[: shape[-2], : shape[-1]]


def gram(x):
    return x @ np.swapaxes(x, -1, -2) + np.eye(x.shape[-2], dtype=x.dtype)


OF_SQUARES = {
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "slogdet": np.linalg.slogdet,
    "matrix_power 3": lambda x: np.linalg.matrix_power(x, 3),
    "matrix_power -2": lambda x: np.linalg.matrix_power(x, -2),
    "matrix_power 1": lambda x: np.linalg.matrix_power(x, 1),
    "eigh": np.linalg.eigh,
    "eigh U": lambda x: np.linalg.eigh(x, UPLO="U"),
    "eigvalsh": np.linalg.eigvalsh,
    "cholesky": lambda x: np.linalg.cholesky(gram(x)),
    "cholesky upper": lambda x: np.linalg.cholesky(gram(x), upper=True),
    "svd hermitian": lambda x: np.linalg.svd(x + np.swapaxes(x, -1, -2), hermitian=True),
    "cond": np.linalg.cond,
    "cond 1": lambda x: np.linalg.cond(x, 1),
    "cond -2": lambda x: np.linalg.cond(x, -2),
    "solve": lambda x: np.linalg.solve(x, x[..., :1] * x[..., :1]),
    "matrix_transpose": np.linalg.matrix_transpose,
}
OF_ANY = {
    "pinv": np.linalg.pinv,
    "pinv rtol": lambda x: np.linalg.pinv(x, rtol=1e-9),
    "svd": lambda x: np.linalg.svd(x, full_matrices=False),
    "svd values": lambda x: np.linalg.svd(x, compute_uv=False),
    "svdvals": np.linalg.svdvals,
    "qr": np.linalg.qr,
    "qr r": lambda x: np.linalg.qr(x, mode="r"),
    "matrix_norm": lambda x: np.linalg.matrix_norm(x, keepdims=True),
    "nuclear": lambda x: np.linalg.matrix_norm(x, ord="nuc"),
}


@pytest.mark.parametrize("shape", SQUARE, ids=str)
@pytest.mark.parametrize("name", OF_SQUARES)
def test_square(name, shape, agrees, rng):
    agrees(OF_SQUARES[name], spread_out(rng, shape))
    check_float32(OF_SQUARES[name], spread_out(rng, shape))


@pytest.mark.parametrize("shape", TALL_AND_WIDE, ids=str)
@pytest.mark.parametrize("name", OF_ANY)
def test_tall_and_wide(name, shape, agrees, rng):
    agrees(OF_ANY[name], spread_out(rng, shape))
    check_float32(OF_ANY[name], spread_out(rng, shape))


def check_float32(function, array):
    x = mg.tensor(array.astype(np.float32), requires_grad=True)
    result = function(x)
    for part in result if isinstance(result, tuple) else [result]:
        assert part.dtype == np.float32
        part.sum().backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (3,)), ((2, 3, 3), (3, 2)), ((3, 3), (2, 3, 1)), ((2, 2), (2, 0))],
    ids=str,
)
def test_solve(a, b, agrees, rng):
    agrees(np.linalg.solve, spread_out(rng, a), rng.normal(size=b))


@pytest.mark.parametrize(("a", "b"), [((4, 2), (4,)), ((4, 2), (4, 3)), ((2, 4), (2,)), ((3, 3), (3,))], ids=str)
def test_lstsq(a, b, agrees, rng):
    a, b = spread_out(rng, a), rng.normal(size=b)
    agrees(lambda a, b: [part for i, part in enumerate(np.linalg.lstsq(a, b)) if i != 2], a, b)
    assert np.linalg.lstsq(mg.tensor(a, requires_grad=True), b)[2] == min(a.shape)


def test_tensor_equations(agrees, rng):
    agrees(np.linalg.tensorsolve, spread_out(rng, (6, 6)).reshape(2, 3, 6), rng.normal(size=(2, 3)))
    agrees(
        lambda a, b: np.linalg.tensorsolve(np.moveaxis(a, 0, 2), b, axes=(2,)),
        spread_out(rng, (6, 6)).reshape(6, 2, 3),
        rng.normal(size=(2, 3)),
    )
    agrees(np.linalg.tensorinv, spread_out(rng, (6, 6)).reshape(2, 3, 6))
    agrees(lambda a: np.linalg.tensorinv(a, ind=1), spread_out(rng, (6, 6)).reshape(6, 2, 3))


@pytest.mark.parametrize(
    "shapes",
    [[(2, 3), (3, 4)], [(2, 3), (3, 4), (4, 2)], [(3,), (3, 4), (4, 2), (2,)], [(3,), (3, 2)], [(2, 3), (3,)]],
    ids=str,
)
def test_multi_dot(shapes, agrees, rng):
    agrees(lambda *xs: np.linalg.multi_dot(xs), *(rng.normal(size=s) for s in shapes))


@pytest.mark.parametrize("ord", [None, 1, 2, 3, 2.5, -1, np.inf, -np.inf, 0.5, 0])
def test_vector_norms(ord, agrees, rng):
    x = rng.normal(size=(2, 3, 4))
    agrees(lambda x: np.linalg.norm(x[0, 0], ord), x)
    agrees(lambda x: np.linalg.norm(x, ord, axis=1), x)
    agrees(lambda x: np.linalg.norm(x, ord, axis=-1, keepdims=True), x)
    agrees(lambda x: np.linalg.vector_norm(x, axis=(0, 2), ord=ord or 0), x)
    agrees(lambda x: np.linalg.vector_norm(x, keepdims=True, ord=ord or 0), x)
    check_norm_dtype(lambda x: np.linalg.norm(x, ord, axis=-1), x)


@pytest.mark.parametrize("ord", [None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_matrix_norms(ord, agrees, rng):
    x = rng.normal(size=(2, 3, 4))
    agrees(lambda x: np.linalg.norm(x[0], ord), x)
    agrees(lambda x: np.linalg.norm(x, ord, axis=(0, 2)), x)
    agrees(lambda x: np.linalg.norm(x, ord, axis=(2, -2), keepdims=True), x)
    check_norm_dtype(lambda x: np.linalg.norm(x, ord, axis=(0, 1)), x)


def check_norm_dtype(function, x):
    x = mg.tensor(x.astype(np.float32), requires_grad=True)
    y = function(x)
    assert y.dtype == np.float32
    if y.requires_grad:
        y.sum().backward()
        assert x.grad.dtype == np.float32


def test_norm_of_everything(agrees, rng):
    agrees(np.linalg.norm, rng.normal(size=(2, 3, 2)))
    agrees(lambda x: np.linalg.norm(x, keepdims=True), rng.normal(size=(2, 3, 2)))
    agrees(np.linalg.norm, np.array(3.0))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(hnp.array_shapes(max_dims=4, max_side=3), st.data())
def test_norm_over_any_axes(shape, data):
    axes = tuple(data.draw(st.lists(st.sampled_from(range(-len(shape), len(shape))), min_size=1, max_size=4)))
    assume(len({a % len(shape) for a in axes}) == len(axes))
    ord, keepdims = data.draw(st.sampled_from([1, 2, 3.5, np.inf])), data.draw(st.booleans())
    a = np.random.default_rng(0).normal(size=shape)
    x = mg.tensor(a, requires_grad=True)
    y = np.linalg.vector_norm(x, axis=axes, ord=ord, keepdims=keepdims)
    np.testing.assert_allclose(y.data, np.linalg.vector_norm(a, axis=axes, ord=ord, keepdims=keepdims))
    w = np.random.default_rng(1).normal(size=y.shape)
    (y * w).sum().backward()
    np.testing.assert_allclose(np.sum(x.grad * a), np.sum(w * y.data))  # homogeneous: Euler's theorem


@settings(deadline=None, derandomize=True, max_examples=40)
@given(hnp.mutually_broadcastable_shapes(signature="(m,m),(m,n)->(m,n)", max_dims=2, max_side=3, min_side=0))
def test_solve_of_stacks_of_any_shape(shapes):
    rng = np.random.default_rng(0)
    a, b = spread_out(rng, shapes.input_shapes[0]), rng.normal(size=shapes.input_shapes[1])
    A, B = mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)
    x = mg.linalg.solve(A, B)
    np.testing.assert_allclose(x.data, np.linalg.solve(a, b) if b.ndim > 1 else np.linalg.solve(a, b[:, None])[:, 0])
    w = rng.normal(size=x.shape)
    (x * w).sum().backward()
    np.testing.assert_allclose(np.sum(B.grad * b), np.sum(w * x.data), atol=1e-12)  # linear in b
    np.testing.assert_allclose(np.sum(A.grad * a), -np.sum(w * x.data), atol=1e-12)  # of degree -1 in A


def gradient(f, x):
    return mg.grad(f)(np.array(x))


def test_norm_conventions():
    for ord in (None, 1, 2, 3, np.inf):
        np.testing.assert_array_equal(gradient(lambda x: np.linalg.norm(x, ord), [0.0, 0.0]), 0)  # noqa: B023
    np.testing.assert_array_equal(gradient(lambda x: np.linalg.norm(x, np.inf), [2.0, -2.0]), [0.5, -0.5])
    np.testing.assert_array_equal(
        gradient(lambda x: np.linalg.norm(x, axis=-1).sum(), [[3.0, 4.0], [0.0, 0.0]]), [[0.6, 0.8], [0, 0]]
    )
    np.testing.assert_allclose(mg.hessian(np.linalg.norm)(np.array([3.0, 4.0])), [[0.128, -0.096], [-0.096, 0.072]])


@pytest.mark.parametrize(
    "x",
    [np.ones((1, 1)), np.zeros((2, 2)), np.ones((3, 3)), np.diag([0.0, 3.0, 2.0]), np.diag([4.0, 0.0, -2.0])[:, ::-1]],
)
def test_derivatives_of_a_determinant_of_any_rank(x, rng):
    """The second and the third against Leibniz's sum over permutations."""
    n = len(x)

    def leibniz(x):
        signs = {p: round(np.linalg.det(np.eye(n)[list(p)])) for p in itertools.permutations(range(n))}
        return sum(sign * np.prod(np.stack([x[i, p[i]] for i in range(n)])) for p, sign in signs.items())

    np.testing.assert_allclose(mg.hessian(np.linalg.det)(x), mg.hessian(leibniz)(x), atol=1e-12)
    along = rng.normal(size=(3, n, n))

    def third(f):
        twice = lambda x: np.sum(mg.hvp(f, (x,), (along[0],))[0] * along[1])  # noqa: E731
        return mg.hvp(twice, (x,), (along[2],))

    np.testing.assert_allclose(third(np.linalg.det)[0], third(leibniz)[0], atol=1e-11)


def test_determinant_of_a_singular_matrix():
    singular = np.array([[1.0, 2.0], [2.0, 4.0]])
    np.testing.assert_allclose(gradient(np.linalg.det, singular), [[4.0, -2.0], [-2.0, 1.0]], atol=1e-12)
    np.testing.assert_allclose(gradient(np.linalg.det, np.diag([0.0, 3.0, 2.0])), np.diag([6.0, 0.0, 0.0]), atol=1e-12)


def test_eigenvalues_alone_may_coincide():
    np.testing.assert_allclose(gradient(lambda a: np.linalg.eigvalsh(a).sum(), np.eye(3)), np.eye(3))
    np.testing.assert_allclose(gradient(lambda a: np.linalg.svdvals(a).sum(), np.eye(3)), np.eye(3))


def test_only_the_triangle_that_is_read_gets_a_gradient(rng):
    a = spread_out(rng, (3, 3))
    assert not np.triu(gradient(lambda a: np.linalg.eigvalsh(a)[0], a), 1).any()
    assert not np.tril(gradient(lambda a: np.linalg.eigvalsh(a, "U")[0], a), -1).any()
    assert not np.triu(gradient(lambda a: np.linalg.cholesky(a).sum(), a @ a.T), 1).any()


def test_named_results():
    x = mg.tensor(np.diag([3.0, 2.0]), requires_grad=True)
    assert np.linalg.eigh(x).eigenvalues.data.tolist() == [2.0, 3.0]
    assert np.linalg.svd(x).S.data.tolist() == [3.0, 2.0]
    assert np.linalg.slogdet(x).sign.item() == 1.0
    assert np.linalg.qr(x).R.shape == (2, 2)
    assert np.linalg.matrix_rank(x) == 2


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: np.linalg.svd(x), TypeError, "full_matrices=False"),
        (lambda x: np.linalg.qr(x, mode="complete"), TypeError, "'complete'"),
        (lambda x: np.linalg.qr(x, mode="raw"), TypeError, "'raw'"),
        (lambda x: np.linalg.pinv(x, hermitian=True), TypeError, "hermitian"),
        (lambda x: np.linalg.eig(x[:2]), TypeError, "np.linalg.eig has no gradient"),
        (lambda x: np.linalg.eigvals(x[:2]), TypeError, "np.linalg.eigvals has no gradient"),
        (lambda x: np.linalg.inv(x), np.linalg.LinAlgError, "square"),
        (lambda x: np.linalg.inv(x[:2] * 0), np.linalg.LinAlgError, "Singular"),
        (lambda x: np.linalg.cholesky(-x[:2]), np.linalg.LinAlgError, "positive definite"),
        (lambda x: np.linalg.matrix_power(x, 2), np.linalg.LinAlgError, r"\(3, 2\)"),
        (lambda x: np.linalg.norm(x[None], 1), ValueError, "3 axes"),
        (lambda x: np.linalg.norm(x[0], "fro"), ValueError, "'fro'"),
        (lambda x: np.linalg.norm(x, 3), ValueError, "Invalid norm order 3"),
        (lambda x: np.linalg.multi_dot([x]), ValueError, "at least two"),
    ],
)
def test_refusals_and_errors(call, error, text):
    with pytest.raises(error, match=text):
        call(mg.tensor(np.ones((3, 2)), requires_grad=True))


def test_only_whole_powers_of_a_matrix():
    for n in (1.5, 2.0):
        with pytest.raises(TypeError, match="integer"):
            np.linalg.matrix_power(mg.tensor(np.eye(2), requires_grad=True), n)


def test_zeroth_power_is_constant():
    x = mg.tensor(np.ones((2, 2)), requires_grad=True)
    y = np.linalg.matrix_power(x, 0)
    assert isinstance(y, mg.Tensor)
    assert not y.requires_grad
