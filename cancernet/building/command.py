"""What `build_dataset.py` does with its flags."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

from cancernet import catalog
from cancernet.building.build import build
from cancernet.building.download import download, where_to_get
from cancernet.building.report import describe, name_failed
from cancernet.building.settings import BuildSettings
from cancernet.config import DATASETS, ORIGINAL
from cancernet.errors import EXIT_OK, EXIT_SOME_FAILED, CancerNetError

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
    dataset = catalog.dataset(choices["dataset"])
    if sample and download_it:
        raise CancerNetError("--sample and --download exclude each other; choose one")
    if download_it and source is not None:
        raise CancerNetError("--download says itself where it puts the images; leave out --source")
    settings = BuildSettings(
        source=source or (SAMPLE / "original" if sample else ORIGINAL),
        output=output or ((SAMPLE if sample else DATASETS) / dataset.name),
        **choices,
    )
    if sample:
        _draw(dataset, settings.source)
    elif download_it:
        settings = dataclasses.replace(settings, source=download(dataset))
    elif source is None:
        _refuse_no_data(dataset, settings.source)
    announced: list[str] = []

    def announce(warnings: list[str]) -> None:
        for warning in warnings:
            if warning not in announced:
                announced.append(warning)
                print(f"warning: {warning}", file=sys.stderr)

    outcome = build(settings, announce=announce)
    # Once more: the files that had to be left out may have changed the numbers.
    announce(outcome.facts["warnings"])
    for line in name_failed(outcome.failed):
        print(line, file=sys.stderr)
    print(describe(outcome))
    return EXIT_SOME_FAILED if outcome.facts["failed"] else EXIT_OK


def _draw(dataset: catalog.Dataset, folder: Path) -> None:
    if dataset.name != "idc":
        raise CancerNetError(f"there is no drawn sample of {dataset.name}, only of idc")
    from cancernet.building.drawn_sample import draw_sample

    print(f"Drawing the sample into {folder}, unless it is there already ...", file=sys.stderr)
    draw_sample(folder)


def _refuse_no_data(dataset: catalog.Dataset, folder: Path) -> None:
    if folder.is_dir() and any(entry.name != "README.md" for entry in folder.iterdir()):
        return
    raise CancerNetError(
        f"there are no images in {folder}: download {where_to_get(dataset)} (Kaggle name "
        f"{dataset.kaggle or 'none'}) and unpack it there, or use --download; to try "
        "everything on a drawn sample: python build_dataset.py --sample"
    )
