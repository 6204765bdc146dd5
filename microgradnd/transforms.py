"""Functions of functions: grad, vjp, jvp and what is built of them.

Each runs its function on fresh aliases of the arguments and walks back from the result to those
aliases and no further. That is what makes them nest: an inner gradient stops at its own aliases,
however the same numbers are used outside. The walk runs on arrays, unless the result depends on
other recorded tensors (an outer transform's aliases, a model's parameters): then it is recorded,
and the gradient is a tensor that can be differentiated in turn.

Forward mode needs no rules of its own. A pullback is linear in its cotangent, so differentiating
it with respect to a dummy cotangent gives its transpose, the pushforward.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from . import tree
from .backward import propagate
from .context import MODE, mode_switch
from .core import Node, Op, clock, constant, sample
from .gradients import lead_to
from .messages import describe, explain
from .ops._samples import calls, within
from .real_arrays import as_real_array

Function = Callable[..., Any]

alias: Op = Op(lambda x: x, lambda g, y, x: g, name="alias", formula="{0}", elementwise=True, samples=within(-1, 1))


def _pair(*both: Any) -> Any:
    with np.errstate(invalid="ignore", over="ignore"):
        half = len(both) // 2
        return np.asarray(sum(np.vdot(a, v) for a, v in zip(both[:half], both[half:], strict=True)))


def _pair_vjp(g: Any, y: Any, *both: Any) -> list[Any]:
    half = len(both) // 2
    return [g * x for x in (*both[half:], *both[:half])]


pairing: Op = Op(
    _pair,
    vjp=_pair_vjp,
    name="pairing",
    samples=calls(lambda rng: sample(*(rng.normal(size=s) for s in [(2, 3), (), (2, 3), ()]))),
)


class _Run:
    """A function run once on aliases of its arguments: what came out, and what that depends on."""

    def __init__(self, f: Function, args: Sequence[Any], kwargs: dict[str, Any], argnums: Sequence[int]) -> None:
        self.name = _name(f)
        self.wanted = tuple(args[i] for i in argnums)
        self.aliases = [
            give_alias(leaf, f"argument {i} of {self.name}") for i in argnums for leaf in tree.leaves(args[i])
        ]
        new = iter(self.aliases)
        aliased = {i: tree.rebuild(args[i], new) for i in argnums}
        self.since = next(clock)
        with mode_switch(record=True):
            self.value = f(*(aliased.get(i, arg) for i, arg in enumerate(args)), **kwargs)
        self.outputs = tree.leaves(self.value)
        self.leading, outside = lead_to(self.outputs, self.aliases, self.since)
        # A tensor comes out if one went in or is depended on; differentiable, if it is a recorded one.
        linked = bool(outside) or any(a.op is not None for a in self.aliases)
        self.linked = linked and MODE.get().record
        self.boxed = linked or any(isinstance(leaf, Node) for leaf in tree.leaves((args, kwargs)))

    def result(self) -> Any:
        """What `f` gave, as arrays where only arrays went in."""
        if self.linked:
            return self.value
        return tree.rebuild(self.value, [_give(y, self.boxed) for y in self.outputs])

    def pull(self, cotangents: Iterable[Any], recorded: bool) -> list[Any]:
        """The cotangent of each alias from those of the outputs; None where nothing flows."""
        return pull_back(self.outputs, cotangents, self.aliases, self.leading, self.since, recorded)

    def ones(self) -> list[Any]:
        """The cotangent of the only output, a single number."""
        if len(self.outputs) != 1 or self.outputs[0] is not self.value:
            raise TypeError(
                f"grad needs a function with one number as result, but {self.name} gave a "
                f"{type(self.value).__name__}: use mg.vjp or mg.jacobian"
            )
        y = _value(self.value)
        if np.ndim(y):
            raise ValueError(
                f"grad needs a function with one number as result, but {self.name} gave an array of shape {np.shape(y)}: "
                "reduce it, with .sum() or .mean(), or use mg.vjp with a cotangent of that shape, or mg.jacobian "
                f"for all derivatives, of shape {(np.shape(y), *(a.value.shape for a in self.aliases))}"
            )
        if isinstance(y, np.ndarray | np.generic) and y.dtype.kind != "f":
            raise TypeError(
                f"{self.name} gave a result of dtype {y.dtype}, which has no gradient: "
                "grad needs one floating-point number (a comparison, argmax or count is flat)"
            )
        return [np.ones_like(y)]

    def gradient(self, found: list[Any], recorded: bool, boxed: bool) -> tuple[Any, ...]:
        """Cotangents of the aliases in the build of the arguments, zeros for None."""
        return tree.rebuild(  # type: ignore[no-any-return]
            self.wanted, [_finish(g, a, recorded, boxed) for g, a in zip(found, self.aliases, strict=True)]
        )


def pull_back(
    roots: Sequence[Any],
    cotangents: Iterable[Any],
    targets: Sequence[Node],
    leading: set[int],
    since: int,
    recorded: bool,
) -> list[Any]:
    """The cotangent of each target from those of several results; None where nothing flows.

    `leading` and `since` are as `lead_to` has them.
    """
    pairs = [(y, c) for y, c in zip(roots, cotangents, strict=True) if isinstance(y, Node) and y.serial in leading]
    if not pairs:
        return [None] * len(targets)
    root, seed = pairs[0]
    with mode_switch(record=True):
        if len(pairs) > 1:
            ys, cs = zip(*pairs, strict=True)
            root = pairing(*ys, *cs)
            seed = np.ones_like(root.value)
            leading = {*leading, root.serial}
        seed = _value(seed) if not recorded else seed if isinstance(seed, Node) else constant(seed)
        leaves = propagate(root, seed, recorded=recorded, within=leading, since=since)
    found = {leaf.serial: g for leaf, g, _ in leaves}
    return [found.get(t.serial) for t in targets]


def give_alias(leaf: Any, what: str) -> Node:
    """A stand-in for one argument, that gradients stop at."""
    if isinstance(leaf, Node):
        if leaf.tracked and MODE.get().record:
            return alias(leaf)  # type: ignore[no-any-return]
        leaf = leaf.value
    try:
        return new_leaf(np.float64(leaf) if type(leaf) is int else as_real_array(leaf))
    except (TypeError, ValueError) as error:
        raise explain(error, what) from None


def new_leaf(array: Any) -> Node:
    """A leaf on this array that wants a gradient."""
    node = constant(array)
    node.requires_grad = True
    return node


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Node) else x


def _give(y: Any, boxed: bool) -> Any:
    """An unlinked result."""
    return constant(y.value) if boxed and isinstance(y, Node) else _value(y)


def _finish(g: Any, like: Node, recorded: bool, boxed: bool) -> Any:
    """A gradient as it is handed out: an array of its own, or a tensor."""
    if recorded and isinstance(g, Node):
        return g
    array = np.zeros_like(like.value) if g is None else np.array(_value(g), order="C")
    return constant(array) if boxed else array


def _directions(like: Any, outputs: Sequence[Any], given: Any, what: str) -> list[Any]:
    """Tangents or cotangents, checked against what they belong to."""
    directions = []
    for y, v in zip(outputs, tree.aligned(like, given, what), strict=True):
        shape, dtype = np.shape(_value(y)), np.result_type(_value(y))
        if not isinstance(v, Node):
            v = as_real_array(v).astype(dtype if dtype.kind == "f" else float, copy=False)
        if v.shape != shape:
            raise ValueError(f"{what} has an entry of shape {v.shape} where shape {shape} is expected")
        directions.append(v)
    return directions


def _name(f: Function) -> str:
    return getattr(f, "__name__", type(f).__name__)


def _transform(word: str, f: Any) -> Callable[[Function], Function]:
    """Make a function look like `f` transformed: its signature and documentation, and a name that says so."""
    if not callable(f):
        raise TypeError(
            f"{word} takes a function, got {describe(f) if isinstance(f, Node) else type(f).__name__}: "
            "for recorded tensors there is mg.gradients(y, xs)"
        )

    def named(function: Function) -> Function:
        function = functools.wraps(f)(function)
        function.__name__ = function.__qualname__ = f"{word}_of_{_name(f)}"
        return function

    return named


def _selected(argnums: int | Sequence[int], args: Sequence[Any], name: str) -> list[int]:
    chosen = list(argnums) if isinstance(argnums, Sequence) and not isinstance(argnums, str) else [argnums]
    if not all(isinstance(i, int) for i in chosen):
        raise TypeError(f"argnums={argnums!r}; expected the position of an argument, or a tuple of positions")
    for i in chosen:
        if not -len(args) <= i < len(args):
            raise ValueError(f"argnums={argnums} asks for argument {i}, but {name} was called with {len(args)}")
    positions = [i % len(args) for i in chosen]
    if len(set(positions)) < len(positions):
        raise ValueError(f"argnums={argnums} names an argument of {name} twice: give each position once")
    return positions


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The function that gives ``(f(...), grad(f)(...))`` from one run of `f`.

    Parameters
    ----------
    f, argnums
        As for `grad`.

    Examples
    --------
    >>> import microgradnd as mg
    >>> value, gradient = mg.value_and_grad(lambda x: x**3)(2.0)
    >>> float(value), float(gradient)
    (8.0, 12.0)
    """

    @_transform("value_and_grad", f)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        run = _Run(f, args, kwargs, _selected(argnums, args, _name(f)))
        found = run.gradient(run.pull(run.ones(), run.linked), run.linked, run.boxed)
        return run.result(), found[0] if isinstance(argnums, int) else found

    return both


def grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The gradient of a function with one number as result.

    Parameters
    ----------
    f
        ``f(*args, **kwargs)``; its result is one floating-point number.
    argnums
        Which positional argument to differentiate with respect to, or several. An argument may be a
        number, an array, a tensor, or a nested tuple, list or dict of them.

    Returns
    -------
    callable
        Called like `f`, it gives the gradient, built like the argument (a tuple, if `argnums` is one).
        Arrays in, arrays out; if a tensor goes in or the result depends on a recorded tensor, a tensor
        comes out, so that gradients nest. No ``.grad`` is touched. It records even under `no_grad`.

    Raises
    ------
    ValueError, TypeError
        If the result is not one floating-point number, or an argument can't be differentiated.

    Notes
    -----
    Reverse mode: Griewank & Walther, "Evaluating Derivatives" (2008), chapter 3, doi 10.1137/1.9780898717761.

    Examples
    --------
    >>> import microgradnd as mg
    >>> float(mg.grad(mg.grad(lambda x: x**3))(2.0))
    12.0
    >>> mg.grad(lambda p, x: p["w"] * x + p["b"])({"w": 2.0, "b": 1.0}, 5.0)
    {'w': array(5.), 'b': array(1.)}
    """

    @_transform("grad", f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    both = value_and_grad(f, argnums)
    return gradient


def vjp(f: Function, *primals: Any) -> tuple[Any, Function]:
    """The value of `f` and its pullback, the vector-Jacobian product: reverse mode.

    Parameters
    ----------
    f
        ``f(*primals)`` gives an array or tensor, or a nested tuple, list or dict of them.
    *primals
        Where to differentiate.

    Returns
    -------
    value
        ``f(*primals)``.
    pullback : callable
        ``pullback(cotangent)``, with a cotangent built like `value`, gives a tuple of one cotangent per
        primal. It can be called again and again.

    Examples
    --------
    >>> import microgradnd as mg, numpy as np
    >>> value, pullback = mg.vjp(lambda x, y: x * y, np.array([1.0, 2.0]), 3.0)
    >>> pullback(np.array([1.0, 10.0]))
    (array([ 3., 30.]), array(21.))
    """

    @_transform("vjp", f)
    def pullback(cotangent: Any) -> tuple[Any, ...]:
        seeds = _directions(run.value, run.outputs, cotangent, "the cotangent")
        recorded = MODE.get().record and (run.linked or any(isinstance(c, Node) and c.tracked for c in seeds))
        boxed = run.boxed or any(isinstance(c, Node) for c in seeds)
        return run.gradient(run.pull(seeds, recorded), recorded, boxed)

    run = _Run(f, primals, {}, range(len(primals)))
    return run.result(), pullback


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of `f` and its directional derivative, the Jacobian-vector product: forward mode.

    Parameters
    ----------
    f
        ``f(*primals)`` gives an array or tensor, or a nested tuple, list or dict of them.
    primals, tangents
        A tuple of where to differentiate, and one of the directions, built alike.

    Returns
    -------
    value, tangent
        ``f(*primals)`` and its derivative along `tangents`, built alike.

    Notes
    -----
    A vjp is linear in the cotangent, and its transpose is the jvp: Townsend (2017),
    https://j-towns.github.io/2017/06/12/A-new-trick.html.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 10.0))
    (array(6.), array(23.))
    """
    run, vectors = _prepare("jvp", f, primals, tangents, "tangents")
    recorded = MODE.get().record and (run.linked or any(isinstance(v, Node) and v.tracked for v in vectors))
    boxed = run.boxed or any(isinstance(v, Node) for v in vectors)
    push = _pushforward(run)
    tangent = [
        _finish(t, y if isinstance(y, Node) else constant(np.asarray(y)), recorded, boxed)
        for t, y in zip(push(vectors, recorded), run.outputs, strict=True)
    ]
    return run.result(), tree.rebuild(run.value, tangent)


