"""What `build_dataset.py` does with its flags."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cancernet import catalog
from cancernet.base.errors import EXIT_OK, EXIT_SOME_FAILED, CancerNetError
from cancernet.building.build import build
from cancernet.building.download import download, where_to_get
from cancernet.building.settings import FOLDER, BuildSettings
from cancernet.building.summary import describe, name_failed
from cancernet.config import DATASETS, ORIGINAL

# Apart from every real data set, so that drawn and real images never come together.
SAMPLE = DATASETS / "sample"


def build_command(
    *, source: Path | None, output: Path | None, sample: bool, download_it: bool, **choices: Any
) -> int:
    """Builds what the flags ask for and prints what came of it.

    Args:
        source: as given; None for the default folder.
        output: as given; None for the default folder.
        sample: draw the sample and build from it.
        download_it: fetch the data set and build from it.
        choices: the other fields of `BuildSettings`.

    Returns:
        The exit code.

    Raises:
        CancerNetError: bad input or settings.
    """
    name = choices["dataset"]
    if sample and download_it:
        raise CancerNetError("--sample and --download exclude each other; choose one")
    if download_it and source is not None:
        raise CancerNetError("--download says itself where it puts the images; leave out --source")
    settings = BuildSettings(
        source=source or default_source(name, sample=sample),
        output=output or ((SAMPLE if sample else DATASETS) / name),
        **choices,
    )
    if name == FOLDER:
        _refuse_what_needs_an_entry(sample, download_it, source)
    elif sample:
        draw(name, settings.source)
    elif download_it:
        settings = dataclasses.replace(settings, source=download(catalog.dataset(name)))
    elif source is None:
        _refuse_no_data(catalog.dataset(name), settings.source)
    announced: list[str] = []

    def announce(warnings: list[str]) -> None:
        for warning in warnings:
            if warning not in announced:
                announced.append(warning)
                print(f"warning: {warning}", file=sys.stderr)

    outcome = build(settings, announce=announce)
    # Once more: the files that had to be left out may have changed the numbers.
    announce(list(outcome.facts.warnings))
    for line in name_failed(outcome.failed):
        print(line, file=sys.stderr)
    print(describe(outcome))
    return EXIT_SOME_FAILED if outcome.facts.failed else EXIT_OK


def default_source(name: str, *, sample: bool) -> Path:
    """Returns where the images of a data set lie unless the user says otherwise."""
    folder = SAMPLE / "original" if sample else ORIGINAL
    return folder if name == "idc" else folder.with_name(f"{folder.name}-{name}")


def draw(name: str, folder: Path) -> None:
    """Draws the sample of a data set.

    Raises:
        CancerNetError: there is none, or something else is in the folder.
    """
    from cancernet.sample import drawn_sample, drawn_scans

    drawers: dict[str, Callable[[Path], None]] = {
        "idc": drawn_sample.draw_sample,
        "busi": drawn_scans.draw_ultrasound_sample,
        "ultrasound": drawn_scans.draw_binary_ultrasound_sample,
        "mammography": drawn_scans.draw_mammography_sample,
        "mammography-csv": drawn_scans.draw_mammography_csv_sample,
    }
    if name not in drawers:
        raise CancerNetError(
            f"there is no drawn sample of {name}, only of {', '.join(sorted(drawers))}"
        )
    print(f"Drawing the sample into {folder}, unless it is there already ...", file=sys.stderr)
    drawers[name](folder)


def _refuse_what_needs_an_entry(sample: bool, download_it: bool, source: Path | None) -> None:
    if sample or download_it:
        raise CancerNetError(
            f"--dataset {FOLDER} has no sample and no download; name your images with --source, "
            f"or a data set of the catalogue: {', '.join(catalog.DATASETS)}"
        )
    if source is None:
        raise CancerNetError(f"--dataset {FOLDER} needs --source DIR, the folder of your images")


def _refuse_no_data(dataset: catalog.Dataset, folder: Path) -> None:
    if folder.is_dir() and any(entry.name != "README.md" for entry in folder.iterdir()):
        return
    kaggle = f" (Kaggle name {dataset.kaggle})" if dataset.kaggle else ""
    by_itself = ", or use --download" if dataset.kaggle else ""
    raise CancerNetError(
        f"there are no images in {folder}: download {where_to_get(dataset)}{kaggle} and unpack "
        f"it there{by_itself}; to try everything on a drawn sample: python build_dataset.py "
        f"--sample{'' if dataset.name == 'idc' else f' --dataset {dataset.name}'}"
    )
