"""save and load: a trained network as one safetensors file, weights by name and the architecture beside them."""

from __future__ import annotations

from typing import Any, overload

from .archive import UnregisteredError, pack, unpack
from .checkpoints import FORMAT as RUN_FORMAT
from .files import AnyPath, as_path, read_arrays, write_arrays
from .module import Module

FORMAT = "microgradnd.model.1"


def save(model: Module, path: AnyPath) -> None:
    """Save a network: its weights, and how it is built.

    The file is in the safetensors format, the weights under their names of `state_dict`, so other tools read it
    too. It is replaced atomically: after a crash the old file or the new one is there, whole. A checksum tells a later
    `load` of damage.

    Parameters
    ----------
    model
        The network. Of classes of your own, `nn.load` can rebuild those decorated with `nn.register`; else
        the file holds the weights alone.
    path
        Where, customarily ending in ``.safetensors``.

    Raises
    ------
    OSError
        If it can't be written; what was at `path` before is still there.

    Examples
    --------
    >>> import os, tempfile
    >>> from microgradnd import nn
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> nn.save(nn.MLP([4, 3, 2], activation="relu", seed=0), path)
    >>> nn.load(path)
    MLP([4, 3, 2], activation='relu',...
    """
    if not isinstance(model, Module):
        raise TypeError(f"the first argument is {type(model).__name__}, expected a model: nn.save(model, path)")
    weights = model.state_dict()
    metadata = {"format": FORMAT}
    try:
        metadata["architecture"], arrays = pack(model, weights)
    except UnregisteredError as error:
        metadata["unregistered"], arrays = str(error), {}
    write_arrays(path, arrays | weights, metadata)


@overload
def load(model: Module, path: AnyPath) -> Module: ...


@overload
def load(model: AnyPath) -> Module: ...


def load(model: Any, path: Any = None) -> Module:
    """Load what `save` stored: ``nn.load(path)`` rebuilds the network, ``nn.load(model, path)`` fills one.

    Nothing in the file is executed: it holds arrays, numbers and names from a list.

    Parameters
    ----------
    model
        A network of the same architecture to copy the weights into; or, alone, the path.
    path
        The file.

    Returns
    -------
    Module
        The network, in eval mode if it was rebuilt.

    Raises
    ------
    ValueError
        If the file is truncated, of another kind, or its weights don't fit; the model is then as it was.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from microgradnd import nn
    >>> model = nn.MLP([2, 3, 1], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nn.save(model, f"{folder}/model.safetensors")
    ...     again = nn.load(f"{folder}/model.safetensors")
    >>> bool(np.all(again(np.ones(2)).data == model(np.ones(2)).data))
    True
    """
    if path is None:
        return _rebuild(model)
    if not isinstance(model, Module):
        raise TypeError(f"the first argument is {type(model).__name__}, expected a model: nn.load(model, path)")
    arrays, metadata = read_arrays(path)
    _refuse_run(path, metadata)
    try:
        model.load_state_dict({name: array for name, array in arrays.items() if not name.startswith("~")})
    except ValueError as error:
        raise ValueError(f"'{as_path(path)}': {error}") from None
    return model


def _refuse_run(path: AnyPath, metadata: dict[str, str]) -> None:
    if metadata.get("format") == RUN_FORMAT:
        raise ValueError(
            f"'{as_path(path)}' is a training run, not a model: nn.fit with save_to='{as_path(path).parent}' continues it, "
            "and nn.save saves its model"
        )


def _rebuild(path: AnyPath) -> Module:
    arrays, metadata = read_arrays(path)
    name = as_path(path)
    _refuse_run(path, metadata)
    if metadata.get("format") != FORMAT or "architecture" not in metadata:
        reason = (
            f"{metadata['unregistered']!r} was not registered when it was saved: decorate it with @nn.register"
            if "unregistered" in metadata
            else "nn.save has not written it"
        )
        raise ValueError(
            f"'{name}' holds weights ({', '.join(sorted(arrays)[:5]) or 'none'}) without an architecture to rebuild, "
            f"{reason}; make the model yourself and call nn.load(model, path)"
        )
    try:
        model = unpack(metadata["architecture"], arrays)
        if isinstance(model, Module):
            return model.eval()  # which also tells of a model that contains itself
    except ValueError as error:
        raise ValueError(f"'{name}': {error}") from None
    raise ValueError(f"'{name}' describes {type(model).__name__}, not a model")
