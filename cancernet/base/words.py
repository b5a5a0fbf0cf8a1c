"""Numbers and names in sentences, and what is said wherever a person reads a prediction."""

from collections.abc import Collection, Iterable, Sequence

DRAWN_IMAGES = "Drawn data, not real tissue."
DRAWN = "The model was trained on drawn pictures: its answers mean nothing for tissue."
UNLIKE = "unlike the training images, so the model has no basis for its answer"
NAMED_LIKE_MASK = "named like a segmentation mask, for which the answer means nothing"
NOTICE = "Research software, not a medical device; not for diagnosis."

# The formats of images that `cancernet/images/formats.py` opens.
FORMATS_READ = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WebP", "JPEG 2000", "PGM", "PPM", "DICOM")
IMAGES_READ = f"{', '.join(FORMATS_READ[:-1])} or {FORMATS_READ[-1]}"


def counted(number: int, one: str, several: str = "") -> str:
    """A number with its noun: `1 image`, `2 images`; `several` where an s is not enough."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def score_text(value: float) -> str:
    """Returns a probability with three decimals, but never 0.000 or 1.000 for what is neither.

    `short` in `cancernet/serving/page/scale.js` does the same.
    """
    if 0 < value < 0.0005:
        return "below 0.001"
    return "above 0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


def images_of(images: int, patients: int, unit: str = "patient") -> str:
    """How much something rests on: `538 images of 6 patients`."""
    return f"{counted(images, 'image')} of {counted(patients, unit)}"


def unlike_of(unlike: int, images: int) -> str:
    """How many are unlike them: `2 of 538 images (0.4 %) are unlike the training images`."""
    verb = "is" if unlike == 1 else "are"
    share = f"{100 * unlike / images:.1f} %"
    return f"{unlike:,} of {counted(images, 'image')} ({share}) {verb} unlike the training images"


def some(names: Sequence[str], most: int = 5) -> str:
    """Names the first few, and says how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def aligned(rows: Sequence[Sequence[str]], *, numbers: bool = False) -> list[str]:
    """Returns a line for each row of a table, its columns padded to their widest cell.

    Where all columns but the first hold `numbers`, these end below each other.
    """
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    pad = str.rjust if numbers else str.ljust
    return [
        "  ".join([name.ljust(first), *map(pad, cells, others)]).rstrip() for name, *cells in rows
    ]


def with_word(name: str, word: str) -> str:
    """Returns a class as a reader knows it: `0 (no IDC)`, `benign`."""
    return name if name == word else f"{name} ({word})"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns ` (did you mean benign?)`: the known name nearest to a mistyped one, if any is."""
    import difflib

    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """Says that a name is unknown, which one is the nearest, and which are known."""
    every = ", ".join(sorted(known))
    return f"unknown {kind} {name!r}{did_you_mean(name, known)}; known are {every}"


def joined(names: Sequence[str]) -> str:
    """Lists names as a sentence does: `a`, `a and b`, `a, b and c`."""
    return " and ".join([*filter(None, [", ".join(names[:-1])]), *names[-1:]])
