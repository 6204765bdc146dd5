"""Trees of plain data, arrays and modules as JSON beside named arrays: what files hold, with nothing to execute.

`pack` writes a tree down, `unpack` builds it again. A module becomes the name of its class and its attributes, a
function becomes its name. So a file can name only what is on the list here, and give it only data: no import
path, no code, no pickle.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

import microgradnd as mg

from . import activations, init, losses
from .module import Module, Unbuilt

T = TypeVar("T", bound=Callable[..., Any])
Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]

REGISTERED: dict[str, Any] = {}  # the user's own, by name
MARK = "$"  # the key that tells a described object from a dict of the user's


class UnregisteredError(TypeError):
    """A class or function of the user's that no file may name yet."""


def register(thing: T) -> T:
    """Let models that use this class or function be saved whole and rebuilt; also a decorator.

    Parameters
    ----------
    thing
        A subclass of `Module`, or a function that a layer keeps, such as an activation of your own. Its name is
        what the file holds: it must be registered again, under the same name, before the file is loaded.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If something else has that name, or it has none, being a lambda.

    Examples
    --------
    >>> from microgradnd import nn
    >>> @nn.register
    ... class Twice(nn.Module):
    ...     def forward(self, x):
    ...         return 2 * x
    """
    if not _may_be_named(thing):
        raise TypeError(f"{thing!r} is neither a subclass of nn.Module nor a function")
    name = _name_of(thing)
    if not name.isidentifier():
        what = "a lambda" if name == "<lambda>" else f"this {type(thing).__name__}"
        raise ValueError(f"{what} has no name that a file could hold: define a function")
    before = _listed().get(name, thing)
    if before is not thing and _origin(before) != _origin(thing):
        raise ValueError(f"{name!r} is the name of {before!r} already: rename yours")
    REGISTERED[name] = thing
    return thing


def _name_of(thing: Any) -> str:
    return str(getattr(thing, "__name__", None) or getattr(thing, "name", repr(thing)))


def _may_be_named(thing: Any) -> bool:
    if isinstance(thing, type):
        return issubclass(thing, Module)
    return callable(thing) and not isinstance(thing, Module)


def _origin(thing: Any) -> tuple[Any, ...]:
    """Where it was defined: what is defined there anew, as when a notebook's cell runs again, takes its place."""
    return getattr(thing, "__module__", None), getattr(thing, "__qualname__", id(thing))


def _listed() -> dict[str, Any]:
    """All that a file may name: the package's own layers, activations, initialisers and losses, the user's."""
    from microgradnd import nn

    own = {name: thing for name, thing in vars(nn).items() if isinstance(thing, type) and issubclass(thing, Module)}
    named_losses = {name: getattr(losses, name) for name in losses.__all__}
    return own | activations.ACTIVATIONS | init.INITIALISERS | named_losses | REGISTERED


def pack(tree: Any, weights: Arrays | None = None) -> tuple[str, Arrays]:
    """A tree as JSON text and the arrays that it refers to by name.

    Parameters
    ----------
    tree
        Numbers, text, None, arrays, tensors, modules, random generators, registered functions, and lists, tuples
        and dicts of these.
    weights
        Arrays that have their own names, a model's `state_dict`: an array found on the way to none of them is
        stored under a name that begins with ``~``.

    Raises
    ------
    UnregisteredError
        For a module class or function that isn't on the list.
    TypeError
        For anything else that is no plain data.

    Examples
    --------
    >>> text, arrays = pack({"x": np.ones(2), "n": (1, 2)})
    >>> unpack(text, arrays)
    {'x': array([1., 1.]), 'n': (1, 2)}
    """
    packer = _Packer(weights)
    return json.dumps(packer.describe(tree, ""), allow_nan=False), packer.arrays


class _Packer:
    def __init__(self, weights: Arrays | None) -> None:
        self.weights = weights
        self.arrays: Arrays = {}
        self.seen: dict[int, int] = {}  # what may be shared: modules, tensors, arrays, generators
        self.alive: list[Any] = []  # keeps an id from being used again
        self.names = {id(thing): name for name, thing in _listed().items()}

    def describe(self, x: Any, path: str) -> Any:
        if x is None or isinstance(x, bool | str):
            return x
        if isinstance(x, int | float | np.number | np.bool_):
            return self.number(x.item() if isinstance(x, np.generic) else x)
        if isinstance(x, list):
            return [self.describe(part, f"{path}.{i}") for i, part in enumerate(x)]
        if isinstance(x, tuple) and not hasattr(x, "_fields"):  # a named one would come back without its names
            return {MARK: "tuple", "items": self.describe(list(x), path)}
        if isinstance(x, dict):
            return self.mapping(x, path)
        if isinstance(x, np.dtype):
            return {MARK: "dtype", "name": x.str}
        if isinstance(x, Unbuilt):
            return {MARK: "unbuilt", "layer": x.layer}
        if id(x) in self.seen:
            return {MARK: "same", "as": self.seen[id(x)]}
        if isinstance(x, np.ndarray | mg.Tensor | Module | np.random.Generator):
            self.seen[id(x)] = len(self.seen)
            self.alive.append(x)
            return self.shareable(x, path)
        return self.function(x, path)

    def number(self, x: Any) -> Any:
        return {MARK: "float", "value": repr(x)} if isinstance(x, float) and not math.isfinite(x) else x

    def mapping(self, x: dict[Any, Any], path: str) -> Any:
        values = {key: self.describe(value, f"{path}.{key}" if path else str(key)) for key, value in x.items()}
        if MARK in values or not all(isinstance(key, str) for key in values):
            return {MARK: "dict", "items": [[self.describe(key, path), value] for key, value in values.items()]}
        return values

    def shareable(self, x: Any, path: str) -> dict[str, Any]:
        if isinstance(x, np.ndarray):
            return {MARK: "array", "key": self.store(x, path)}
        if isinstance(x, mg.Tensor):
            key = self.store(x.data, path)
            return {MARK: "tensor", "key": key, "requires_grad": x.requires_grad, "name": x.name}
        if isinstance(x, np.random.Generator):
            state = dict(x.bit_generator.state)
            return {MARK: "generator", "kind": state["bit_generator"], "state": self.mapping(state, path)}
        if self.names.get(id(type(x))) is None:
            raise UnregisteredError(type(x).__name__)
        return {MARK: "module", "class": self.names[id(type(x))], "attributes": self.mapping(vars(x), path)}

    def store(self, array: np.ndarray, path: str) -> str:
        key = path if self.weights is None or path in self.weights else f"~{path}"
        while key in self.arrays:
            key += "'"
        self.arrays[key] = array
        return key

    def function(self, x: Any, path: str) -> dict[str, Any]:
        if isinstance(x, functools.partial):
            given = {"args": self.describe(list(x.args), path), "keywords": self.mapping(x.keywords, path)}
            return {MARK: "partial", "function": self.function(x.func, path), **given}
        if id(x) in self.names:
            return {MARK: "function", "name": self.names[id(x)]}
        if callable(x):
            raise UnregisteredError(_name_of(x))
        raise TypeError(
            f"{path or 'this'} is {type(x).__name__}, which no file holds: keep numbers, text, arrays or modules"
        )


