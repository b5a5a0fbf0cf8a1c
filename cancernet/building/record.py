"""What a build writes beside the images: manifest, left-out list, `build.json`.

`as_built` tells from them whether a build would make exactly what is there already.
"""

import csv
import dataclasses
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet import __version__
from cancernet.base.errors import CancerNetError
from cancernet.base.files import sha256_of, write_json
from cancernet.base.patch_name import patient_key
from cancernet.building.check import Checked
from cancernet.building.describe import table_path
from cancernet.building.identify import Identified
from cancernet.building.plan import Plan
from cancernet.building.settings import BuildSettings
from cancernet.building.source_files import Found
from cancernet.building.transfer import NO_STAMP
from cancernet.catalog import LeftOutFile, Reason
from cancernet.config import SPLITS
from cancernet.dataset.build_record import BUILD, BuildRecord, ImageSize, read_build
from cancernet.dataset.manifest import COLUMNS, LEFT_OUT, MANIFEST, NO_POSITION, manifest_rows
from cancernet.dataset.notices import SplitCounts, say_split
from cancernet.dataset.split_lists import read_lists
from cancernet.images.formats import Oddity
from cancernet.lookalike import grouping

BLOCK = 4096  # rows
LEFT_OUT_COLUMNS = ("source", "reason", "detail")


def as_built(
    output: Path,
    settings: BuildSettings,
    found: Found,
    identified: Identified,
    images: Sequence[str],
) -> BuildRecord | None:
    """Returns the content of `build.json` where a build now would make exactly what is there.

    That is so when the settings, the source's files (by path, size and time of change)
    and the built files (the same) are all as they were; `images` are those to be read.
    """
    try:
        facts = read_build(output)
        if facts.settings != settings_as_built(settings):
            return None
        # An earlier version took the spellings of one patient for several.
        if facts.same_patients != same_patients(identified):
            return None
        stamps = np.array([_stamp(settings.source, path) for path in images], np.int64)
        if facts.listing != listing(found.images, stamps) or not (output / LEFT_OUT).is_file():
            return None
        for path, origin, *_ in manifest_rows(output / MANIFEST):
            built, original = os.path.join(output, path), os.path.join(settings.source, origin)
            if not _same_file(built, original, settings.link):
                return None
    except (CancerNetError, OSError, ValueError):
        return None  # whatever is wrong with it, building again repairs it
    return facts


