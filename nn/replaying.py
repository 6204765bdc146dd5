"""Which training may replay its recorded step: that of networks all made of this package's parts, without state.

Of such parts it is known that a forward pass depends on the batch through ops alone, and changes nothing besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import microgradnd as mg

from .module import Module, is_own


def may_replay(model: Module, loss: Callable[..., Any]) -> bool:
    """Whether all that a step runs is this package's; buffers and random generators are the caller's to look for."""
    return is_own(loss) and all(
        is_own(type(part)) and is_own(part.forward) and all(map(_is_known, _functions(part)))
        for part in model.modules()
    )


def _is_known(function: Any) -> bool:
    """Whether a function, or the rules of an op, are this package's or NumPy's."""
    module = function.module if isinstance(function, mg.Op) else getattr(function, "__module__", "")
    return isinstance(function, np.ufunc) or str(module).partition(".")[0] == __name__.partition(".")[0]


def _functions(part: Module) -> Iterator[Any]:
    """What a module may call that is no module: functions given as layers or activations."""
    waiting = [value for name, value in vars(part).items() if name != "init"]  # initialisers had their turn
    while waiting:
        value = waiting.pop()
        if isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
        elif callable(value) and not isinstance(value, Module | mg.Tensor | np.dtype | type):
            yield value


def record(loss: Any, output: Any, batch: np.ndarray, target: np.ndarray, model: Module) -> mg.Replay | None:
    """A replay of the step that was just recorded, or None where it took in more than batch, target and parameters."""
    try:
        replay = mg.Replay(loss, (batch, target), (output,))
    except (TypeError, ValueError, RuntimeError):
        return None
    known = {id(p) for p in model.parameters()}
    return replay if all(id(x) in known for x in replay.constants) else None