def _prepare(word: str, f: Function, primals: Any, vectors: Any, what: str) -> tuple[_Run, list[Any]]:
    _transform(word, f)
    for name, given in (("primals", primals), (what, vectors)):
        if not isinstance(given, tuple | list):
            raise TypeError(f"{word} takes {name} as a tuple, one entry per argument of f: write ({name},)")
    run = _Run(f, primals, {}, range(len(primals)))
    return run, _directions(tuple(primals), run.aliases, tuple(vectors), what)


def _pushforward(run: _Run) -> Callable[[Sequence[Any], bool], list[Any]]:
    """The transpose of the pullback: from tangents of the aliases to those of the outputs.

    The dummy cotangent is ones, not zeros: rules are entitled to drop what a zero cotangent multiplies.
    """
    dummies = [
        new_leaf(np.ones_like(y.value)) if isinstance(y, Node) and y.tracked else constant(1.0) for y in run.outputs
    ]
    since = next(clock)
    pulled = run.pull(dummies, recorded=True)
    leading, _ = lead_to(pulled, dummies, since)
    return lambda vectors, recorded: pull_back(pulled, vectors, dummies, leading, since, recorded)


def hvp(f: Function, primals: Sequence[Any], vectors: Sequence[Any]) -> tuple[Any, ...]:
    """The Hessian of a function with one number as result, times vectors; the Hessian is never formed.

    Parameters
    ----------
    f
        ``f(*primals)`` gives one number.
    primals, vectors
        A tuple of where to differentiate, and one of vectors, built alike.

    Returns
    -------
    tuple
        One entry per primal, built like it: the gradient of ⟨grad f, vectors⟩.

    Notes
    -----
    Pearlmutter, "Fast exact multiplication by the Hessian" (1994), doi 10.1162/neco.1994.6.1.147.

    Examples
    --------
    >>> import microgradnd as mg, numpy as np
    >>> mg.hvp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),))
    (array([  6., 120.]),)
    """
    run, directions = _prepare("hvp", f, primals, vectors, "vectors")
    recorded = MODE.get().record and (run.linked or any(isinstance(v, Node) and v.tracked for v in directions))
    boxed = run.boxed or any(isinstance(v, Node) for v in directions)
    slopes = run.pull(run.ones(), recorded=True)
    leading, _ = lead_to(slopes, run.aliases, run.since)
    found = pull_back(slopes, directions, run.aliases, leading, run.since, recorded)
    return run.gradient(found, recorded, boxed)


