"""The gradient check of a whole network: every parameter, by name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import microgradnd as mg

from .functional import functional_call
from .module import Module

__all__ = ["gradcheck"]


def gradcheck(model: Module, loss: Callable[..., Any], X: Any, y: Any = None, **options: Any) -> Any:
    """Check the gradient of ``loss(model(X), y)`` with respect to every parameter of `model`.

    Parameters
    ----------
    model
        Any module. It is copied first: neither its parameters nor their gradients nor its running
        statistics change. Call `model.eval()` before if there is dropout in it, which is random.
    loss
        ``loss(output, y)`` gives one number, as `cross_entropy` does, or any array.
    X, y
        Input and target; without a target the loss gets the output alone.
    **options
        As for `microgradnd.gradcheck`: ``order=2``, ``raises=False``, ``exhaustive=True``, ...

    Returns
    -------
    microgradnd.checking.report.Report
        Truthy when right; each of its `inputs` is a parameter, under its dotted name.

    Raises
    ------
    microgradnd.GradcheckError
        If a gradient is wrong.
    TypeError
        If the model has no parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> model = nn.MLP([2, 3, 2], seed=0)
    >>> report = nn.gradcheck(model, nn.cross_entropy, np.array([[1.0, -2.0]]), np.array([1]))
    >>> [x.name for x in report.inputs][:2]
    ['layers.0.W', 'layers.0.b']
    """
    twin = copy.deepcopy(model)
    params = {name: mg.tensor(p.data, name=name) for name, p in twin.named_parameters() if p.requires_grad}
    targets = () if y is None else (y,)

    def loss_of(params: dict[str, Any]) -> Any:
        return loss(functional_call(twin, params, X), *targets)

    return mg.gradcheck(loss_of, params, **options)
