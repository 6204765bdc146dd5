"""`np.linalg`: inverses, determinants and decompositions, of one matrix or stacks of them.

The rules are the reverse mode of the standard differentials: Giles, "Collected matrix derivative
results for forward and reverse mode algorithmic differentiation" (2008), doi 10.1007/978-3-540-68942-3_4,
for inverse, determinant, solve, Cholesky and the eigenvalue and singular value decompositions;
Golub and Pereyra (1973), doi 10.1137/0710036, for the pseudoinverse; Walter and Lehmann (2012),
doi 10.1007/978-3-642-30023-3_21, for QR. Each is plain NumPy, hence differentiable again.

NumPy reads one triangle of a symmetric matrix (`eigh`, `cholesky`), and the gradient lies in that
triangle: it is the derivative of the function that NumPy computes.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backward import sum_to
from ..core import Op, Sample, sample
from ..dispatch import FLAT, any_tracked, as_tensors, composed, implements, values
from . import diagonals, products
from ._samples import calls
from .norms import matrix_norm as matrix_norm
from .norms import norm as norm
from .norms import vector_norm as vector_norm
from .reductions import others
from .shape import as_array, expand_dims, matrix_transpose, moveaxis, reshape
from .slopes import over, scale

__all__ = [
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]
FLAT.add(np.linalg.matrix_rank)
implements(np.linalg.matrix_transpose)(matrix_transpose)


def _t(m: Any) -> Any:
    return np.swapaxes(m, -1, -2)


def _matrices(*shapes: tuple[int, ...], **options: Any) -> Callable[[np.random.Generator], Sample]:
    """One sample: random matrices with an added diagonal 2, 4, 6, ...: well-conditioned, spectra without ties."""

    def draw(rng: np.random.Generator) -> Sample:
        return sample(
            *(rng.normal(size=s) + 2 * np.diag(np.arange(1.0, max(s) + 1))[: s[-2], : s[-1]] for s in shapes), **options
        )

    return draw


@functools.cache
def _result(function: Any) -> Any:
    """The named tuple that a function of NumPy's returns."""
    return type(function(np.eye(1)))


_SQUARES = (_matrices((3, 3)), _matrices((2, 2, 2)), _matrices((1, 1)), _matrices((0, 2, 2)))

# -- inverses and quotients --------------------------------------------------------------------

inv_op: Op = Op(
    np.linalg.inv, lambda g, y, x: -(_t(y) @ g @ _t(y)), name="inv", formula="inv({0})", samples=calls(*_SQUARES)
)


def _solve_vjp(g: Any, y: Any, a: Any, b: Any) -> list[Any]:
    pulled = np.linalg.solve(_t(a), g)
    return [sum_to(-(pulled @ _t(y)), a.shape), sum_to(pulled, b.shape)]


solve_op: Op = Op(
    np.linalg.solve,
    vjp=_solve_vjp,
    name="solve",
    formula="solve({0}, {1})",
    samples=calls(
        _matrices((3, 3), (3, 2)), _matrices((2, 3, 3), (3, 1)), _matrices((3, 3), (2, 3, 1)), _matrices((2, 2), (2, 0))
    ),
)


def _pinv_vjp(g: Any, p: Any, a: Any, **options: Any) -> Any:
    left = _t(g) @ p @ _t(p)
    right = _t(p) @ p @ _t(g)
    return left - a @ (p @ left) + right - (right @ p) @ a - _t(p) @ g @ _t(p)


pinv_op: Op = Op(
    np.linalg.pinv,
    _pinv_vjp,
    name="pinv",
    formula="pinv({0})",
    samples=calls(_matrices((3, 2)), _matrices((2, 3)), _matrices((2, 3, 3))),
)


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """`np.linalg.inv`: the inverse.

    Shapes: ``(..., n, n)`` to the same. Gradient: ``-y.T @ g @ y.T``.

    Raises
    ------
    LinAlgError
        If a matrix is singular.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.linalg.inv(A)[0, 0])(np.array([[2.0, 0.0], [0.0, 4.0]]))
    array([[-0.25, -0.  ],
           [-0.  , -0.  ]])
    """
    return inv_op(as_array(a))


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """`np.linalg.solve`: x with ``a @ x = b``; `b` is a vector only if it has one axis.

    Shapes: ``(..., n, n)`` and ``(..., n, k)`` to ``(..., n, k)``. Gradient: ``solve(a.T, g)`` for `b`, ``-solve(a.T,
    g) @ y.T`` for `a`.

    Raises
    ------
    LinAlgError
        If a matrix is singular.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda b: mg.linalg.solve(np.diag([2.0, 4.0]), b).sum())(np.ones(2))
    array([0.5 , 0.25])
    """
    a, b = as_array(a), as_array(b)
    return solve_op(a, b[:, None])[..., 0] if b.ndim == 1 else solve_op(a, b)


