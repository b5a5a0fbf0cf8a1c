"""Lets a run by hand know what its training images look like."""

import dataclasses
from pathlib import Path

import numpy as np

from cancernet.appearance.appearance import MEASURES, Appearance, measure, packed
from cancernet.runs import run_folder


def give_appearance(folder: Path, colour: tuple[int, int, int] = (200, 0, 0)) -> Path:
    """Says that the run was trained on patches of 48x48 pixels of about one colour."""
    pixels = np.full((1, 48, 48, 3), colour, np.uint8)
    names = [each.name for each in MEASURES]
    appearance = Appearance(
        typical=dict(zip(names, measure(pixels, [(48, 48)])[0].tolist(), strict=True)),
        spread={each.name: each.least for each in MEASURES},
        turn=packed(np.eye(len(names))),
        references=packed(np.zeros((1, len(names)))),
        threshold=20.0,
        images=40,
    )
    record = run_folder.read_run_file(folder)
    run_folder.write_run_file(folder, dataclasses.replace(record, appearance=appearance))
    return folder
