"""Where and whether recording happens: modes, scopes, and the user's line.

Everything here belongs to one thread or task: `MODE` says whether to record and who watches, `SCOPE`
and `CALL` which named region the recording is in, and `find_origin` which line of the user's code is running.
"""

from __future__ import annotations

import functools
import inspect
from _thread import _local
from collections.abc import Callable
from contextvars import ContextVar
from sys import _getframe
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Origin = tuple[Any, int] | None  # a code object and an offset into it
_new = object.__new__


class Mode:
    """Whether to record just now, in this thread or task, and who watches."""

    __slots__ = ("record", "watch")

    def __init__(self, record: bool = True, watch: Any = None) -> None:
        self.record, self.watch = record, watch


MODE: ContextVar[Mode] = ContextVar("microgradnd_mode", default=Mode())  # noqa: B039 - never mutated


class mode_switch:
    """A context manager and decorator that changes the mode, and always restores it.

    >>> with mode_switch(record=False):
    ...     MODE.get().record
    False
    """

    def __init__(self, **changes: Any) -> None:
        self.changes = changes
        self._before: list[Mode] = []

    def __enter__(self) -> Any:
        now = MODE.get()
        self._before.append(now)
        MODE.set(Mode(**{"record": now.record, "watch": now.watch} | self.changes))
        return self

    def __exit__(self, *exception: object) -> None:
        MODE.set(self._before.pop())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, coroutine or generator, to run in this mode."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def finish(*args: P.args, **kwargs: P.kwargs) -> Any:
                with mode_switch(**self.changes):  # other tasks have modes of their own
                    return await function(*args, **kwargs)

            return finish  # type: ignore[return-value]

        if inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__name__} is an asynchronous generator: write `with mg.no_grad():` inside of it"
            )

        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def resume(*args: P.args, **kwargs: P.kwargs) -> Any:
                generator = function(*args, **kwargs)
                step, given = generator.send, None
                while True:  # the mode holds while the generator runs, not while its caller does
                    with mode_switch(**self.changes):
                        try:
                            value = step(given)
                        except StopIteration as stop:
                            return stop.value
                    try:
                        step, given = generator.send, (yield value)
                    except GeneratorExit:
                        with mode_switch(**self.changes):
                            generator.close()
                        raise
                    except BaseException as error:
                        step, given = generator.throw, error

            return resume

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with mode_switch(**self.changes):
                return function(*args, **kwargs)

        return call


class no_grad(mode_switch):
    """Compute without recording a graph, in this thread or task: ``with mg.no_grad(): ...``.

    Also a decorator, ``@mg.no_grad``. Results are still tensors; they require no gradient.

    Parameters
    ----------
    function
        When used as a decorator: what is to run so.

    Raises
    ------
    TypeError
        If it is given something else than a function.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor(2.0, requires_grad=True)
    >>> with mg.no_grad():
    ...     (x * x).requires_grad
    False
    """

    def __new__(cls, function: Any = None) -> Any:
        """A context; of a function, given by ``@mg.no_grad`` without parentheses, the decorated one."""
        if function is None:
            return super().__new__(cls)
        if not callable(function):
            raise TypeError(f"mg.no_grad takes nothing, or a function to decorate: got {function!r}")
        return cls()(function)

    def __init__(self) -> None:
        super().__init__(record=False)


