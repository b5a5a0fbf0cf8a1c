"""Draws docs/images/kernels.png: a drawn mammogram before and behind every kernel.

.venv/bin/python tools/draw_kernels.py
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cancernet.base.files import written_beside
from cancernet.report.figures.images import draw_kernels
from cancernet.report.figures.style import DOTS_PER_INCH, add_footer
from cancernet.sample.radiology import draw_mammogram
from cancernet.training.report import kernel_views


def main() -> None:
    """Draws one dense mammogram with a mass and filters it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/images/kernels.png"))
    arguments = parser.parse_args()
    grey = draw_mammogram(np.random.default_rng(5), density=3, malignant=True)
    pixels = grey if grey.ndim == 3 else np.repeat(grey[..., None], 3, axis=-1)
    figure = add_footer(draw_kernels(kernel_views(pixels, "sharpening")), "Drawn, not a patient.")
    with written_beside(arguments.output) as temporary:
        figure.savefig(temporary, dpi=DOTS_PER_INCH // 2)


if __name__ == "__main__":
    main()
