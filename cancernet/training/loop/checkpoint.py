"""The state of an unfinished training, written after every epoch.

One `.npz` holds every variable of the model (weights, batch statistics, seeds) and
of the optimizer, and the bookkeeping as JSON. It is written beside, read back and
renamed; the one before is kept, so that a damaged file costs one epoch and not the run.
The file of the best epoch's weights carries its number: a process killed between writing
them and its checkpoint leaves those that the last checkpoint names.
"""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cancernet.base.archives import check_zip
from cancernet.base.errors import RunError
from cancernet.base.files import parse_json, written_beside
from cancernet.base.records import from_json
from cancernet.planning.plan import State

LATEST = "latest.npz"
PREVIOUS = "previous.npz"
_BEST = re.compile(r"best-(\d+)\.npz")


def save_checkpoint(folder: Path, model: keras.Model, state: State) -> None:
    """Writes the whole state of a compiled model; keeps the checkpoint before it."""
    arrays = {f"v{i:05d}": keras.ops.convert_to_numpy(v) for i, v in enumerate(_variables(model))}
    encoded = json.dumps(dataclasses.asdict(state)).encode()
    arrays["state"] = np.frombuffer(encoded, dtype=np.uint8)
    latest = folder / LATEST
    with written_beside(latest) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)
        try:
            _read(temporary)  # compares the checksum of every array
        except Exception as error:  # NumPy, zipfile and zlib raise many kinds
            raise RunError(
                f"{latest} was not written correctly ({error}), so the one before is kept; check "
                "the disk, then --resume"
            ) from None
        if latest.exists():
            latest.replace(folder / PREVIOUS)
    # Those before the best weights stay as well: the checkpoint before may name them.
    numbers = {int(found[1]) for path in folder.iterdir() if (found := _BEST.fullmatch(path.name))}
    kept = sorted(number for number in numbers if number <= state.best_epoch)[-2:]
    for number in numbers.difference(kept):
        best_path(folder, number).unlink(missing_ok=True)


def has_checkpoint(folder: Path) -> bool:
    """Tells whether the checkpoint of a complete epoch exists."""
    # Between the two renames of `save_checkpoint` there is the one before alone.
    return any((folder / name).exists() for name in (LATEST, PREVIOUS))


def load_checkpoint(folder: Path, model: keras.Model) -> tuple[State, str]:
    """Restores the newest sound checkpoint into a compiled, built model.

    Returns:
        The bookkeeping, and a warning of a damaged checkpoint or "".

    Raises:
        RunError: there is none that can be read, or it is of another network.
    """
    path, arrays, state = _read_newest(folder)
    variables = _variables(model)
    if [tuple(v.shape) for v in variables] != [a.shape for a in arrays]:
        raise RunError(f"{path} is of another network or optimizer; use the recipe it began with")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    latest = folder / LATEST
    damaged = path != latest and latest.exists()
    warning = f"{latest} is damaged; resuming from the one before" if damaged else ""
    return state, warning


def load_state(folder: Path) -> State:
    """Reads the bookkeeping of the newest sound checkpoint.

    Raises:
        RunError: there is none that can be read.
    """
    return _read_newest(folder)[2]


def _read_newest(folder: Path) -> tuple[Path, list[np.ndarray], State]:
    for name in (LATEST, PREVIOUS):
        try:
            arrays, state = _read(folder / name)
            return folder / name, arrays, state
        except Exception:  # NumPy, zipfile and zlib raise many kinds
            continue  # missing or damaged: the one before is tried
    raise RunError(
        f"{folder} holds no checkpoint that can be read; start again with a new --run folder"
    )


def best_path(folder: Path, epoch: int) -> Path:
    """Returns where the weights of the best epoch lie, counted from 1."""
    return folder / f"best-{epoch:04d}.npz"


def load_best(folder: Path, state: State) -> list[np.ndarray]:
    """Reads the weights of the best epoch that a checkpoint names.

    Raises:
        RunError: missing or damaged.
    """
    return load_weights(best_path(folder, state.best_epoch))


def save_weights(path: Path, weights: list[np.ndarray]) -> None:
    """Writes a list of arrays atomically."""
    with written_beside(path) as temporary:
        np.savez(temporary, allow_pickle=False, **{f"w{i:05d}": w for i, w in enumerate(weights)})


def load_weights(path: Path) -> list[np.ndarray]:
    """Reads what `save_weights` wrote, in order; never unpickles.

    Raises:
        RunError: missing or damaged.
    """
    try:
        check_zip(path)
        with np.load(path, allow_pickle=False) as file:
            return [file[name] for name in sorted(file.files)]
    except Exception as error:  # NumPy, zipfile and zlib raise many kinds
        raise RunError(f"the best weights in {path} cannot be read ({error})") from None


def _variables(model: keras.Model) -> list[Any]:
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    return [*model.variables, *optimizer.variables]


def _read(path: Path) -> tuple[list[np.ndarray], State]:
    check_zip(path)
    with np.load(path, allow_pickle=False) as file:
        # Not sound, it would end the training much later.
        state = from_json(State, parse_json(file["state"].tobytes()))
        return [file[name] for name in sorted(file.files) if name != "state"], state