@composed(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Any:
    """`np.linalg.pinv`: the Moore-Penrose inverse, differentiable where the rank is constant.

    Shapes: ``(..., m, n)`` to ``(..., n, m)``. Gradient: Golub & Pereyra (1973), doi 10.1137/0710036.

    Raises
    ------
    TypeError
        With ``hermitian=True``.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.linalg.pinv(A).sum())(np.array([[2.0], [0.0]]))
    array([[-0.25],
           [ 0.25]])
    """
    if hermitian:
        raise TypeError("np.linalg.pinv of a tensor can't honour hermitian=True: leave it out")
    cut = {k: values(v) for k, v in (("rcond", rcond), ("rtol", rtol)) if v is not None and v is not np._NoValue}
    return pinv_op(as_array(a), **cut)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """`np.linalg.lstsq`: the least-squares solution of least norm, squared residuals, rank, singular values.

    Shapes: ``(m, n)`` and ``(m,)`` or ``(m, k)`` to ``(n,)`` or ``(n, k)``. Gradient: that of ``pinv(a) @ b``, and
    through the residual.

    >>> import microgradnd as mg
    >>> mg.grad(lambda b: mg.linalg.lstsq(np.ones((2, 1)), b)[0][0])(np.array([1.0, 3.0]))
    array([0.5, 0.5])
    """
    a, b = as_array(a), as_array(b)
    _, sums, rank, _ = np.linalg.lstsq(values(a), values(b), rcond)
    m, n = a.shape
    cut = np.finfo(np.result_type(a.dtype, np.float32)).eps * max(m, n) if rcond is None else values(rcond)
    x = products.matmul(pinv(a, rcond=float(cut)), b)
    residual = b - products.matmul(a, x)
    squares = np.sum(residual * residual, axis=0)
    return x, reshape(squares, sums.shape) if sums.size else as_tensors(sums), rank, svdvals(a)


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """`np.linalg.tensorsolve`: x with ``tensordot(a, x, x.ndim) = b``.

    Shapes: ``b.shape + x.shape`` and ``b.shape`` to ``x.shape``. Gradient: that of `solve`, of a matrix made of `a`.

    Raises
    ------
    LinAlgError
        If the system isn't square.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda b: mg.linalg.tensorsolve(np.eye(4).reshape(2, 2, 2, 2), b)[0, 1])(np.ones((2, 2)))
    array([[0., 1.],
           [0., 0.]])
    """
    a, b = as_array(a), as_array(b)
    if axes is not None:
        a = moveaxis(a, axes, range(-len(axes), 0))
    shape = a.shape[b.ndim :]
    n = math.prod(shape)
    if a.size != n * n or b.size != n:
        raise np.linalg.LinAlgError(f"tensorsolve needs a square system; shapes are {a.shape} and {b.shape}")
    return reshape(solve(reshape(a, (n, n)), reshape(b, -1)), shape)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """`np.linalg.tensorinv`: the inverse with respect to ``tensordot(..., ind)``.

    Shapes: ``s + t`` to ``t + s``, `ind` axes in ``s``. Gradient: that of `inv`, of a matrix made of `a`.

    Raises
    ------
    ValueError
        If `ind` isn't positive.
    LinAlgError
        If the matrix made of it isn't square or is singular.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.linalg.tensorinv(mg.tensor(np.eye(4).reshape(4, 2, 2)), ind=1).shape
    (2, 2, 4)
    """
    a = as_array(a)
    if ind <= 0:
        raise ValueError(f"ind is {ind}; expected a positive number of axes")
    n = math.prod(a.shape[ind:])
    return reshape(inv(reshape(a, (n, -1))), a.shape[ind:] + a.shape[:ind])


# -- determinants ------------------------------------------------------------------------------


def _by_singular_values(x: Any) -> tuple[Any, Any, Any]:
    """Such that ``x = u @ diag(s) @ vh``, det u = 1 and det vh = 1; the last singular value takes the sign."""
    known = np.isfinite(x).all(axis=(-1, -2), keepdims=True)
    u, s, vh = np.linalg.svd(np.where(known, x, 0.0))  # of infinities LAPACK may never return
    s = np.where(known[..., 0], s, np.nan)
    sign_u, sign_vh = np.linalg.det(u)[..., None], np.linalg.det(vh)[..., None]
    u[..., -1:] *= sign_u[..., None]
    vh[..., -1:, :] *= sign_vh[..., None]
    s[..., -1:] *= sign_u * sign_vh
    return u, s, vh


def _cofactors(x: Any) -> Any:
    """Of each matrix; by singular values, U diag(products of the others) V, so that it may be singular."""
    u, s, vh = _by_singular_values(x)
    return (u * others(s, -1)[..., None, :]) @ vh


def _cofactor_slope(g: Any, x: Any) -> Any:
    """The derivative of the cofactors in direction `g`: a symmetric map, by singular values too.

    Between diagonal matrices it is the product of all the singular values but two.
    """
    u, s, vh = _by_singular_values(x)
    n = s.shape[-1]
    but_two = np.stack([others(np.where(np.arange(n) == i, 1, s), -1) for i in range(n)], -2) if n else g
    but_two = but_two * (1 - np.eye(n, dtype=x.dtype))
    m = _t(u) @ g @ _t(vh)
    diagonal = (but_two @ np.diagonal(m, axis1=-2, axis2=-1)[..., None]) * np.eye(n, dtype=x.dtype)
    return u @ (diagonal - but_two * _t(m)) @ vh


def _cofactor_slope_vjp(w: Any, y: Any, g: Any, x: Any) -> Any:
    """By the inverse, with the cofactors as det(x) inv(x)^T; of singular matrices by their minors."""
    n = x.shape[-1]
    if np.isfinite(x).all() and (np.linalg.matrix_rank(x) < n).any():
        return _by_minors(w, g, x)
    inverse = _t(np.linalg.inv(x))
    along_g, along_w = inverse @ _t(g) @ inverse, inverse @ _t(w) @ inverse
    both = along_g @ _t(w) @ inverse + along_w @ _t(g) @ inverse
    a, b, c = (np.sum(p * q, axis=(-1, -2), keepdims=True) for p, q in ((g, inverse), (w, inverse), (w, along_g)))
    return np.linalg.det(x)[..., None, None] * ((a * b - c) * inverse - b * along_g - a * along_w + both)


def _by_minors(w: Any, g: Any, x: Any) -> Any:
    """The same for any matrix, singular ones too, in n**2 times the work: each cofactor is +-det of a minor."""
    n = x.shape[-1]
    drop = np.stack([np.delete(np.eye(n, dtype=x.dtype), i, 0) for i in range(n)])  # i: all rows but the ith
    rows, columns = drop[:, None], _t(drop)
    signs = np.array([[(-1.0) ** (i + j) for j in range(n)] for i in range(n)], x.dtype)
    slopes = cofactor_slope(*(rows @ m[..., None, None, :, :] @ columns for m in (g, x)))
    return (_t(rows) @ ((signs * w)[..., None, None] * slopes) @ drop).sum(axis=(-4, -3))


cofactor_slope: Op = Op(
    _cofactor_slope,
    lambda w, y, g, x: cofactor_slope(w, x),
    _cofactor_slope_vjp,
    name="cofactor_slope",
    formula="∂cofactors({1})·{0}",
    samples=calls(_matrices((3, 3), (3, 3)), _matrices((2, 2, 2), (2, 2, 2))),
)
cofactors: Op = Op(
    _cofactors,
    lambda g, y, x: cofactor_slope(g, x),
    name="cofactors",
    formula="cofactors({0})",
    samples=calls(*_SQUARES),
)
det_op: Op = Op(
    np.linalg.det,
    lambda g, y, x: scale(g[..., None, None], cofactors(x)),
    name="det",
    formula="det({0})",
    samples=calls(*_SQUARES),
)
slogdet_op: Op = Op(
    lambda x: tuple(np.linalg.slogdet(x)),
    lambda g, y, x: g[1][..., None, None] * _t(np.linalg.inv(x)),
    name="slogdet",
    formula="slogdet({0})",
    several=True,
    samples=calls(*_SQUARES),
)


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """`np.linalg.det`: the determinant, differentiable for singular matrices too.

    Shapes: ``(..., n, n)`` to ``(...)``. Gradient: ``g`` times the cofactors.

    >>> import microgradnd as mg
    >>> mg.grad(mg.linalg.det)(np.array([[2.0, 1.0], [0.0, 3.0]])).round(12) + 0.0
    array([[ 3.,  0.],
           [-1.,  2.]])
    """
    return det_op(as_array(a))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """`np.linalg.slogdet`: sign and logarithm of the absolute value of the determinant.

    Shapes: ``(..., n, n)`` to two of ``(...)``. Gradient: ``g * inv(a).T`` of the logarithm, 0 of the sign.

    Raises
    ------
    LinAlgError
        In the backward pass, if a matrix is singular.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.linalg.slogdet(A).logabsdet)(np.diag([2.0, 4.0]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return _result(np.linalg.slogdet)(*slogdet_op(as_array(a)))


# -- decompositions ----------------------------------------------------------------------------


def _fold(s: Any, triangle: str) -> Any:
    """The cotangent of the one triangle that NumPy reads, from that of the symmetric matrix it stands for."""
    half = np.tril if triangle == "L" else np.triu
    return half(s) + half(_t(s), -1 if triangle == "L" else 1)


def _cholesky_vjp(g: Any, y: Any, x: Any) -> Any:
    p = _t(y) @ np.tril(g)
    halved = (np.tril(p) + np.tril(p, -1)) / 2
    left = np.linalg.solve(_t(y), halved)
    return _fold(_t(np.linalg.solve(_t(y), _t(left))), "L")


def _positive(*shape: int) -> Callable[[np.random.Generator], Sample]:
    def draw(rng: np.random.Generator) -> Sample:
        a = rng.normal(size=shape)
        return sample(a @ a.swapaxes(-1, -2) + 2 * np.eye(shape[-1]))

    return draw


cholesky_op: Op = Op(
    np.linalg.cholesky,
    _cholesky_vjp,
    name="cholesky",
    formula="cholesky({0})",
    samples=calls(_positive(3, 3), _positive(2, 2, 2)),
)


def _eigh_vjp(g: Any, y: Any, x: Any, UPLO: str = "L") -> Any:
    (gw, gv), (w, v) = g, y
    diagonal = np.eye(w.shape[-1], dtype=w.dtype)
    gaps = w[..., None, :] - w[..., :, None] + diagonal
    mixed = over((_t(v) @ gv) * (1 - diagonal), gaps)
    return _fold(v @ (mixed + gw[..., None, :] * diagonal) @ _t(v), UPLO.upper())


eigh_op: Op = Op(
    lambda x, UPLO="L": tuple(np.linalg.eigh(x, UPLO)),
    _eigh_vjp,
    name="eigh",
    formula="eigh({0})",
    several=True,
    samples=calls(_matrices((3, 3)), _matrices((2, 2, 2)), _matrices((3, 3), UPLO="U")),
)


def _svd_vjp(g: Any, y: Any, x: Any) -> Any:
    (gu, gs, gvh), (u, s, vh) = g, y
    k = s.shape[-1]
    diagonal = np.eye(k, dtype=s.dtype)
    row, column = s[..., None, :], s[..., :, None]
    gaps = (row - column) * (row + column) + diagonal
    a, b = _t(u) @ gu, vh @ _t(gvh)
    turns = over((a - _t(a)) * (1 - diagonal), gaps) * row + column * over((b - _t(b)) * (1 - diagonal), gaps)
    c = u @ (turns + gs[..., None, :] * diagonal) @ vh
    if x.shape[-2] > k:
        c = c + over(gu - u @ a, row) @ vh
    if x.shape[-1] > k:
        c = c + u @ over(gvh - _t(b) @ vh, column)
    return c


svd_op: Op = Op(
    lambda x: tuple(np.linalg.svd(x, full_matrices=False)),
    _svd_vjp,
    name="svd",
    formula="svd({0})",
    several=True,
    samples=calls(_matrices((3, 3)), _matrices((4, 2)), _matrices((2, 4)), _matrices((2, 3, 2))),
)


def _qr_vjp(g: Any, y: Any, x: Any) -> Any:
    (gq, gr), (q, r) = g, y
    k = r.shape[-2]
    first, wide = r[..., :k], r.shape[-1] > k
    if wide:  # x = [x1 x2], r = [r1 r2]: x1 = q r1, and r2 = q.T x2 moves with q
        gq, gr, rest = gq + x[..., k:] @ _t(gr[..., k:]), gr[..., :k], q @ gr[..., k:]
    m = first @ _t(gr) - _t(gq) @ q
    inner = gq + q @ (np.tril(m) + _t(np.tril(m, -1)))
    c = _t(np.linalg.solve(first, _t(inner)))
    return np.concatenate((c, rest), axis=-1) if wide else c


qr_op: Op = Op(
    lambda x: tuple(np.linalg.qr(x)),
    _qr_vjp,
    name="qr",
    formula="qr({0})",
    several=True,
    samples=calls(_matrices((3, 3)), _matrices((4, 2)), _matrices((2, 4)), _matrices((2, 3, 2))),
)


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """`np.linalg.cholesky`: the triangular factor; only the triangle of `a` on its side is read, and gets a gradient.

    Shapes: ``(..., n, n)`` to the same. Gradient: Giles (2008), section 2.2 for forward and reverse, doi
    10.1007/978-3-540-68942-3_4.

    Raises
    ------
    LinAlgError
        If a matrix isn't positive definite.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.linalg.cholesky(A)[0, 0])(np.diag([4.0, 9.0]))
    array([[0.25, 0.  ],
           [0.  , 0.  ]])
    """
    return matrix_transpose(cholesky_op(matrix_transpose(a))) if upper else cholesky_op(as_array(a))


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """`np.linalg.eigh`: eigenvalues and eigenvectors; the vectors need distinct values to be differentiable.

    Shapes: ``(..., n, n)`` to ``(..., n)`` and ``(..., n, n)``. Gradient: ``v @ (v.T @ gv / gaps + diag(gw)) @ v.T``,
    folded onto the triangle that is read; Giles (2008), doi 10.1007/978-3-540-68942-3_4.

    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.linalg.eigh(A).eigenvalues[0])(np.diag([1.0, 3.0]))
    array([[1., 0.],
           [0., 0.]])
    """
    return _result(np.linalg.eigh)(*eigh_op(as_array(a), UPLO=UPLO))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """`np.linalg.eigvalsh`: the eigenvalues, smallest first.

    Shapes: ``(..., n, n)`` to ``(..., n)``. Gradient: ``v @ diag(g) @ v.T``, folded onto the triangle that is read.

    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.linalg.eigvalsh(A)[1])(np.diag([1.0, 3.0]))
    array([[0., 0.],
           [0., 1.]])
    """
    return eigh(a, UPLO).eigenvalues


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """`np.linalg.svd`: singular vectors and values, of full rank and distinct values.

    Shapes: ``(..., m, n)`` to ``(..., m, k)``, ``(..., k)`` and ``(..., k, n)``, k the lesser. Gradient: ``u @ diag(g)
    @ vh`` of the values, with the vectors' as in Giles (2008), doi 10.1007/978-3-540-68942-3_4.

    Raises
    ------
    TypeError
        With ``full_matrices=True`` for a matrix that isn't square and requires a gradient: the surplus
        vectors are any basis, which has no derivative. Pass ``full_matrices=False``.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.linalg.svd(A).S[0])(np.diag([3.0, 1.0])) + 0.0
    array([[1., 0.],
           [0., 0.]])
    """
    a = as_array(a)
    if not any_tracked(a):
        plain: Any = np.linalg.svd
        result = plain(values(a), full_matrices, compute_uv, hermitian)
        return result if a is values(a) else as_tensors(result)
    if hermitian:
        return _svd_of_symmetric(a, compute_uv)
    if compute_uv and full_matrices and a.shape[-1] != a.shape[-2]:
        raise TypeError(
            f"np.linalg.svd of a tensor of shape {a.shape} can't honour full_matrices=True, its surplus vectors "
            "have no derivative: pass full_matrices=False"
        )
    parts = _result(np.linalg.svd)(*svd_op(a))
    return parts if compute_uv else parts.S


def _svd_of_symmetric(a: Any, compute_uv: bool) -> Any:
    w, v = eigh(a)
    order = np.argsort(-np.abs(values(w)), axis=-1)
    w = np.take_along_axis(w, order, -1)
    if not compute_uv:
        return np.abs(w)
    v = np.take_along_axis(v, expand_dims(order, -2), -1)
    return _result(np.linalg.svd)(v, np.abs(w), matrix_transpose(v * np.sign(values(w))[..., None, :]))


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """`np.linalg.svdvals`: the singular values, largest first.

    Shapes: ``(..., m, n)`` to ``(..., k)``, k the lesser. Gradient: ``u @ diag(g) @ vh``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.linalg.svdvals(A).sum())(np.diag([3.0, 1.0])) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """
    return svd(x, full_matrices=False, compute_uv=False)


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """`np.linalg.qr`: an orthogonal and a triangular factor; modes "reduced" and "r".

    Shapes: ``(..., m, n)`` to ``(..., m, k)`` and ``(..., k, n)``, k the lesser. Gradient: Walter & Lehmann (2012), doi
    10.1007/978-3-642-30023-3_21.

    Raises
    ------
    TypeError
        For mode "raw", and for "complete" where it adds columns: those have no derivative.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.linalg.qr(A).R[0, 1])(np.array([[1.0, 2.0], [0.0, 1.0]])) + 0.0
    array([[0., 1.],
           [1., 0.]])
    """
    a = as_array(a)
    if not any_tracked(a):
        plain: Any = np.linalg.qr
        result = plain(values(a), mode)
        return result if a is values(a) else as_tensors(result)
    if mode not in ("reduced", "r") and not (mode == "complete" and a.shape[-2] <= a.shape[-1]):
        raise TypeError(f"np.linalg.qr of a tensor of shape {a.shape} can't honour mode={mode!r}: use 'reduced' or 'r'")
    parts = _result(np.linalg.qr)(*qr_op(a))
    return parts.R if mode == "r" else parts


# -- powers and products -----------------------------------------------------------------------


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """`np.linalg.matrix_power`: the product of `n` factors, of the inverse for negative `n`.

    Shapes: ``(..., n, n)`` to the same. Gradient: through the products.

    Raises
    ------
    TypeError
        If `n` is no integer.
    LinAlgError
        If the matrices aren't square, or for negative `n` singular.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.linalg.matrix_power(A, 3)[0, 0])(np.diag([2.0, 1.0]))
    array([[12.,  0.],
           [ 0.,  0.]])
    """
    a = as_array(a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"matrix_power needs square matrices, not shape {a.shape}")
    n = operator.index(n)
    if n == 0:
        return as_tensors(np.linalg.matrix_power(values(a), 0))
    power, result, n = (a, None, n) if n > 0 else (inv(a), None, -n)
    while n:
        n, odd = divmod(n, 2)
        if odd:
            result = power if result is None else products.matmul(result, power)
        power = products.matmul(power, power) if n else power
    return result


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: None = None) -> Any:
    """`np.linalg.multi_dot`: the product of several matrices, in an order that costs little.

    Shapes: ``(m, n)``, ``(n, k)``, ... to ``(m, ...)``; vectors at the ends lose their axis. Gradient: for each matrix
    the transposed product of those before it, ``g``, and the transposed product of those behind it.

    Raises
    ------
    ValueError
        If there are fewer than two.
    LinAlgError
        If one in the middle isn't a matrix.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.linalg.multi_dot([[1.0, 2.0], A, [3.0, 4.0]]))(np.ones((2, 2)))
    array([[3., 4.],
           [6., 8.]])
    """
    parts = [as_array(a) for a in arrays]
    if len(parts) < 2:
        raise ValueError("multi_dot multiplies at least two arrays")
    indices = [[i, i + 1] for i in range(len(parts))]
    indices[0] = indices[0][2 - parts[0].ndim :]
    indices[-1] = indices[-1][: parts[-1].ndim]
    ends = [i for i in (0, len(parts)) if i in indices[0] + indices[-1]]
    if any(p.ndim != 2 for p in parts[1:-1]) or not {parts[0].ndim, parts[-1].ndim} <= {1, 2}:
        raise np.linalg.LinAlgError(
            f"multi_dot takes matrices, vectors only at the ends; shapes are {[p.shape for p in parts]}"
        )
    pairs = [x for pair in zip(parts, indices, strict=True) for x in pair]
    return np.einsum(*pairs, ends, out=out, optimize="greedy")


@composed(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """`np.linalg.cond`: the condition number, in a matrix norm; by default the spectral one.

    Shapes: ``(..., m, n)`` to ``(...)``. Gradient: that of the quotient of singular values, or of the product of two
    norms.

    >>> import microgradnd as mg
    >>> mg.grad(mg.linalg.cond)(np.diag([3.0, 1.0])) + 0.0
    array([[ 1.,  0.],
           [ 0., -3.]])
    """
    if not math.prod(np.shape(x)[-2:]):
        raise np.linalg.LinAlgError(f"cond is not defined for the empty shape {np.shape(x)}")
    if p is None or p in (2, -2):
        s = svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return norm(x, p, axis=(-2, -1)) * norm(inv(x), p, axis=(-2, -1))


matmul = products.matmul
implements(np.linalg.matmul)(matmul)
tensordot = implements(np.linalg.tensordot)(products.tensordot)
vecdot = implements(np.linalg.vecdot)(products.vecdot)


@implements(np.linalg.outer)
def outer(x1: Any, x2: Any, /) -> Any:
    """`np.linalg.outer`: the outer product of two vectors.

    Shapes: ``(m,)`` and ``(n,)`` to ``(m, n)``. Gradient: ``g @ x2`` and ``x1 @ g``.

    Raises
    ------
    ValueError
        If one isn't a vector.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda a: mg.linalg.outer(a, np.array([3.0, 4.0])).sum())(np.ones(2))
    array([7., 7.])
    """
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError(f"linalg.outer takes vectors; got shapes {np.shape(x1)} and {np.shape(x2)}")
    return products.outer(x1, x2)


@implements(np.linalg.cross)
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """`np.linalg.cross`: the cross product of vectors of three components.

    Shapes: ``(..., 3)`` and ``(..., 3)`` broadcast. Gradient: ``x2 x g`` and ``g x x1``.

    Raises
    ------
    ValueError
        If a vector hasn't three components.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda a: mg.linalg.cross(a, np.array([0.0, 1.0, 0.0]))[2])(np.ones(3))
    array([1., 0., 0.])
    """
    return products.cross(x1, x2, axis=axis)


@implements(np.linalg.diagonal)
def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """`np.linalg.diagonal`: the diagonals of the matrices in the last two axes.

    Shapes: ``(..., m, n)`` to ``(..., k)``. Gradient: ``g`` on the diagonal, 0 beside it.

    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.linalg.diagonal(A).sum())(np.ones((2, 2)))
    array([[1., 0.],
           [0., 1.]])
    """
    return diagonals.diagonal(x, offset, -2, -1)


@implements(np.linalg.trace)
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """`np.linalg.trace`: the sums of the diagonals of the matrices in the last two axes.

    Shapes: ``(..., m, n)`` to ``(...)``. Gradient: ``g`` on the diagonal, 0 beside it.

    >>> import microgradnd as mg
    >>> mg.grad(mg.linalg.trace)(np.ones((2, 2)))
    array([[1., 0.],
           [0., 1.]])
    """
    return diagonals.trace(x, offset, -2, -1, dtype)