def unpack(text: str, arrays: Arrays) -> Any:
    """The tree that `pack` described; its arrays are those given, not copies.

    Raises
    ------
    ValueError
        If the text describes anything but data and registered names.
    """
    try:
        return _Unpacker(arrays).build(json.loads(text))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"this describes nothing that can be built: {type(error).__name__}: {error}") from None


class _Unpacker:
    def __init__(self, arrays: Arrays) -> None:
        self.arrays, self.made, self.listed = arrays, list[Any](), _listed()

    def build(self, d: Any) -> Any:
        if isinstance(d, list):
            return [self.build(part) for part in d]
        if not isinstance(d, dict):
            return d
        if MARK not in d:
            return {key: self.build(value) for key, value in d.items()}
        kinds: dict[str, Callable[[dict[str, Any]], Any]] = {
            "float": lambda d: {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[d["value"]],
            "tuple": lambda d: tuple(self.build(d["items"])),
            "dict": lambda d: {self.build(key): self.build(value) for key, value in d["items"]},
            "dtype": lambda d: _number_dtype(d["name"]),
            "unbuilt": lambda d: Unbuilt(str(d["layer"])),
            "same": lambda d: self.made[d["as"]],
            "array": lambda d: self.keep(self.arrays[d["key"]]),
            "tensor": self.tensor,
            "generator": self.generator,
            "module": self.module,
            "function": self.function,
            "partial": lambda d: functools.partial(
                self.function(d["function"]), *self.build(d["args"]), **self.build(d["keywords"])
            ),
        }
        return kinds[d[MARK]](d)

    def keep(self, thing: Any) -> Any:
        self.made.append(thing)
        return thing

    def tensor(self, d: dict[str, Any]) -> Any:
        name = d["name"] if d["name"] is None else str(d["name"])
        return self.keep(mg.tensor(self.arrays[d["key"]], requires_grad=bool(d["requires_grad"]), name=name))

    def generator(self, d: dict[str, Any]) -> np.random.Generator:
        kinds = {"PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"}
        if d["kind"] not in kinds:
            raise ValueError(f"there is no random generator {d['kind']!r}")
        made: np.random.Generator = self.keep(np.random.Generator(getattr(np.random, d["kind"])(0)))
        state = self.build(d["state"])
        _check_positions(state)
        made.bit_generator.state = state
        return made

    def module(self, d: dict[str, Any]) -> Module:
        cls = self.listed.get(d["class"])
        if not (isinstance(cls, type) and issubclass(cls, Module)):
            raise ValueError(  # noqa: TRY004 - it is the file that is wrong, not an argument's type
                f"{d['class']!r} is no class that may be built: if it is yours, decorate it with @nn.register "
                "before loading"
            )
        made: Module = self.keep(cls.__new__(cls))
        for name, value in d["attributes"].items():
            if not name.isidentifier() or name.startswith("__") or callable(getattr(cls, name, None)):
                raise ValueError(f"{name!r} can't be an attribute of {d['class']}")
            vars(made)[name] = self.build(value)
        return made

    def function(self, d: dict[str, Any]) -> Any:
        found = self.listed.get(d["name"])
        if found is None or isinstance(found, type):
            raise ValueError(
                f"{d['name']!r} is no function that may be named: if it is yours, decorate it with @nn.register "
                "before loading"
            )
        return found


def _check_positions(state: dict[str, Any]) -> None:
    """Refuse a place outside of a generator's buffer: NumPy believes it, and would read foreign memory there."""
    for holder, name, size in ((state["state"], "pos", 624), (state, "buffer_pos", 4)):
        if not 0 <= holder.get(name, 0) <= size:
            raise ValueError(f"{name}={holder[name]} is no place in a random generator's buffer of {size}")


def _number_dtype(name: str) -> np.dtype[Any]:
    if not re.fullmatch("[<>|=]?[fiub][0-9]{1,2}", name):
        raise ValueError(f"{name[:20]!r} is no dtype of real numbers")
    return np.dtype(name)