def listing(found: Iterable[str], stamps: np.ndarray) -> str:
    """Returns a digest of a source folder: the same again means that it is as it was.

    Args:
        found: every image file, sorted.
        stamps: int64 (n, 2), bytes and time of change of those that are read; NO_STAMP
            for one that could not be read, so that corrected permissions are a change.
    """
    digest = hashlib.sha256(stamps.tobytes())
    for path in found:
        digest.update(path.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


def _stamp(source: Path, path: str) -> tuple[int, int]:
    try:
        status = os.stat(os.path.join(source, path))
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
    for name in ("source", "output", "split_lists", "allow_leaks", "allow_one_sided"):
        del content[name]
    return {
        **{name: list(v) if isinstance(v, tuple) else v for name, v in content.items()},
        "version": __version__,
        "lists": hashlib.sha256(repr(ids).encode("utf-8", "surrogateescape")).hexdigest(),
        "looking": grouping.VERSION,
        "table": _digest_of(table_path(settings)),
        "patient_table": _digest_of(settings.patient_table),
    }


def _digest_of(table: Path | None) -> str:
    try:
        return sha256_of(table) if table is not None else ""
    except OSError:
        return ""  # reading it for its labels gives the reason


def same_patients(identified: Identified) -> dict[str, tuple[str, ...]]:
    """Returns, for each patient with several spellings, the one that is kept -> the others."""
    return {one.kept: tuple(one.others) for one in identified.respelled}


def write_record(
    folder: Path,
    checked: Checked,
    found: Found,
    identified: Identified,
    settings: BuildSettings,
) -> tuple[BuildRecord, list[LeftOutFile]]:
    """Writes it all; returns the content of `build.json`, and the files with a defect."""
    plan, done = checked.plan, checked.done
    dataset = plan.dataset
    counts = {name: _count_split(plan, place) for place, name in enumerate(SPLITS)}
    notices = [*identified.notices, *plan.notices]
    left_out = sorted([*found.left_out, *checked.left_out], key=lambda file: file.source)
    write_manifest(folder, plan, done.sha256)
    write_left_out(folder, left_out)
    failed = [file for file in left_out if file.failed]
    defects = {file.reason for file in failed}
    facts = BuildRecord(
        dataset=dataset.name,
        title=dataset.title,
        classes=dataset.classes,
        words=dataset.words,
        positive=dataset.positive,
        drawn=found.drawn,
        source=str(settings.source),
        listing=listing(found.images, checked.stamps),
        settings=settings_as_built(settings),
        split_kind=say_split(
            settings.split,
            dataset.unit,
            lists=[path.name for path in settings.split_lists],
            ratios=settings.ratios,
            seed=settings.seed,
            leaks=bool(plan.leaks),
        ),
        unit=dataset.unit,
        absent={
            split: tuple(name for name, images in count.classes.items() if not images)
            for split, count in counts.items()
        },
        leaks=tuple(plan.leaks),
        notices=tuple(notices),
        same_patients=same_patients(identified),
        counts=counts,
        left_out=_count_reasons(left_out),
        failed=len(failed),
        failed_reasons=tuple(reason.value for reason in Reason if reason in defects),
        listed_without_images=tuple(plan.without_images),
        unlisted=plan.unlisted,
        bits=int(done.bits.max(initial=0)),
        oddities=_count_oddities(done.oddity),
        image_size=_most_common_size(done.width, done.height),
        fingerprint=sha256_of(folder / MANIFEST),
    )
    write_json(folder / BUILD, facts)
    return facts, failed


def write_manifest(folder: Path, plan: Plan, sha256: np.ndarray) -> None:
    """Writes `manifest.csv`, sorted by path; `sha256` is uint8 (n, 32)."""
    folders = {
        f"{split}/{label}/": (split_place, label_place)
        for split_place, split in enumerate(SPLITS)
        for label_place, label in enumerate(plan.dataset.classes)
    }

    def rows() -> Iterator[tuple[Any, ...]]:
        for _, (split, label) in sorted(folders.items()):
            inside = (plan.splits == split) & (plan.images.label == label)
            places = sorted(np.flatnonzero(inside).tolist(), key=plan.path_of)
            yield from _rows(places, plan, sha256)

    _write_csv(folder / MANIFEST, COLUMNS, rows(), plan.images.sources)


def _rows(order: list[int], plan: Plan, sha256: np.ndarray) -> Iterator[tuple[Any, ...]]:
    # An array gives its values much faster as a list, but a list of them all would take
    # more memory than everything else.
    images = plan.images
    for begin in range(0, len(order), BLOCK):
        block = order[begin : begin + BLOCK]
        yield from zip(
            map(plan.path_of, block),
            [images.sources[i] for i in block],
            [images.patients[i] for i in images.patient[block].tolist()],
            [plan.dataset.classes[i] for i in images.label[block].tolist()],
            [SPLITS[i] for i in plan.splits[block].tolist()],
            [row.tobytes().hex() for row in sha256[block]],
            ["" if x == NO_POSITION else x for x in images.x[block].tolist()],
            ["" if y == NO_POSITION else y for y in images.y[block].tolist()],
            strict=True,
        )


def write_left_out(folder: Path, left_out: Sequence[LeftOutFile]) -> None:
    """Writes `left_out.csv`: every file that is not in the set, and why."""
    names = (name for file in left_out for name in (file.source, file.detail))
    _write_csv(folder / LEFT_OUT, LEFT_OUT_COLUMNS, map(as_row, left_out), names)


def as_row(file: LeftOutFile) -> tuple[str, str, str]:
    """Returns a file as its row in `left_out.csv` says it."""
    return _as_text(file.source), file.reason.value, _as_text(file.detail)


def read_failed(folder: Path, reasons: Sequence[str]) -> list[tuple[str, str, str]]:
    """Returns the rows of `left_out.csv` that have one of these reasons."""
    with open(folder / LEFT_OUT, encoding="utf-8", newline="") as file:
        return [
            (row["source"], row["reason"], row["detail"])
            for row in csv.DictReader(file)
            if row["reason"] in reasons
        ]


def _count_split(plan: Plan, place: int) -> SplitCounts:
    images, inside = plan.images, plan.splits == place
    labels, patients = images.label[inside].tolist(), images.patient[inside].tolist()
    return SplitCounts.of(labels, patients, plan.dataset.classes, plan.dataset.positive)


def _count_reasons(left_out: Iterable[LeftOutFile]) -> dict[str, int]:
    """Returns reason -> number of files, the most frequent first, else in the order of `Reason`."""
    counter = Counter(file.reason for file in left_out)
    found = [(reason.value, counter[reason]) for reason in Reason if reason in counter]
    return dict(sorted(found, key=lambda each: -each[1]))


def _count_oddities(found: np.ndarray) -> dict[str, int]:
    """Returns the name of an oddity -> images that have it."""
    counts = {each.label: int(np.count_nonzero(found & each)) for each in Oddity}
    return {name: count for name, count in counts.items() if count}


def _most_common_size(width: np.ndarray, height: np.ndarray) -> ImageSize:
    """Returns the size in pixels that most images have, and how many those are."""
    sizes, images = np.unique(np.stack([width, height]), axis=1, return_counts=True)
    place = int(np.argmax(images))
    return ImageSize(
        width=int(sizes[0, place]), height=int(sizes[1, place]), images=int(images[place])
    )


def _write_csv(
    path: Path, columns: tuple[str, ...], rows: Iterable[Iterable[Any]], names: Iterable[str]
) -> None:
    # Before Python 3.13 the writer does not quote a carriage return, and no reader
    # would find the end of the row.
    odd = any("\r" in name for name in names)
    # Straight into the staging folder, which is renamed as a whole.
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(
            file, lineterminator="\n", quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL
        )
        writer.writerow(columns)
        writer.writerows(rows)


def _as_text(name: str) -> str:
    """Returns a name that is not valid text with its odd bytes written as `\\udcXX`."""
    return name.encode("utf-8", "backslashreplace").decode() if not name.isascii() else name
