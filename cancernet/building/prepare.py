"""What a build begins with: settings whose images are there, drawn or fetched if asked for."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cancernet import catalog
from cancernet.base.console import typed
from cancernet.base.errors import CancerNetError
from cancernet.building.settings import FOLDER, BuildSettings
from cancernet.config import DATASETS, ORIGINAL

# Apart from every real data set, so that drawn and real images never come together.
SAMPLE = DATASETS / "sample"


def prepare(
    given: Mapping[str, Any], *, sample: bool = False, download: bool = False
) -> BuildSettings:
    """Completes the settings of a build with the usual folders, and sees that images are there.

    Args:
        given: settings by the names of the fields of `BuildSettings`.
        sample: draw a sample and build from it.
        download: fetch the published images first.

    Raises:
        CancerNetError: there are no images, or settings do not go together.
    """
    name = given.get("dataset") or catalog.DEFAULT
    usual = {
        "dataset": name,
        "source": _default_source(name, sample=sample),
        "output": (SAMPLE if sample else DATASETS) / name,
    }
    settings = BuildSettings(**{**usual, **given})
    return _with_images(settings, sample=sample, download=download, named="source" in given)


def _with_images(
    settings: BuildSettings, *, sample: bool, download: bool, named: bool
) -> BuildSettings:
    """Draws or fetches the images where that was asked; returns where they are."""
    if sample and download:
        raise CancerNetError("--sample and --download exclude each other; choose one")
    if download and named:
        raise CancerNetError("--download decides where the images go; leave out --source")
    if settings.dataset == FOLDER:
        if sample or download:
            raise CancerNetError(
                f"--dataset {FOLDER} has no sample and no download; name your images with "
                f"--source, or a data set of the catalogue: {', '.join(catalog.DATASETS)}"
            )
        if not named:
            raise CancerNetError(
                f"--dataset {FOLDER} needs --source DIR, the folder of your images"
            )
    elif sample:
        from cancernet.sample.layouts import draw_sample

        draw_sample(settings.dataset, settings.source)
    elif download:
        from cancernet.building.source_files import download as fetch

        return dataclasses.replace(settings, source=fetch(catalog.dataset(settings.dataset)))
    elif not named:
        _refuse_no_data(catalog.dataset(settings.dataset), settings.source)
    return settings


def _default_source(name: str, *, sample: bool) -> Path:
    """Returns where the images of a data set are unless the user says otherwise."""
    folder = SAMPLE / "original" if sample else ORIGINAL
    return folder if name == catalog.DEFAULT else folder.with_name(f"{folder.name}-{name}")


def _refuse_no_data(dataset: catalog.Dataset, folder: Path) -> None:
    if folder.is_dir() and any(entry.name != "README.md" for entry in folder.iterdir()):
        return
    from cancernet.sample.layouts import SAMPLES

    advice = f"put the files of {dataset.name} there, unpacked (origin: {dataset.origin})"
    if dataset.kaggle:
        advice = (
            f"download {dataset.address} (Kaggle name {dataset.kaggle}) and unpack it there, or "
            "use --download"
        )
    if dataset.name in SAMPLES:
        flags = "" if dataset.name == catalog.DEFAULT else f" --dataset {dataset.name}"
        advice += f"; `{typed('build')} --sample{flags}` tries everything on a drawn sample"
    raise CancerNetError(f"there are no images in {folder}: {advice}")
