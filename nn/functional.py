"""A network as a function of its parameters, so that transforms of functions apply to it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from .module import Module, did_you_mean

__all__ = ["functional_call"]


def functional_call(model: Module, params: Mapping[str, Any], *inputs: Any) -> Any:
    """What `model` gives for `inputs` with these parameters in place of its own.

    Parameters
    ----------
    model
        Any module; its own parameters are neither used nor changed where `params` names others. (Running
        statistics are buffers: in training mode they are updated as in a plain call.)
    params
        Tensors or arrays by dotted name, as in `Module.named_parameters`; names left out keep the model's own.
    *inputs
        What the model is called with.

    Raises
    ------
    TypeError
        If `model` is no module, or `params` no mapping.
    KeyError
        If the model has no parameter of some name.
    ValueError
        If a shape differs.

    Examples
    --------
    >>> import numpy as np
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> model, X = nn.Dense(2, 1, seed=0), np.array([[1.0, 2.0]])
    >>> params = {name: p.data for name, p in model.named_parameters()}
    >>> gradients = mg.grad(lambda params: nn.functional_call(model, params, X).sum())(params)
    >>> gradients["W"]
    array([[1.],
           [2.]])
    """
    if not isinstance(model, Module) or not isinstance(params, Mapping):  # type: ignore[redundant-expr]
        raise TypeError(
            f"functional_call takes a model and parameters by name, not {type(model).__name__} and {type(params).__name__}"
        )
    own = dict(model.named_parameters())
    swapped: dict[int, Any] = {}
    for name, value in params.items():
        if name not in own:
            raise KeyError(f"{type(model).__name__} has no parameter {name!r}{did_you_mean(name, own)}")
        if np.shape(value) != own[name].shape:
            raise ValueError(f"parameter {name} has shape {own[name].shape}, got {np.shape(value)}")
        swapped[id(own[name])] = value
    return _with(model, swapped)(*inputs)


def _with(part: Any, swapped: dict[int, Any]) -> Any:
    """`part` with tensors exchanged: modules and containers are new where needed, what they share stays shared."""
    if id(part) in swapped:
        return swapped[id(part)]
    if isinstance(part, Module):
        twin = swapped[id(part)] = copy.copy(part)
        for name, value in vars(part).items():
            vars(twin)[name] = _with(value, swapped)
        return twin
    if isinstance(part, dict):
        made = copy.copy(part)
        made.update((key, _with(value, swapped)) for key, value in part.items())
        return made
    if isinstance(part, list | tuple):
        values = [_with(value, swapped) for value in part]
        return type(part)(*values) if hasattr(part, "_fields") else type(part)(values)  # fields: of a named tuple
    return part
