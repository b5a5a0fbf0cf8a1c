"""Exact duplicates: the same bytes under two names."""

import numpy as np

from cancernet.catalog import Dataset
from cancernet.dataset.images import Images, LeftOutFile, first_alike

DUPLICATE = "exact duplicate of another image"
NAMED = 4
CONTRADICTED = "exact duplicate of an image of another class"


def find_duplicates(
    images: Images, sha256: np.ndarray, readable: np.ndarray, dataset: Dataset
) -> dict[int, LeftOutFile]:
    """Finds images that must go so that no bytes occur twice in the set.

    Of duplicates with one label the first by path stays: a second would only count the
    image double, and in another patient it would carry training into testing. Of
    duplicates with different labels all go, because nobody knows which is right.

    Args:
        images: all that were read.
        sha256: uint8 (n, 32) of their bytes.
        readable: bool (n,); the others are no duplicates of anything.
        dataset: the catalogue's entry.

    Returns:
        Place of an image -> why it is left out.
    """
    places = np.flatnonzero(readable)
    if not len(places):
        return {}
    first = places[first_alike(sha256[places])]
    repeated = first != places
    # For every group: the first image with another label than the group's first.
    differs = images.label[places] != images.label[first]
    opponent: dict[int, int] = {}
    for place, begin in zip(places[differs].tolist(), first[differs].tolist(), strict=True):
        opponent.setdefault(begin, place)
    contradicted = np.isin(first, list(opponent))
    left_out = {}
    for place, begin in zip(
        places[repeated | contradicted].tolist(), first[repeated | contradicted].tolist(),
        strict=True,
    ):  # fmt: skip
        if begin in opponent:
            same_label = images.label[place] == images.label[begin]
            other = opponent[begin] if same_label else begin
            detail = f"{images.sources[other]} is of class {dataset.classes[images.label[other]]}"
            left_out[place] = LeftOutFile(
                images.sources[place], CONTRADICTED, detail, not dataset.two_labels_known
            )
        else:
            left_out[place] = LeftOutFile(images.sources[place], DUPLICATE, images.sources[begin])
    return left_out


def warn_of_contradictions(left_out: dict[int, LeftOutFile], dataset: Dataset) -> list[str]:
    """Says which images a set known for it holds under two labels."""
    found = [file for file in left_out.values() if file.reason == CONTRADICTED]
    if not found or not dataset.two_labels_known:
        return []
    pairs = "; ".join(f"{file.source}: {file.detail}" for file in found[:NAMED])
    return [
        f"{len(found):,} images are left out because the same image stands under two labels, "
        f"and nobody knows which is right ({pairs})."
    ]
