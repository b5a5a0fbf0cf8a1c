"""How large a tile of a TIFF is, which its decoder makes room for whatever the image's size."""

import struct

from cancernet.base.errors import ImageError

TILE_WIDTH, TILE_LENGTH = 322, 323
# Width, length, bits, samples, rows of a strip, planes, and the tiles: what the room depends on.
_SHAPE = frozenset({256, 257, 258, 277, 278, 284, TILE_WIDTH, TILE_LENGTH})
MOST_TAGS = 65_535
_WHOLE = {1: "B", 3: "H", 4: "L", 16: "Q"}  # types of whole numbers, as `struct` calls them


def largest_tile(content: bytes) -> int:
    """Pixels of a tile of the first page; 0 for one that is stored in strips.

    Raises:
        ImageError: the directory of the page cannot be read, or names a size twice: of two
            Pillow takes the last, and libtiff, which makes the room, the first.
    """
    try:
        tags = _first_directory(content)
    except struct.error:
        raise ImageError("the image is damaged (its TIFF directory is cut off)") from None
    return tags.get(TILE_WIDTH, 0) * tags.get(TILE_LENGTH, 0)


def _first_directory(content: bytes) -> dict[int, int]:
    """The tags of the first page, each with its value where that is one whole number, else 0."""
    order = "<" if content[:2] == b"II" else ">"
    big = 43 in struct.unpack_from("BB", content, 2)
    offset = struct.unpack_from(order + ("Q" if big else "L"), content, 8 if big else 4)[0]
    (entries,) = struct.unpack_from(order + ("Q" if big else "H"), content, offset)
    if entries > MOST_TAGS:
        raise ImageError(f"the image is damaged (its TIFF directory has {entries:,} tags)")
    offset += 8 if big else 2
    head = order + ("HHQ" if big else "HHL")
    room = struct.calcsize(head)
    tags: dict[int, int] = {}
    for number in range(entries):
        place = offset + number * (20 if big else 12)
        tag, kind, count = struct.unpack_from(head, content, place)
        if tag in tags and tag in _SHAPE:
            raise ImageError(f"the image is damaged (its TIFF directory names tag {tag} twice)")
        single = count == 1 and kind in _WHOLE
        tags[tag] = (
            struct.unpack_from(order + _WHOLE[kind], content, place + room)[0] if single else 0
        )
    return tags