class Scope:
    """A named region of the recorded graph: ``with mg.scope("encoder"): ...``.

    Parameters
    ----------
    name
        What the drawing writes on the box around what is recorded inside.
    opaque
        Report what is recorded inside at the line that opened the scope, as a library of layers does
        whose own lines mean nothing to its user.

    Raises
    ------
    RuntimeError
        When it is opened again inside of another scope than at first.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor(2.0, requires_grad=True)
    >>> with mg.scope("encoder"):
    ...     y = x * x
    >>> y.scope.name
    'encoder'
    """

    __slots__ = ("_code", "_origin", "name", "opaque", "parent")
    pullback_of: int | None = None
    parent: Scope | None  # itself until it is opened

    def __init__(self, name: str, opaque: bool = False) -> None:
        self.name, self.opaque, self.parent = name, opaque, self

    def __enter__(self) -> Scope:
        parent = current_scope()
        if self.parent is not self and self.parent is not parent:
            raise RuntimeError(
                f"scope {self.name!r} was opened elsewhere, and what was recorded there would move: make another"
            )
        self._open(parent, _getframe(1))
        if CALL.scope is None:
            SCOPE.set(self)
        else:
            CALL.scope = self
        return self

    def __exit__(self, *exception: object) -> None:
        if CALL.scope is None:
            SCOPE.set(self.parent)
        else:
            CALL.scope = self.parent

    @classmethod
    def run(
        cls, name: str, opaque: bool, function: Callable[..., R], inputs: tuple[Any, ...], options: dict[str, Any]
    ) -> R:
        """Call a function in a scope of its own: what layers are called through, sooner than ``with``.

        Parameters
        ----------
        name, opaque
            As for the scope itself.
        function, inputs, options
            What is called, as ``function(*inputs, **options)``; its result is given back.

        Examples
        --------
        >>> import microgradnd as mg
        >>> x = mg.tensor(2.0, requires_grad=True)
        >>> mg.scope.run("twice", False, lambda x: x + x, (x,), {}).scope.name
        'twice'
        """
        scope = _new(cls)
        scope.name, scope.opaque = name, opaque
        outside = CALL.scope
        parent = outside or SCOPE.get()
        if parent is not None and parent.opaque:
            scope.parent, scope._origin, scope._code = parent, parent._origin, None
        else:
            scope._open(parent, _getframe(1))
        CALL.scope = scope
        try:
            return function(*inputs, **options) if options else function(*inputs)
        finally:
            CALL.scope = outside

    def _open(self, parent: Scope | None, frame: Any) -> None:
        """Lie within `parent`, and find the line that `frame` opens this at."""
        self.parent = parent
        if parent is not None and parent.opaque:
            self._origin: Origin = parent._origin
            self._code = None
        else:
            self._code = frame.f_code  # who opened it: a search for the user's line need not go further
            # Scopes that the same code opens one in another (a module within a module) lie apart all the same.
            self._origin = find_origin(frame, parent if parent and parent._code is not frame.f_code else None)

    @property
    def path(self) -> str:
        """The names from the outermost scope to this one, joined by dots."""
        return f"{self.parent.path}.{self.name}" if self.parent else self.name


class PullbackScope(Scope):
    """What a recorded backward pass records while it pulls back through one node, at that node's line."""

    __slots__ = ("_pullback_of",)

    def __init__(self, name: str, serial: int, origin: Origin, parent: Scope | None) -> None:
        self.name, self.opaque, self._pullback_of, self.parent = name, True, serial, parent
        self._origin, self._code = origin, None

    @property
    def pullback_of(self) -> int:  # type: ignore[override]
        """The serial of the node that is pulled back through."""
        return self._pullback_of


class Call(_local):
    """The innermost scope of the calls that this thread is in the middle of."""

    scope: Scope | None = None


# Where `with` opens a scope, other tasks may run before it ends: it belongs to the task. Within a call of `Scope.run`
# none can, and the thread is enough: its attributes are set in half the time, 2 % of a small training step.
SCOPE: ContextVar[Scope | None] = ContextVar("microgradnd_scope", default=None)
CALL = Call()


def current_scope() -> Scope | None:
    """The innermost scope that is open here."""
    return CALL.scope or SCOPE.get()


_PACKAGE = __name__.partition(".")[0]
_inside: dict[str, bool] = {}  # file name -> does it belong to this package?


def find_origin(frame: Any, scope: Scope | None) -> Origin:
    """The nearest line outside this package, as a code object and an offset into it.

    A frame is never kept: it would keep its caller's variables alive. Where the search comes upon
    whoever opened the current scope, the rest of the way is known from then.
    """
    opener = None if scope is None else scope._code
    while frame is not None:
        code = frame.f_code
        try:
            inside = _inside[code.co_filename]
        except KeyError:
            # By module, not by folder: nn/ may lie elsewhere. Doctests bear the name of what they document.
            module = frame.f_globals.get("__name__") or ""
            inside = _inside[code.co_filename] = module.partition(".")[0] == _PACKAGE and code.co_filename[0] != "<"
        if not inside:
            return code, frame.f_lasti
        if code is opener:
            return scope._origin  # type: ignore[union-attr]
        frame = frame.f_back
    return None
