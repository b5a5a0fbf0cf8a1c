"""Variants of a drawn image, as published sets that were augmented before have them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from cancernet.sample.drawn_textures import smooth


def vary(
    pixels: NDArray[np.uint8],
    *,
    turn: float = 0.0,
    mirrored: bool = False,
    sharpened: bool = False,
    equalised: bool = False,
) -> NDArray[np.uint8]:
    """Makes a variant of a grey image, of the same size.

    Args:
        pixels: uint8 grey.
        turn: degrees, anticlockwise; what comes in from outside is black.
        mirrored: left and right exchanged.
        sharpened: by unsharp masking.
        equalised: local contrast raised (CLAHE), which also lifts the black.
    """
    height, width = pixels.shape
    if mirrored:
        pixels = pixels[:, ::-1]
    if sharpened:
        picture = pixels.astype(np.float32)
        picture += np.float32(0.8) * (picture - smooth(picture, 1.5))
        pixels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    if equalised:
        pixels = cv2.createCLAHE(clipLimit=4.0).apply(np.ascontiguousarray(pixels)).astype(np.uint8)
    if turn % 360:
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1.0)
        pixels = cv2.warpAffine(np.ascontiguousarray(pixels), matrix, (width, height)).astype(
            np.uint8
        )
    return np.ascontiguousarray(pixels)
