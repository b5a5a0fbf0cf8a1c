"""Pictures that are part of a page: figures, and image files made small enough to send."""

import base64
import dataclasses
import io
from pathlib import Path

from cancernet.base.errors import ImageError
from cancernet.base.images import read_rgb


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image file as it goes into a page.

    Attributes:
        kind: after `image/` in its media type: png, jpeg or svg+xml.
        content: its bytes.
    """

    kind: str
    content: bytes


def data_address(picture: Picture) -> str:
    """Returns a picture as an address that fetches nothing."""
    code = base64.b64encode(picture.content).decode("ascii")
    return f"data:image/{picture.kind};base64,{code}"


def small_picture(
    path: Path, *, longest: int, shortest: int = 0, kind: str = "png"
) -> Picture | None:
    """Returns an image file as a small picture; None if it cannot be read.

    Args:
        path: the file.
        longest: pixels of the longer side at most.
        shortest: pixels of the longer side at least; smaller images are enlarged in blocks.
        kind: png, or jpeg for what is large and made of colours.
    """
    from PIL import Image

    try:
        image = read_rgb(path)
    except ImageError:
        return None
    longer = max(image.size)
    wanted = min(max(longer, shortest), longest)
    if wanted != longer:
        width, height = (max(1, round(side * wanted / longer)) for side in image.size)
        method = Image.Resampling.LANCZOS if wanted < longer else Image.Resampling.NEAREST
        image = image.resize((width, height), method)
    stream = io.BytesIO()
    if kind == "jpeg":
        image.save(stream, "JPEG", quality=82)
    else:
        image.save(stream, "PNG", optimize=True)
    return Picture(kind, stream.getvalue())
