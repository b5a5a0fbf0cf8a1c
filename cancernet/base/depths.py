"""From values of more than 8 bits to 8.

A file of 16 bits may hold values of 10, 12 or 14: the upper 8 bits of 16 would then be nearly
black. How many bits the values have is taken from the file where it says so (`sBIT` of a PNG,
the tags of a TIFF), else from the data set, else from the largest value of the image itself.
"""

import numpy as np
from PIL import Image, ImageChops

from cancernet.base.errors import ImageError

DEPTHS = (8, 10, 12, 14, 16)
# In `info` of an image whose depth neither its file nor a data set told: the depth taken.
GUESSED = "guessed depth"
INVERTED = "inverted"  # in `info` of an image whose largest values are black: True
_BITS, _LARGEST = 258, 281  # tags of a TIFF: bits of a sample, largest value that is used


def eight_bit(image: Image.Image, *, told: int, bits: int) -> Image.Image:
    """Returns grey values of more than 8 bits as RGB.

    Whole numbers keep the upper 8 bits of their depth. Floating-point values are taken as 0-1
    where none is larger, else as 0-255.

    Args:
        image: of mode I, I;16 or F.
        told: depth that its file states, or 0.
        bits: depth of the data set's values, for a file that states none, or 0.

    Raises:
        ImageError: values that are in no such range, or need more bits.
    """
    values = np.asarray(image)
    if image.mode == "F":
        return _grey(_scaled(values.astype(np.float64)))
    top = int(values.max())
    if values.min() < 0 or top > 65535:
        raise ImageError("its values are not in 0-65535; save it with 8 or 16 bits")
    depth = told or bits or depth_holding(top)
    if top >> depth:
        whose = "that its file states" if told else "that the data set has"
        raise ImageError(f"its values reach {top:,}, more than the {depth} bits {whose}")
    grey = _grey(values.astype(np.int64) >> (depth - 8))
    if image.info.get(INVERTED):
        grey = ImageChops.invert(grey)
    if not told and not bits:
        grey.info[GUESSED] = depth
    return grey


def depth_holding(top: int) -> int:
    """Returns the smallest usual depth that holds a value of 0 to 65535."""
    return next(depth for depth in DEPTHS if top < 1 << depth)


def told_depth(image: Image.Image, content: bytes) -> int:
    """Returns how many bits of a value the file says it uses, 8 to 16; 0 where it does not say."""
    told = 0
    if image.format in ("PPM", "JPEG2000"):
        return 16  # Pillow has scaled the values
    if image.format == "DICOM":
        return image.told  # type: ignore[attr-defined]
    if image.format == "PNG":
        head = content[: content.find(b"IDAT")]
        place = head.find(b"sBIT")
        told = head[place + 4] if 0 < place < len(head) - 4 else 0
    elif image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        largest = _first(tags.get(_LARGEST))
        told = largest.bit_length() if largest else _first(tags.get(_BITS))
        told = 0 if told == 16 and not largest else told  # the width of its container
    return told if 8 <= told <= 16 else 0


def _first(tag: object) -> int:
    value = tag[0] if isinstance(tag, tuple) and tag else tag
    return value if isinstance(value, int) else 0


def _scaled(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 255:
        raise ImageError(
            "its floating-point values are not in 0-1 or 0-255; save it with 8 or 16 bits"
        )
    return np.floor(values * 255 if values.max() <= 1 else values)


def _grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")
