"""The files of a slide map: PNG, CSV, GeoJSON, and a line of figures."""

import contextlib
import csv
from collections.abc import Iterator
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.files import json_text, write_text, written_beside
from cancernet.slides.drawing import save_picture
from cancernet.slides.geojson import as_geojson
from cancernet.slides.mosaic import SlideMap

SUMMARY = "slides.jsonl"


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Makes a folder before the work that fills it; removes it again if it stays empty.

    Raises:
        CancerNetError: it is not empty, or cannot be made or written to.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CancerNetError(f"{folder} exists and is not empty; name another folder with --output")
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / SUMMARY, "")
        (folder / SUMMARY).unlink()
    except OSError as error:
        raise CancerNetError(
            f"{folder} cannot be made or written to ({error.strerror}); name another folder with "
            "--output"
        ) from None
    try:
        yield
    finally:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def write_slide(slide: SlideMap, folder: Path, *, word: str, footer: str) -> None:
    """Writes `slide-<name>.png`, `.csv`, `.geojson` and a line of `slides.jsonl`."""
    stem = f"slide-{slide.name}"
    save_picture(slide, folder / f"{stem}.png", word=word, footer=footer)
    _write_table(slide, folder / f"{stem}.csv")
    write_text(folder / f"{stem}.geojson", json_text(as_geojson(slide, word)) + "\n")
    with open(folder / SUMMARY, "a", encoding="utf-8") as file:
        file.write(json_text(slide.figures) + "\n")


def _write_table(slide: SlideMap, path: Path) -> None:
    with (
        written_beside(path) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["x", "y", "width", "height", "probability", "positive", "true_positive"])
        rows = zip(
            slide.boxes.tolist(),
            slide.probabilities.tolist(),
            slide.positive.tolist(),
            slide.truth.tolist(),
            strict=True,
        )
        for box, probability, positive, truth in rows:
            writer.writerow([*box, repr(probability), int(positive), "" if truth < 0 else truth])
