"""Modules: networks as trees of parts, whose parameters are found by looking at the attributes.

A module keeps no lists of its own. Its parameters are the tensors among its attributes, its buffers the
arrays among them, its parts the modules among them, wherever these sit in lists, tuples and dicts. So a
subclass assigns what it likes, whenever it likes, and need not even call ``super().__init__()``.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import reprlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

import microgradnd as mg

M = TypeVar("M", bound="Module")
in_scope = mg.scope.run


def is_own(thing: Any) -> bool:
    """Whether a class or function belongs to this package, and not to its user."""
    return str(getattr(thing, "__module__", "")).startswith(__name__.rpartition(".")[0] + ".")


class Unbuilt:
    """Stands where a parameter will be, once the first batch tells its size."""

    def __init__(self, layer: str) -> None:
        self.layer = layer


class Module:
    """Base class of layers and networks: assign parts in `__init__`, write `forward`.

    Attributes
    ----------
    training
        Whether layers such as Dropout and BatchNorm behave as in training; `train` and `eval` set it.

    Raises
    ------
    NotImplementedError
        When a subclass without `forward` is called.
    ValueError
        If a module contains itself, or a state doesn't fit: then nothing is loaded, and all that is wrong is listed.

    Notes
    -----
    A tensor attribute is a parameter, trained or (with ``requires_grad = False``) frozen; an array attribute
    is a buffer: saved with the model, not trained. Results kept as attributes, being no leaves, are neither.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         self.hidden = nn.Dense(4, 3, "tanh", seed=0)
    ...         self.output = nn.Dense(3, 2, seed=1)
    ...
    ...     def forward(self, x):
    ...         return self.output(self.hidden(x))
    >>> net = Net()
    >>> net(np.ones((5, 4))).shape
    (5, 2)
    >>> [name for name, _ in net.named_parameters()]
    ['hidden.W', 'hidden.b', 'output.W', 'output.b']
    >>> net
    Net(
      hidden: Dense(4, 3, activation='tanh')
      output: Dense(3, 2)
    )
    """

    training: bool = True
    _label: str | None = None  # what its scope is called; given at the first call
    _opaque = False  # ours: what it records is reported at the user's line that called it

    def __init_subclass__(cls) -> None:
        cls._opaque = is_own(cls)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output: a subclass says how."""
        raise NotImplementedError(f"{type(self).__name__} says nowhere what it computes: define forward(self, x)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run `forward`, in a scope of this module's name for drawing."""
        try:
            return in_scope(self._label or self._name_parts(), self._opaque, self.forward, inputs, options)
        except AttributeError as error:
            if error.obj is self and vars(self).keys() <= {"_label", "training"}:
                error.args = (f"{error}: its __init__ has set nothing; does it call super().__init__(...)?",)
            raise

    def _name_parts(self) -> str:
        """Label this module with its class, and every part with its place too: ``hidden (Dense)``."""
        for module in _modules(self):
            for name, part in module.named_children():
                part._label = f"{name} ({type(part).__name__})"
        self._label = type(self).__name__
        return self._label

    @property
    def label(self) -> str:
        """What errors and drawings call it: its class, and its place in the model it belongs to."""
        return self._label or type(self).__name__

    # -- what it consists of -----------------------------------------------------------------
    def modules(self) -> list[Module]:
        """The module itself and all below it, each once, depth first."""
        return _modules(self)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules right below this one, with the names of the attributes they are found at."""
        for name, value in vars(self).items():
            yield from ((path, part) for path, part in _within(value, name, ()) if isinstance(part, Module))

    def named_parameters(self) -> Iterator[tuple[str, mg.Tensor]]:
        """Each parameter with its dotted name, in the order of assignment; a shared one once.

        Raises
        ------
        RuntimeError
            If a layer still waits for the first batch to learn its size.
        """
        for name, value in _state(self):
            if isinstance(value, mg.Tensor):
                yield name, value

    def parameters(self) -> list[mg.Tensor]:
        """All parameters, each once, in the order of `named_parameters`."""
        return [p for _, p in self.named_parameters()]

    def named_buffers(self) -> Iterator[tuple[str, np.ndarray]]:
        """Each array that belongs to the state but is not trained, such as running statistics."""
        for name, value in _state(self):
            if isinstance(value, np.ndarray):
                yield name, value

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.zero_grad()

    # -- training and evaluating -----------------------------------------------------------
    def train(self: M, mode: bool = True) -> M:
        """Behave as in training, this module and all its parts; gives the module back."""
        for module in _modules(self):
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Behave as in use: no dropout, running statistics; gives the module back."""
        return self.train(False)

    # -- state -------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers, by dotted name."""
        return {name: _array(value).copy(order="C") for name, value in _state(self)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy parameters and buffers in, all or nothing.

        Parameters
        ----------
        state
            Arrays by dotted name, exactly the names of `state_dict`; floating dtypes are cast to the model's.

        Raises
        ------
        ValueError
            If names are missing, unexpected, or hold arrays of other shapes or kinds: all are listed, and the
            model is left as it was.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"the state is {type(state).__name__}, expected arrays by name, as state_dict() gives them")
        own, new = dict(_state(self)), dict[str, np.ndarray]()
        wrong = [f"missing: {name} {_array(own[name]).shape}" for name in own if name not in state]
        for name, value in state.items():
            given = _array(value)
            try:
                new[name] = given if type(given) is np.ndarray else mg.astensor(given).data
            except (TypeError, ValueError) as error:
                wrong.append(f"{name}: {error}")
        wrong += [f"unexpected: {name} {new[name].shape}{did_you_mean(name, own)}" for name in new if name not in own]
        wrong += [told for name in own.keys() & new.keys() if (told := _misfit(name, _array(own[name]), new[name]))]
        if wrong:
            raise ValueError(
                f"this state doesn't fit {type(self).__name__}; nothing was loaded:\n  " + "\n  ".join(sorted(wrong))
            )
        for name, value in own.items():
            np.copyto(_array(value), new[name], casting="same_kind")
            if isinstance(value, mg.Tensor):
                value.touch()

    # -- how it looks ------------------------------------------------------------------------
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, as far as attributes of the same names tell, leaving out defaults."""
        signature = inspect.signature(type(self).__init__)
        kept = {}
        for name, parameter in signature.parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:  # layers, which are shown as parts
                continue
            value = vars(self).get(name, parameter.default)
            if name != "self" and not is_part(value) and _differ(value, parameter.default):
                kept[name] = value
        return kept

    def shown(self) -> Iterator[tuple[str, Any]]:
        """What is printed below the module's first line: its parts, by name."""
        return self.named_children()

    @reprlib.recursive_repr("...")
    def __repr__(self) -> str:
        required = {
            name
            for name, p in inspect.signature(type(self).__init__).parameters.items()
            if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty
        }
        words = [
            brief(value) if name in required else f"{name}={brief(value)}" for name, value in self.arguments().items()
        ]
        lines = [f"{name}: {brief(part)}" for name, part in self.shown()]
        head = ", ".join(words)
        if not lines:
            return f"{type(self).__name__}({head})"
        body = "".join("\n  " + line.replace("\n", "\n  ") for line in lines)
        return f"{type(self).__name__}({head}{',' if head else ''}{body}\n)"


def _within(value: Any, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """The modules, tensors, unbuilt parameters and hidden parts at `value` or in the containers there."""
    if isinstance(value, Module | mg.Tensor | Unbuilt):
        yield path, value
    elif isinstance(value, list | tuple | dict):
        if id(value) in above:
            raise ValueError(f"{path} contains itself: a model's parts must form a tree")
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _within(part, f"{path}.{key}", (*above, id(value)))
    else:
        yield from ((path, Hidden(value, part)) for part in _unnamed(value) if _is_own_part(part))


class Hidden:
    """A part that is kept where it has no name: in a set, or in what a function was made of."""

    def __init__(self, holder: Any, part: Any) -> None:
        self.holder, self.part = holder, part


def _unnamed(value: Any) -> Iterable[Any]:
    """What is held where parts have no names: in containers without order, in functions made of others."""
    if isinstance(value, np.ndarray):
        return value.flat if value.dtype == object else ()
    if isinstance(value, functools.partial):
        return value.func, *value.args, *value.keywords.values()
    if isinstance(value, set | frozenset | deque):
        return value
    return (value.__wrapped__,) if isinstance(value, FunctionType) and hasattr(value, "__wrapped__") else ()


def _is_own_part(value: Any) -> bool:
    return isinstance(value, Module | Unbuilt) or (isinstance(value, mg.Tensor) and value.op is None)


def is_part(value: Any) -> bool:
    """Whether there is a module, tensor or buffer at `value`, or in the containers there."""
    return isinstance(value, np.ndarray) or any(True for _ in _within(value, "", ()))


def _walk(module: Module, prefix: str, above: tuple[Module, ...], seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Modules, leaf tensors, buffers and unbuilt parameters below `module`, with dotted names, depth first.

    A module that is met again is passed over: where each holds the next twice, there are exponentially many ways.
    """
    if any(module is m for m in above):
        raise ValueError(
            f"{type(module).__name__} at {prefix.rstrip('.')!r} contains itself: a model's parts must form a tree"
        )
    if id(module) in seen:
        return
    seen.add(id(module))
    yield prefix.rstrip("."), module
    for attribute, value in vars(module).items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            yield prefix + attribute, value
        for path, part in _within(value, prefix + attribute, ()):
            if isinstance(part, Module):
                yield from _walk(part, path + ".", (*above, module), seen)
            elif isinstance(part, Hidden | Unbuilt) or part.op is None:
                yield path, part


def _modules(module: Module) -> list[Module]:
    """All modules from this one down, each once."""
    return [part for _, part in _found(module) if isinstance(part, Module)]


def _found(module: Module) -> Iterator[tuple[str, Any]]:
    """What there is below a module, each under a name, or TypeError for what has none."""
    named, hidden = set[int](), list[tuple[str, Hidden]]()
    for name, value in _walk(module, "", (), set()):
        if isinstance(value, Hidden):
            hidden.append((name, value))
        else:
            named.add(id(value))
            yield name, value
    for name, value in hidden:
        if id(value.part) not in named:
            raise TypeError(
                f"{name} keeps a {type(value.part).__name__} in a {type(value.holder).__name__}, where it would not be "
                "found: keep it as an attribute, or in a list, tuple or dict, and call it in forward"
            )


def _state(module: Module) -> Iterator[tuple[str, Any]]:
    """Parameters and buffers with their names, each once."""
    seen: set[int] = set()
    names: set[str] = set()
    for name, value in _found(module):
        if isinstance(value, Unbuilt):
            raise RuntimeError(  # noqa: TRY004 - a matter of when, not of type
                f"{name} of {value.layer} has no size yet, it comes from the first batch: "
                "run the model once, model(X[:1]), before asking for its parameters"
            )
        if not isinstance(value, Module) and id(value) not in seen:
            seen.add(id(value))
            if name in names:
                raise ValueError(f"two parts are called {name!r}, as keys of dicts have it: rename a key")
            names.add(name)
            yield name, value


def _array(value: Any) -> Any:
    return value.data if isinstance(value, mg.Tensor) else value


def _differ(value: Any, default: Any) -> bool:
    """Whether a setting isn't its default; a pair of defaults, one for each direction, is one."""
    try:
        if isinstance(value, tuple) and value:
            return any(_differ(part, default) for part in value) and bool(value != default)
        return value is not default and bool(value != default)
    except ValueError:  # a data frame compares element by element
        return True


def _misfit(name: str, mine: np.ndarray, given: np.ndarray) -> str:
    """Why an array can't take the place of a model's, or nothing."""
    if mine.shape != given.shape:
        return f"shape of {name}: {given.shape} given, {mine.shape} expected"
    if not np.can_cast(given.dtype, mine.dtype, "same_kind"):
        return f"dtype of {name}: {given.dtype} given, {mine.dtype} expected"
    if given.dtype.itemsize > mine.dtype.itemsize and mine.dtype.kind == "f":
        with np.errstate(over="ignore"):
            if (np.isinf(given.astype(mine.dtype)) & np.isfinite(given)).any():
                return f"dtype of {name}: its {given.dtype} numbers overflow {mine.dtype}"
    return ""


def brief(value: Any) -> str:
    """A module as it prints itself, a function or op by its name, else what repr gives."""
    if isinstance(value, mg.Op):
        return value.name
    if isinstance(value, functools.partial):
        given = [*map(brief, value.args), *(f"{name}={brief(v)}" for name, v in value.keywords.items())]
        return f"partial({', '.join([brief(value.func), *given])})"
    return value.__name__ if hasattr(value, "__name__") else str(value) if isinstance(value, np.dtype) else repr(value)


def did_you_mean(name: object, known: Any) -> str:
    """A hint at the nearest known name, or nothing."""
    names = {str(k).lower(): k for k in known}
    near = difflib.get_close_matches(str(name).lower(), names, n=1)
    return f"; did you mean {names[near[0]]!r}?" if near else ""