def jacobian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """All partial derivatives of an array-valued function.

    Forward mode where the arguments have fewer elements than the results, reverse mode otherwise.

    Parameters
    ----------
    f, argnums
        As for `grad`; the result may be an array of any shape, or a nested tuple, list or dict of them.

    Returns
    -------
    callable
        Called like `f`, it gives an array of shape ``result.shape + argument.shape``; for nested results
        and arguments a tree of such arrays, built like the result and within like the argument.

    Examples
    --------
    >>> import microgradnd as mg, numpy as np
    >>> mg.jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @_transform("jacobian", f)
    def all_partials(*args: Any, **kwargs: Any) -> Any:
        run = _Run(f, args, kwargs, _selected(argnums, args, _name(f)))
        inputs = [a.value for a in run.aliases]
        outputs = [np.asarray(_value(y)) for y in run.outputs]
        if sum(x.size for x in inputs) < sum(y.size for y in outputs):
            columns = _rows(_pushforward(run), inputs, outputs, run)
            blocks = [[_turn(columns[j][i], y.ndim) for j in range(len(inputs))] for i, y in enumerate(outputs)]
        else:
            blocks = _rows(run.pull, outputs, inputs, run)
        wanted = run.wanted[0] if isinstance(argnums, int) else run.wanted
        return tree.rebuild(run.value, [tree.rebuild(wanted, row) for row in blocks])

    return all_partials


def _rows(
    linear: Callable[[list[Any], bool], list[Any]], sources: list[Any], results: list[Any], run: _Run
) -> list[list[Any]]:
    """A linear map's matrix by blocks, ``[source][result]`` of shape source + result: its value at each unit vector."""
    blocks = []
    for i, source in enumerate(sources):
        rows: list[list[Any]] = [[] for _ in results]
        for k in range(source.size):
            units = [np.zeros(s.shape, s.dtype if s.dtype.kind == "f" else float) for s in sources]
            units[i].reshape(-1)[k] = 1
            for row, g, like in zip(rows, linear(units, run.linked), results, strict=True):
                row.append(np.reshape(_finish(g, constant(like), run.linked, run.boxed), (1, -1)))
        blocks.append(
            [
                np.reshape(np.concatenate(row), source.shape + like.shape)
                if row
                else _finish(None, constant(np.zeros(source.shape + like.shape, like.dtype)), False, run.boxed)
                for row, like in zip(rows, results, strict=True)
            ]
        )
    return blocks


def _turn(block: Any, ndim: int) -> Any:
    """The last `ndim` axes moved to the front."""
    n = block.ndim
    return np.transpose(block, (*range(n - ndim, n), *range(n - ndim)))


def hessian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """All second derivatives of a function with one number as result.

    Parameters
    ----------
    f, argnums
        As for `grad`.

    Returns
    -------
    callable
        Called like `f`, it gives an array of shape ``argument.shape + argument.shape``; for nested arguments
        or several `argnums` a tree of trees of blocks.

    Examples
    --------
    >>> import microgradnd as mg, numpy as np
    >>> mg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """

    @_transform("hessian", f)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        return second(*args, **kwargs)

    second = jacobian(grad(f, argnums), argnums)
    return matrix
