"""TIFF files of floating-point values that Pillow does not open: colours, 16 and 64 bits.

NumPy's own type has 64 bits, so that scikit-image, tifffile and imageio write such files. Read are
plain ones: in strips, not packed, not turned.
"""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from cancernet.base.errors import ImageError
from cancernet.images.formats import MOST_PAGES, ODDITY, Oddity, scaled

_WIDTH, _LENGTH, _BITS, _PACKING, _MEANING, _OFFSETS = 256, 257, 258, 259, 262, 273
_ORIENTATION, _SAMPLES, _COUNTS, _PLANES, _TILE, _KIND = 274, 277, 279, 284, 322, 339
_FLOATING = 3
_MODES = {(1, 1): "F", (2, 3): "RGB"}  # (what values mean, samples)

Tags = Any  # ImageFileDirectory_v2


class FloatTiff(ImageFile.ImageFile):
    """The largest page of floating-point values, in mode F, or RGB of 8 bits."""

    format = "FLOAT_TIFF"
    format_description = "TIFF of floating-point values"

    @classmethod
    def accepts(cls, content: bytes) -> bool:
        """Tells whether a TIFF has a page that this reads."""
        return any(True for _ in _pages(content))

    def _open(self) -> None:
        self._content = self.fp.getvalue()  # type: ignore[union-attr]
        pages = list(_pages(self._content))
        place, tags = max(pages, key=lambda page: page[1][_WIDTH] * page[1][_LENGTH])
        if place:
            self.info[ODDITY] = Oddity.PAGE
        self._tags = tags
        self._size = int(tags[_WIDTH]), int(tags[_LENGTH])
        self._mode = _mode(tags)

    def load(self) -> Any:
        """Reads the values, once."""
        if self._im is None:
            tags = self._tags
            kind = np.dtype(f"f{tags[_BITS][0] // 8}").newbyteorder(
                ">" if tags.prefix == b"MM" else "<"
            )
            shape = (self.height, self.width, *([3] if self.mode == "RGB" else []))
            needed = kind.itemsize * int(np.prod(shape))
            content = bytearray()
            for begin, size in zip(tags[_OFFSETS], tags[_COUNTS], strict=True):
                # Strips that overlap could claim far more than the file has.
                content += self._content[begin : begin + min(size, needed - len(content))]
            if len(content) < needed:
                raise ImageError("the image is damaged (its values are cut off)")
            values = np.frombuffer(content, kind, int(np.prod(shape))).reshape(shape)
            if self.mode == "RGB":
                image = Image.fromarray(scaled(values))
            else:
                image = Image.fromarray(values.astype(np.float32))
            self.im = image.im
        return Image.Image.load(self)


def _pages(content: bytes) -> Iterator[tuple[int, Tags]]:
    """Yields the place and the tags of each page that can be read."""
    file = io.BytesIO(content)
    header = content[: 16 if 43 in content[2:4] else 8]  # of a BigTIFF it is longer
    following = ImageFileDirectory_v2(header).next
    seen = {0}  # of the last page the next is at 0
    for place in range(MOST_PAGES):
        if following in seen:
            return
        seen.add(following)
        tags = ImageFileDirectory_v2(header)
        file.seek(following)
        tags.load(file)
        following = tags.next
        plain = all(tags.get(tag, 1) == 1 for tag in (_PACKING, _PLANES, _ORIENTATION))
        if plain and _TILE not in tags and set(tags.get(_KIND, ())) == {_FLOATING} and _mode(tags):
            yield place, tags


def _mode(tags: Tags) -> str:
    bits = set(tags.get(_BITS, ()))
    usual = len(bits) == 1 and bits < {16, 32, 64}
    return _MODES.get((tags.get(_MEANING), tags.get(_SAMPLES, 1)), "") if usual else ""
