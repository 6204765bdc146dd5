"""Einstein summation: every form NumPy takes, reduced to products where each index is shared or kept.

An index that one operand repeats is a diagonal, one that it has alone and the output has not is a
sum, and a length of one against a longer one is dropped. What is left is a product whose every
cotangent is again an einsum: that of the output and the other operands, with this operand's indices.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Node, Op
from ..dispatch import any_tracked, as_tensors, implements, refuse, values
from ._samples import calls, normal
from .diagonals import diagonal
from .shape import as_array, astype, squeeze

__all__ = ["einsum"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # as NumPy sorts the indices of an implicit output


def _vjp(i: int, g: Any, operands: tuple[Any, ...], subscripts: str, optimize: Any) -> Any:
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    other_terms, others = terms[:i] + terms[i + 1 :], operands[:i] + operands[i + 1 :]
    pulled = ",".join([output, *other_terms]) + "->" + terms[i]
    return np.einsum(pulled, g, *others, optimize=optimize if isinstance(optimize, bool | str) else True)


def _forward(*operands: Any, subscripts: str, optimize: Any = False, order: Any = "K") -> Any:
    return np.einsum(subscripts, *operands, optimize=optimize, order=order)


# Two entries for one op, so that with two operands a cotangent nobody wants is never computed.
einsum_pair: Op = Op(
    _forward,
    lambda g, y, a, b, subscripts, optimize=False, order="K": _vjp(0, g, (a, b), subscripts, optimize),
    lambda g, y, a, b, subscripts, optimize=False, order="K": _vjp(1, g, (a, b), subscripts, optimize),
    name="einsum",
    formula="einsum({subscripts}, {0}, {1})",
    samples=calls(
        normal((2, 3), (3, 4), subscripts="ab,bc->ac"),
        normal((5, 2, 3), (5, 3), subscripts="zab,zb->az", optimize=True),
        normal((3,), (), subscripts="a,->a"),
        normal((0, 3), (3,), subscripts="ab,b->a"),
    ),
)
einsum_many: Op = Op(
    _forward,
    vjp=lambda g, y, *operands, subscripts, optimize=False, order="K": [
        _vjp(i, g, operands, subscripts, optimize) for i in range(len(operands))
    ],
    name="einsum_many",
    samples=calls(
        normal((2, 3), subscripts="ab->ba"),
        normal((2, 3), (3, 4), (4, 2), subscripts="ab,bc,ca->b"),
        normal((2, 3), (3, 2), (2,), subscripts="ab,bc,c->ac", optimize="greedy"),
    ),
)


def _spell(indices: Any) -> str:
    return "".join("..." if i is Ellipsis else _LETTERS[i] for i in indices)


def _read_call(args: tuple[Any, ...]) -> tuple[list[str], str | None, list[Any]]:
    """Terms, output term (None if implicit) and operands, of either way to write the call."""
    if isinstance(args[0], str):
        inputs, arrow, output = args[0].replace(" ", "").partition("->")
        return inputs.split(","), output if arrow else None, list(args[1:])
    count = len(args) // 2
    return (
        [_spell(t) for t in args[1 : 2 * count : 2]],
        _spell(args[-1]) if len(args) % 2 else None,
        list(args[: 2 * count : 2]),
    )


def _make_explicit(terms: list[str], output: str | None, operands: list[Any]) -> tuple[list[str], str]:
    """The terms with letters for each ellipsis, and the output that is meant."""
    free = [letter for letter in _LETTERS if letter not in "".join(terms)]
    rest = [x.ndim - len(term.replace("...", "")) for term, x in zip(terms, operands, strict=True)]
    for term, x, n in zip(terms, operands, rest, strict=True):
        if n < 0 or (n > 0 and "..." not in term):
            raise ValueError(
                f"einsum: {term!r} has {len(term.replace('...', ''))} indices, its operand shape {x.shape}"
            )
    wide = "".join(free[: max(rest, default=0)])
    if output is None:
        letters = "".join(terms).replace(".", "")
        output = "..." + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    elif wide and "..." not in output:
        raise ValueError(f"einsum: output {output!r} lacks the ellipsis that its operands broadcast over")
    return [t.replace("...", wide[len(wide) - n :]) for t, n in zip(terms, rest, strict=True)], output.replace(
        "...", wide
    )


@implements(np.einsum)
def einsum(
    *args: Any, out: None = None, dtype: Any = None, order: Any = "K", casting: Any = "safe", optimize: Any = False
) -> Any:
    """`np.einsum`: sums of products over named indices.

    Shapes: a result's axis is as long as its index is in the operands. Gradient: for each operand an `einsum` of ``g`` with
    all the others, over the indices that the operand lacks.

    Parameters
    ----------
    *args
        ``subscripts, *operands``, or ``operand, indices, operand, indices, ..., [output indices]``.
    dtype, casting
        What the operands are cast to first, and how strictly.
    order
        Memory layout of the result.
    optimize
        As for NumPy; the backward pass uses it too, and looks for its own path where one was given.

    Raises
    ------
    ValueError
        If terms and operands don't match, in number, axes or lengths.

    Examples
    --------
    >>> import microgradnd as mg
    >>> A = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> np.einsum("ii", A).backward()
    >>> A.grad
    array([[1., 0.],
           [0., 1.]])
    """
    refuse("np.einsum", out=out)
    if not any_tracked(args):
        plain: Any = np.einsum
        result = plain(*values(args), dtype=dtype, order=order, casting=casting, optimize=optimize)
        return as_tensors(result) if any(isinstance(x, Node) for x in args) else result
    terms, output, operands = _read_call(args)
    if len(terms) != len(operands):
        raise ValueError(f"einsum has {len(terms)} terms for {len(operands)} operands")
    operands = [as_array(x) for x in operands]
    if dtype is not None:
        operands = [astype(x, dtype, casting=casting) for x in operands]
    terms, output = _make_explicit(terms, output, operands)
    pairs = [_take_diagonals(x, term) for x, term in zip(operands, terms, strict=True)]
    lengths: dict[str, int] = {}
    for x, term in pairs:
        for letter, n in zip(term, x.shape, strict=True):
            lengths[letter] = n if lengths.get(letter, 1) == 1 else lengths[letter]
    pairs = [_drop_ones(x, term, lengths) for x, term in pairs]
    every = "".join(term for _, term in pairs) + output
    pairs = [_sum_alone(x, term, every) for x, term in pairs]
    subscripts = ",".join(term for _, term in pairs) + "->" + output
    options = {} if optimize is False else {"optimize": optimize}
    options |= {} if order == "K" else {"order": order}
    op = einsum_pair if len(pairs) == 2 else einsum_many
    return op(*(x for x, _ in pairs), subscripts=subscripts, **options)


def _take_diagonals(x: Any, term: str) -> tuple[Any, str]:
    for letter in sorted(set(term)):
        while term.count(letter) > 1:
            i = term.index(letter)
            j = term.index(letter, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ValueError(f"einsum: index {letter!r} of {term!r} has lengths {x.shape[i]} and {x.shape[j]}")
            x, term = diagonal(x, 0, i, j), term[:i] + term[i + 1 : j] + term[j + 1 :] + letter
    return x, term


def _drop_ones(x: Any, term: str, lengths: dict[str, int]) -> tuple[Any, str]:
    axes = tuple(i for i, letter in enumerate(term) if x.shape[i] == 1 != lengths[letter])
    return (squeeze(x, axes), "".join(c for i, c in enumerate(term) if i not in axes)) if axes else (x, term)


def _sum_alone(x: Any, term: str, every: str) -> tuple[Any, str]:
    axes = tuple(i for i, letter in enumerate(term) if every.count(letter) == 1)
    return (np.sum(x, axis=axes), "".join(c for i, c in enumerate(term) if i not in axes)) if axes else (x, term)
