"""Checkpoints: a training run kept in a folder, so that it survives being killed at any moment."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .archive import pack, unpack
from .arguments import as_size
from .files import AnyPath, as_path, read_arrays, write_arrays

if TYPE_CHECKING:
    from .training import Training

FORMAT = "microgradnd.run.1"
FILE = "checkpoint.safetensors"


class Checkpoint:
    """The state of one `Training` in a folder: one file, so that there is no moment at which half of it is new.

    Parameters
    ----------
    folder
        Made if it isn't there.
    training
        The run to save, or to bring back to where the folder's run was.
    """

    def __init__(self, folder: AnyPath, training: Training) -> None:
        self.path = as_path(folder) / FILE
        self.training = training
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(f"'{self.path.parent}' is a file: save_to is a folder, such as 'run/'") from None

    def resume_or_begin(self) -> None:
        """Continue the run that the folder holds; else save the start, from which it can be repeated.

        Raises
        ------
        ValueError
            If the folder holds a run of other data, model or settings, or one that is damaged; nothing is taken from
            it then.
        """
        if self.path.exists():
            self._resume()
        else:
            self.save()

    def save(self) -> None:
        """Save the run as it is now, atomically."""
        text, arrays = pack({"settings": self._settings(), "state": self._state()})
        write_arrays(self.path, arrays, {"format": FORMAT, "run": text})

    def _state(self) -> dict[str, Any]:
        from .training import generators

        t = self.training
        return {
            "epoch": t.epoch,
            "step": t.step,
            "model": t.model.state_dict(),
            "optimizer": t.optimizer.state_dict(),
            "schedule": None if t.schedule is None else t.schedule.state_dict(),
            "random": [t.rng, *(found for _, _, found in generators(t.model))],
            "history": t.history.state_dict(),
            "callbacks": [callback.state_dict() for callback in t.callbacks],
        }

    def _settings(self) -> dict[str, Any]:
        """What must be the same for a run to be continued."""
        t = self.training
        return {
            "model": {name: [array.dtype.str, *array.shape] for name, array in t.model.state_dict().items()},
            "optimizer": type(t.optimizer).__name__,
            "schedule": type(t.schedule).__name__,
            "callbacks": [type(callback).__name__ for callback in t.callbacks],
            "batch_size": t.batch_size,
            "accumulate": t.accumulate,
            "data": _fingerprint(t.X, t.y),
        }

    def _resume(self) -> None:
        arrays, metadata = read_arrays(self.path)
        if metadata.get("format") != FORMAT:
            raise ValueError(f"'{self.path}' is not a run that nn.fit has saved: give another folder")
        try:
            run = unpack(metadata["run"], arrays)
            settings, state = run["settings"], run["state"]
            other = [name for name, value in self._settings().items() if settings.get(name) != value]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._damaged(error) from None
        if other:
            raise ValueError(
                f"'{self.path}' holds another run, which differs in {', '.join(other)}: to continue it, give what it "
                "was begun with; to begin anew, give another folder or delete this one"
            )
        before = self._state()
        try:
            self._restore(state)
        except Exception as error:
            self._restore(before)
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> ValueError:
        return ValueError(
            f"'{self.path}' is damaged, and nothing was taken from it ({type(error).__name__}: {error}): delete it to "
            "begin anew"
        )

    def _restore(self, state: Mapping[str, Any]) -> None:
        """Bring the training to a state; an error may leave it between two."""
        from .training import generators

        t = self.training
        t.epoch, t.step = as_size(state["epoch"], "epoch", 0), as_size(state["step"], "step", 0)
        t.model.load_state_dict(state["model"])
        t.optimizer.load_state_dict(state["optimizer"])
        if t.schedule is not None:
            t.schedule.load_state_dict(state["schedule"])
        if not all(isinstance(found, np.random.Generator) for found in state["random"]):
            raise TypeError("what should be random generators is something else")
        t.rng, *kept = state["random"]
        for (module, name, _), found in zip(generators(t.model), kept, strict=True):
            setattr(module, name, found)
        t.history.load_state_dict(state["history"])
        for callback, saved in zip(t.callbacks, state["callbacks"], strict=True):
            callback.load_state_dict(saved)


def _fingerprint(*arrays: np.ndarray) -> list[Any]:
    """Shapes, dtypes and checksums: enough to notice that the data is not the same."""
    return [[a.dtype.str, *a.shape, zlib.crc32(np.ascontiguousarray(a).data)] for a in arrays]
