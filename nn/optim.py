"""Optimisers: rules that move parameters along their gradients.

The formulas are PyTorch's. Updates happen in the parameters' own arrays, through buffers made at the start,
so that a step allocates nothing.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

import microgradnd as mg

from .arguments import as_number, as_size
from .module import Module, did_you_mean

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "clip_grad_norm", "clip_grad_value"]

State = dict[str, Any]
Group = dict[str, Any]

_BELOW_ONE = ("beta1", "beta2", "alpha")  # decay rates, in [0, 1); what is no rate and no flag is >= 0
_FLAGS = ("nesterov", "centered")


class Optimizer:
    """What optimisers share: groups of parameters with their settings, and the state each parameter needs.

    Parameters
    ----------
    params
        Tensors, or groups ``{"params": tensors, "lr": 0.1, ...}`` with settings of their own.
    **settings
        What holds for the groups that say nothing else.

    Attributes
    ----------
    param_groups
        One dict per group: its tensors under ``"params"``, and its settings, free to change between steps.
    state
        One dict per parameter, in the order of the groups.

    Raises
    ------
    TypeError
        For what aren't tensors (a module, say: pass ``model.parameters()``), or an unknown setting.
    ValueError
        For no parameters, one given twice, one that isn't a leaf, or a setting out of its range.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> class SignDescent(nn.Optimizer):
    ...     def update(self, x, g, state, group):
    ...         x -= group["lr"] * np.sign(g)
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> w.grad = [0.3, -7.0]
    >>> SignDescent([w], lr=0.5).step()
    >>> w.data
    array([0.5, 2.5])
    """

    keeps: tuple[str, ...] = ()  # names of the arrays remembered per parameter
    works: tuple[str, ...] = ("work",)  # names of the arrays to compute in

    def __init__(self, params: Any, **settings: Any) -> None:
        self.param_groups = _groups(params, settings)
        everyone = self.parameters()
        sizes = {p.dtype: 0 for p in everyone}
        for p in everyone:
            sizes[p.dtype] = max(sizes[p.dtype], p.size)
        shared = {dtype: {name: np.empty(size, dtype) for name in self.works} for dtype, size in sizes.items()}
        self.state: list[State] = [
            {"step": 0} | {name: array[: p.size].reshape(p.shape) for name, array in shared[p.dtype].items()}
            for p in everyone
        ]

    def parameters(self) -> list[mg.Tensor]:
        """The tensors of all groups."""
        return [p for group in self.param_groups for p in group["params"]]

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for group in self.param_groups:
            for p in group["params"]:
                p.zero_grad()

    def step(self) -> None:
        """Move every parameter that has a gradient, in place."""
        states = iter(self.state)
        for group in self.param_groups:
            self._step_group(group, states)

    def _step_group(self, group: Group, states: Iterator[State]) -> None:
        for p, state in zip(group["params"], states):  # noqa: B905 - the states go on with the next group
            g = p.grad
            if g is not None:
                self.update(p.data, g, state, group)
                p.touch()

    def update(self, x: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        """Move one parameter's array `x`, given its gradient: a subclass says how."""
        raise NotImplementedError(f"{type(self).__name__} says nowhere how it moves: define update(x, g, state, group)")

    def state_dict(self) -> dict[str, Any]:
        """All that resuming needs: ``"param_groups"``, settings by group, and ``"state"``, copies by parameter.

        Raises
        ------
        ValueError
            If an optimiser of your own remembers what its class attribute `keeps` doesn't name.
        """
        forgotten = {name for state in self.state for name in state} - {"step", *self.keeps, *self.works}
        if forgotten:
            name = type(self).__name__
            raise ValueError(
                f"{name} remembers {', '.join(sorted(forgotten))}, which would be lost: name what is kept per parameter in "
                f"the class, keeps = {(*self.keeps, *sorted(forgotten))}"
            )
        return {
            "param_groups": [
                {k: v if k != "params" else len(v) for k, v in group.items()} for group in self.param_groups
            ],
            "state": [
                {"step": state["step"]} | {name: state[name].copy() for name in self.keeps if name in state}
                for state in self.state
            ],
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from a `state_dict` of an optimiser of the same kind, over parameters of the same shapes.

        Raises
        ------
        TypeError, ValueError
            If the groups, names or shapes differ, or a setting is out of its range; nothing is loaded then.
        """
        if not isinstance(saved, Mapping) or not {"param_groups", "state"} <= saved.keys():  # type: ignore[redundant-expr]
            raise ValueError(f"{type(saved).__name__} without param_groups and state, expected what state_dict() gives")
        groups, states = saved["param_groups"], saved["state"]
        mine = [len(group["params"]) for group in self.param_groups]
        theirs = [group["params"] for group in groups]
        if mine != theirs or len(states) != sum(mine):
            raise ValueError(
                f"this state is of groups of {theirs} parameters, and of {len(states)} in all; the optimiser's have {mine}: make it of the same model, "
                "in the same groups"
            )
        wrong = [
            f"parameter {i}, {name}: {np.shape(array)} given, {p.shape} expected"
            for i, (p, new) in enumerate(zip(self.parameters(), states, strict=True))
            for name, array in new.items()
            if name != "step" and (name not in self.keeps or np.shape(array) != p.shape)
        ]
        unknown = [name for group, new in zip(self.param_groups, groups, strict=True) for name in new.keys() ^ group]
        wrong += [
            f"setting {name}: {value!r} given, a number expected"
            for new in groups
            for name, value in new.items()
            if not isinstance(value, numbers.Real)
        ]
        if wrong or unknown:
            told = "\n  ".join(wrong + [f"setting {name} is of another optimiser" for name in sorted(set(unknown))])
            raise ValueError(f"this state doesn't fit {type(self).__name__}; nothing was loaded:\n  {told}")
        settings = [{k: _checked(k, v, "[0, inf)") for k, v in new.items() if k != "params"} for new in groups]
        loaded = [
            {"step": as_size(new.get("step"), "step", 0)}
            | {k: np.array(mg.astensor(new[k]).data, dtype=p.dtype, order="C") for k in self.keeps if k in new}
            for p, new in zip(self.parameters(), states, strict=True)
        ]
        for group, new in zip(self.param_groups, settings, strict=True):
            group.update(new)
        for own, new in zip(self.state, loaded, strict=True):
            for name in self.keeps:
                own.pop(name, None)
            own.update(new)

    def __repr__(self) -> str:
        told = [
            ", ".join([f"{len(group['params'])} parameters", *(f"{k}={v}" for k, v in group.items() if k != "params")])
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(told)})"


def _memory(state: State, name: str, x: np.ndarray) -> np.ndarray:
    """The array of this name that goes with parameter `x`: zeros at first."""
    array = state.get(name)
    if array is None:
        array = state[name] = np.zeros_like(x)
    return array


def _as_list(params: Any) -> list[Any]:
    if isinstance(params, Module | mg.Tensor) or not isinstance(params, Iterable):
        raise TypeError(f"expected a list of tensors, not a {type(params).__name__}: pass model.parameters()")
    return list(params)


def _groups(params: Any, settings: dict[str, Any]) -> list[Group]:
    """Parameters and settings as checked groups."""
    given = _as_list(params)
    groups: list[Any] = given if given and isinstance(given[0], Mapping) else [{"params": given}]
    for group in groups:
        if not isinstance(group, Mapping) or isinstance(group.get("params"), mg.Tensor | Module | str | None):
            raise TypeError(f'a group is {group!r}, expected {{"params": [tensors], "lr": ...}}')
    for name in [name for group in groups for name in group if name not in settings and name != "params"]:
        raise TypeError(f"{name!r} is no setting of this optimiser{did_you_mean(name, settings)}")
    groups = [settings | dict(group) | {"params": list(group["params"])} for group in groups]
    for group in groups:
        for name in settings:
            group[name] = _checked(name, group[name])
        if group.get("nesterov") and not group["momentum"]:
            raise ValueError("nesterov=True without momentum changes nothing: give momentum=0.9, say")
    seen: set[int] = set()
    for i, p in enumerate(p for group in groups for p in group["params"]):
        if not isinstance(p, mg.Tensor):
            raise TypeError(f"parameter {i} is {type(p).__name__}, expected a tensor: pass model.parameters()")
        if p.op is not None or p.dtype.kind != "f":
            what = f"the result of `{p.op.name}`" if p.op is not None else f"of dtype {p.dtype}"
            raise ValueError(f"parameter {i} is {what}: what is optimised are leaves that require a gradient")
        if not p.data.flags.writeable:
            raise ValueError(
                f"parameter {i} ({p.name or p.shape}) is a read-only array: copy it, p.data = p.data.copy()"
            )
        if id(p) in seen:
            raise ValueError(f"parameter {i} ({p.name or p.shape}) is given twice, and would be moved twice a step")
        seen.add(id(p))
    if not seen:
        raise ValueError("there are no parameters to optimise: the list is empty")
    return groups


def _checked(name: str, value: Any, lr: str = "(0, inf)") -> Any:
    """A setting as a Python number in its range; a schedule's `lr` may have come down to 0."""
    if name in _FLAGS:
        return bool(value)
    return as_number(value, name, lr if name == "lr" else "[0, 1)" if name in _BELOW_ONE else "[0, inf)")


class SGD(Optimizer):
    """Stochastic gradient descent: ``v = momentum * v + g``, ``x -= lr * v``.

    Parameters
    ----------
    params
        Tensors, or groups ``{"params": tensors, "lr": ...}``.
    lr
        Step length, > 0.
    momentum
        How much of the last step's direction is kept.
    nesterov
        Look ahead: step along ``g + momentum * v`` (Sutskever et al., ICML 2013).
    weight_decay
        Added to the gradient, times the parameter.

    Raises
    ------
    TypeError, ValueError
        For parameters that can't be optimised, or a setting out of its range: see `Optimizer`.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> x = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = nn.SGD([x], lr=0.5)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.data
    array([0., 0.])
    """

    keeps = ("velocity",)

    def __init__(
        self, params: Any, lr: float, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)

    def _step_group(self, group: Group, states: Iterator[State]) -> None:
        if group["momentum"] or group["weight_decay"] or type(self).update is not SGD.update:
            return super()._step_group(group, states)
        multiply, subtract = np.multiply, np.subtract
        lr = np.array(group["lr"])
        for p, state in zip(group["params"], states):  # noqa: B905 - as above; `update` in place: 2 % of a small step
            g = p.grad
            if g is not None:
                x, work = p.data, state["work"]
                if lr.dtype is not x.dtype:  # an array, which NumPy multiplies by sooner than by a number
                    lr = lr.astype(x.dtype)
                multiply(g, lr, work)
                subtract(x, work, x)
                p.touch()
        return None

    def update(self, x: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        """Move one parameter."""
        lr, momentum, work = group["lr"], group["momentum"], state["work"]
        if group["weight_decay"]:
            np.multiply(x, group["weight_decay"], work)
            g = np.add(work, g, work)
        if momentum:
            v = _memory(state, "velocity", x)
            np.multiply(v, momentum, v)
            np.add(v, g, v)
            if group["nesterov"]:
                np.multiply(g, lr, work)
                np.subtract(x, work, x)
                lr *= momentum
            g = v
        np.multiply(g, lr, work)
        np.subtract(x, work, x)


class Adam(Optimizer):
    """Steps scaled by running moments of the gradient (Kingma & Ba, ICLR 2015, arXiv:1412.6980).

    Parameters
    ----------
    params
        Tensors, or groups ``{"params": tensors, "lr": ...}``.
    lr
        Step length, > 0.
    beta1, beta2
        Decay rates of the first and second moment, in [0, 1).
    eps
        Added to the root of the second moment.
    weight_decay
        Added to the gradient, times the parameter; `AdamW` decays the parameter instead.

    Raises
    ------
    TypeError, ValueError
        For parameters that can't be optimised, or a setting out of its range: see `Optimizer`.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> x = mg.tensor([1.0, -20.0], requires_grad=True)
    >>> optimizer = nn.Adam([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.data.round(6)
    array([  0.9, -19.9])
    """

    keeps = ("first", "second")
    works: tuple[str, ...] = ("work", "decayed")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)

    def update(self, x: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        """Move one parameter."""
        if group["weight_decay"]:
            decayed = np.multiply(x, group["weight_decay"], state["decayed"])
            g = np.add(decayed, g, decayed)
        self.move(x, g, state, group)

    @staticmethod
    def move(x: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        """Update the moments and step along their quotient."""
        state["step"] += 1
        t, work = state["step"], state["work"]
        m, v = _memory(state, "first", x), _memory(state, "second", x)
        beta1, beta2 = group["beta1"], group["beta2"]
        np.multiply(m, beta1, m)
        np.multiply(g, 1 - beta1, work)
        np.add(m, work, m)
        np.multiply(v, beta2, v)
        np.multiply(g, g, work)
        np.multiply(work, 1 - beta2, work)
        np.add(v, work, v)
        np.sqrt(v, work)
        np.divide(work, math.sqrt(1 - beta2**t), work)
        np.add(work, group["eps"], work)
        np.divide(m, work, work)
        np.multiply(work, group["lr"] / (1 - beta1**t), work)
        np.subtract(x, work, x)


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters themselves (Loshchilov & Hutter, ICLR 2019, arXiv:1711.05101).

    Parameters
    ----------
    params, lr, beta1, beta2, eps
        As for `Adam`.
    weight_decay
        Each step multiplies a parameter by ``1 - lr * weight_decay`` first.

    Raises
    ------
    TypeError, ValueError
        For parameters that can't be optimised, or a setting out of its range: see `Optimizer`.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> x = mg.tensor([1.0], requires_grad=True)
    >>> x.grad = [0.0]
    >>> nn.AdamW([x], lr=0.1, weight_decay=0.5).step()
    >>> x.data
    array([0.95])
    """

    works: tuple[str, ...] = ("work",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr, beta1, beta2, eps, weight_decay)

    def update(self, x: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        """Move one parameter."""
        np.multiply(x, 1 - group["lr"] * group["weight_decay"], x)
        self.move(x, g, state, group)


class RMSprop(Optimizer):
    """Gradients divided by a running root mean square of themselves (Hinton, Coursera lecture 6e, 2012).

    Parameters
    ----------
    params
        Tensors, or groups ``{"params": tensors, "lr": ...}``.
    lr
        Step length, > 0.
    alpha
        Decay rate of the mean square, in [0, 1).
    eps
        Added to the root.
    momentum
        How much of the last step's direction is kept.
    centered
        Divide by the running standard deviation instead (Graves, arXiv:1308.0850).
    weight_decay
        Added to the gradient, times the parameter.

    Raises
    ------
    TypeError, ValueError
        For parameters that can't be optimised, or a setting out of its range: see `Optimizer`.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> x = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> x.grad = [0.01, 100.0]
    >>> nn.RMSprop([x], lr=0.1, alpha=0.0).step()
    >>> x.data.round(6)
    array([0.9, 1.9])
    """

    keeps = ("second", "mean", "velocity")
    works: tuple[str, ...] = ("work", "decayed")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params, lr=lr, alpha=alpha, eps=eps, momentum=momentum, centered=centered, weight_decay=weight_decay
        )

    def update(self, x: np.ndarray, g: np.ndarray, state: State, group: Group) -> None:
        """Move one parameter."""
        alpha, v, work = group["alpha"], _memory(state, "second", x), state["work"]
        if group["weight_decay"]:
            decayed = np.multiply(x, group["weight_decay"], state["decayed"])
            g = np.add(decayed, g, decayed)
        np.multiply(v, alpha, v)
        np.multiply(g, g, work)
        np.multiply(work, 1 - alpha, work)
        np.add(v, work, v)
        if group["centered"]:
            mean = _memory(state, "mean", x)
            np.multiply(mean, alpha, mean)
            np.multiply(g, 1 - alpha, work)
            np.add(mean, work, mean)
            np.multiply(mean, mean, work)
            np.subtract(v, work, work)
            np.sqrt(work, work)
        else:
            np.sqrt(v, work)
        np.add(work, group["eps"], work)
        np.divide(g, work, work)
        if group["momentum"]:
            velocity = _memory(state, "velocity", x)
            np.multiply(velocity, group["momentum"], velocity)
            np.add(velocity, work, velocity)
            np.multiply(velocity, group["lr"], work)
        else:
            np.multiply(work, group["lr"], work)
        np.subtract(x, work, x)


def _gradients(params: Any) -> list[np.ndarray]:
    """The gradients of those parameters that have one."""
    return [p.grad for p in _as_list(params) if p.grad is not None]


def _norm(g: np.ndarray) -> float:
    """The Euclidean norm, also where squares overflow."""
    with np.errstate(over="ignore"):
        norm = float(np.linalg.norm(g))
    top = float(np.abs(g).max()) if math.isinf(norm) else math.inf
    return norm if math.isinf(top) else top * float(np.linalg.norm(g / top))


def clip_grad_value(params: Iterable[mg.Tensor], limit: float) -> None:
    """Cut every element of the gradients to ``[-limit, limit]``, in place.

    Parameters
    ----------
    params
        Tensors; one without a gradient is left alone.
    limit
        A number above 0.

    Raises
    ------
    ValueError
        If `limit` isn't above 0.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> x = mg.tensor([0.0, 0.0], requires_grad=True)
    >>> x.grad = [0.5, -7.0]
    >>> nn.clip_grad_value([x], 1.0)
    >>> x.grad
    array([ 0.5, -1. ])
    """
    limit = as_number(limit, "limit", "(0, inf]")
    for g in _gradients(params):
        np.clip(g, -limit, limit, out=g)


def clip_grad_norm(params: Iterable[mg.Tensor], limit: float) -> float:
    """Scale all gradients together, in place, so that their joint Euclidean norm is at most `limit`.

    Parameters
    ----------
    params
        Tensors; one without a gradient is left alone.
    limit
        A number above 0.

    Returns
    -------
    float
        The norm before.

    Raises
    ------
    ValueError
        If `limit` isn't above 0.

    Notes
    -----
    Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, arXiv:1211.5063.

    Examples
    --------
    >>> import microgradnd as mg
    >>> from microgradnd import nn
    >>> x = mg.tensor([3.0, 4.0], requires_grad=True)
    >>> x.grad = [30.0, 40.0]
    >>> nn.clip_grad_norm([x], 1.0)
    50.0
    >>> x.grad.round(4)
    array([0.6, 0.8])
    """
    limit = as_number(limit, "limit", "(0, inf]")
    gradients = _gradients(params)
    norm = math.hypot(*map(_norm, gradients))
    scale = limit / (norm + 1e-6)  # PyTorch's guard against 0 / 0
    if scale < 1:
        for g in gradients:
            np.multiply(g, scale, g)
    return norm
