"""Pictures of the graph: tensor -> description (plain data) -> DOT, picture, step-through page."""

import sys
import types

from .entry import draw


class _Callable(types.ModuleType):
    """A package that, when called, draws.

    `mg.draw` is the function; but whoever imports this package by its path (a test runner, a debugger) may
    put the package itself in that place, as Python does with every submodule. Then `mg.draw(loss)` draws still.
    """

    __call__ = staticmethod(draw)


sys.modules[__name__].__class__ = _Callable
