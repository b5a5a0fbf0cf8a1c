"""The small drawn data set that the benchmarks of faults and workers train on."""

from pathlib import Path


def built_sample(folder: Path) -> Path:
    """Draws eight patients under a folder, builds them there, and returns the built set."""
    from cancernet.building.build import build
    from cancernet.building.settings import BuildSettings
    from cancernet.sample.layouts import draw_sample

    original, built = folder / "original", folder / "idc"
    draw_sample("idc", original, patients=8)
    build(BuildSettings(dataset="idc", source=original, output=built, validation_split=0.25))
    return built
