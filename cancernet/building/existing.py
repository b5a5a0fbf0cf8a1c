"""Tells whether a build would make exactly what is there already."""

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet import __version__
from cancernet.base.errors import CancerNetError
from cancernet.base.files import sha256_of
from cancernet.building.described import table_path
from cancernet.building.find import Found
from cancernet.building.identify import Identified
from cancernet.building.settings import BuildSettings
from cancernet.building.transfer import NO_STAMP
from cancernet.catalog.patient_id import patient_key
from cancernet.dataset.build_record import BuildRecord, read_build
from cancernet.dataset.manifest import LEFT_OUT, MANIFEST, manifest_rows
from cancernet.dataset.split_lists import read_lists
from cancernet.lookalike import content_groups


def as_built(
    output: Path,
    settings: BuildSettings,
    found: Found,
    identified: Identified,
    images: Sequence[str],
) -> BuildRecord | None:
    """Returns the content of `build.json` where a build now would make exactly what is there.

    That is so when the settings, the source's files (by path, size and time of change)
    and the built files (the same) are all as they were.

    Args:
        output: where a built set may be.
        settings: every choice.
        found: the files under the source folder.
        identified: what their paths say.
        images: those of them that would be read.
    """
    try:
        facts = read_build(output)
        if facts.settings != settings_as_built(settings):
            return None
        # An earlier version took the spellings of one patient for several.
        if facts.same_patients != same_patients(identified):
            return None
        stamps = np.array(
            [_stamp(os.path.join(settings.source, path)) for path in images], np.int64
        )
        if facts.listing != listing(found.images, stamps) or not (output / LEFT_OUT).is_file():
            return None
        for path, origin, *_ in manifest_rows(output / MANIFEST):
            built, original = os.path.join(output, path), os.path.join(settings.source, origin)
            if not _same_file(built, original, settings.link):
                return None
    except (CancerNetError, OSError, ValueError):
        return None  # whatever is wrong with it, building again mends it
    return facts


def listing(found: Iterable[str], stamps: np.ndarray) -> str:
    """Returns a digest of a source folder: the same again means that it is as it was.

    Args:
        found: every image file, sorted.
        stamps: int64 (n, 2), bytes and time of change of those that are read; NO_STAMP
            for one that could not be read, so that mended permissions are a change.
    """
    digest = hashlib.sha256(stamps.tobytes())
    for path in found:
        digest.update(path.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return NO_STAMP
    return status.st_size, status.st_mtime_ns


def _same_file(built: str, origin: str, link: str) -> bool:
    one, other = os.stat(built), os.stat(origin)
    if link != "copy":
        return os.path.samestat(one, other)
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def settings_as_built(settings: BuildSettings) -> dict[str, Any]:
    """Returns what, besides the source's files, decides how the built set looks."""
    lists = read_lists(settings.split_lists) if settings.split == "lists" else {}
    ids = sorted((patient_key(patient), split) for patient, split in lists.items())
    content = dataclasses.asdict(settings)
    for name in ("source", "output", "split_lists", "allow_leaks"):
        del content[name]
    return {
        **{name: list(v) if isinstance(v, tuple) else v for name, v in content.items()},
        "version": __version__,
        "lists": hashlib.sha256(repr(ids).encode("utf-8", "surrogateescape")).hexdigest(),
        "looking": content_groups.VERSION,
        "table": _digest_of(table_path(settings)),
    }


def _digest_of(table: Path | None) -> str:
    try:
        return sha256_of(table) if table is not None else ""
    except OSError:
        return ""  # reading it for its labels gives the reason


def same_patients(identified: Identified) -> dict[str, tuple[str, ...]]:
    """Returns, for each patient with several spellings, the one that is kept -> the others."""
    return {one.kept: tuple(one.others) for one in identified.respelled}
