"""Random changes of images: how far they may go, and how OpenCV applies them.

The geometry is that of Keras's `ImageDataGenerator` (rotation, shift, shear, zoom,
flips), composed into one matrix an image and applied in one pass; colours change by
one more matrix an image. Everything works on uint8 images, 0-255.
"""

import dataclasses

import cv2
import numpy as np

# Absorption of haematoxylin, eosin and DAB in red, green and blue (rows), optical
# density; Ruifrok & Johnston 2001, normalized to unit length as scikit-image does.
_STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
STAINS = _STAINS / np.linalg.norm(_STAINS, axis=1, keepdims=True)
UNMIXING = np.linalg.inv(STAINS)
# Natural logarithm of each 8-bit value's share of white, the optical density with its sign
# turned; 0 is taken as 1.
LOG_LIGHT = np.log(np.maximum(np.arange(256), 1) / 255).astype(np.float32)
# ITU-R BT.601, as Pillow's conversion to grey.
LUMINANCE = np.array([0.299, 0.587, 0.114])
GREY = np.tile(LUMINANCE, (3, 1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ranges:
    """How far images may be changed; 0, 1 or False leaves them as they are.

    Attributes:
        rotation: degrees, drawn from +-rotation.
        height_shift, width_shift: share of the side, drawn from +-shift.
        shear: degrees, drawn from +-shear.
        zoom: lowest and highest factor, drawn for each axis.
        horizontal_flip, vertical_flip: mirror half of the images.
        quarter_turns: turn by a random multiple of 90 degrees.
        color: share, for brightness, contrast and saturation.
        stain: share, for the strength of haematoxylin and of eosin.
    """

    rotation: float = 0.0
    height_shift: float = 0.0
    width_shift: float = 0.0
    shear: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    horizontal_flip: bool = False
    vertical_flip: bool = False
    quarter_turns: bool = False
    color: float = 0.0
    stain: float = 0.0

    @property
    def between_pixels(self) -> bool:
        """Whether a changed image has values from between the pixels of the original."""
        moves = self.rotation or self.height_shift or self.width_shift or self.shear
        return bool(moves) or self.zoom != (1.0, 1.0)


def change_images(images: np.ndarray, ranges: Ranges, random: np.random.Generator) -> np.ndarray:
    """Changes every image of a batch at random.

    Takes and returns uint8 RGB of shape (n, height, width, 3).
    """
    # Every number is drawn first and always, so that the colours of an image do not
    # depend on whether its geometry changes.
    matrices = draw_matrices(len(images), images.shape[1:3], ranges, random)
    stains = stain_matrices(random.uniform(1 - ranges.stain, 1 + ranges.stain, (len(images), 2)))
    colors = random.uniform(1 - ranges.color, 1 + ranges.color, (len(images), 3))
    move = warp if ranges.between_pixels else turn
    changed = np.empty_like(images)
    for place, image in enumerate(images):
        image = move(image, matrices[place])
        if ranges.stain:
            image = change_stains(image, stains[place])
        if ranges.color:
            image = change_colors(image, *colors[place])
        changed[place] = image
    return changed


def mix_pairs(
    images: np.ndarray, labels: np.ndarray, alpha: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mixes every image and label with its mirror place in the batch (mixup).

    Zhang et al. 2018, with one share a batch, drawn from Beta(alpha, alpha) and taken
    from its upper half, so that an image keeps the greater part of itself.

    Args:
        images: uint8, shape (n, height, width, 3).
        labels: float32, shape (n, classes).
        alpha: above 0; small values leave most batches nearly as they are.
        random: source of the share.
    """
    share = random.beta(alpha, alpha)
    share = max(share, 1 - share)
    mixed = np.empty_like(images)
    for image, other, target in zip(images, images[::-1], mixed, strict=True):
        cv2.addWeighted(image, share, other, 1 - share, 0, dst=target)
    labels = share * labels + (1 - share) * labels[::-1]
    return mixed, labels.astype(np.float32)


def draw_matrices(
    count: int, size: tuple[int, int], ranges: Ranges, random: np.random.Generator
) -> np.ndarray:
    """Draws one transform an image, as `ImageDataGenerator.get_random_transform` does.

    Args:
        size: (height, width) in pixels; square if there are quarter turns.
        ranges: how far.

    Returns:
        Shape (count, 2, 3): from the result's (column, row, 1) to the image's (column, row).
    """
    height, width = size
    draw = random.uniform(-1, 1, (count, 4))
    zoom = random.uniform(*ranges.zoom, (count, 2))
    flips = random.random((count, 2)) < 0.5
    turns = random.integers(0, 4, count)
    matrices = affine_matrices(
        theta=draw[:, 0] * ranges.rotation,
        tx=draw[:, 1] * ranges.height_shift * height,
        ty=draw[:, 2] * ranges.width_shift * width,
        shear=draw[:, 3] * ranges.shear,
        zx=zoom[:, 0],
        zy=zoom[:, 1],
        size=size,
    )
    horizontal = flips[:, 0] & ranges.horizontal_flip
    vertical = flips[:, 1] & ranges.vertical_flip
    matrices = matrices @ flip_matrices(horizontal, vertical, size)
    if ranges.quarter_turns:
        matrices = matrices @ quarter_turn_matrices(turns, height)
    return matrices[:, :2]


def affine_matrices(
    *,
    theta: np.ndarray,
    tx: np.ndarray,
    ty: np.ndarray,
    shear: np.ndarray,
    zx: np.ndarray,
    zy: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """Composes rotation, shift, shear and zoom about the centre, Keras's way and order.

    Keras takes the centre's column from the height and its row from the width; this is
    reproduced for images that are not square.

    Args:
        theta, shear: degrees, shape (n,).
        tx, ty: pixels along columns and rows, shape (n,).
        zx, zy: factors along columns and rows, shape (n,); above 1 shows more.
        size: (height, width) in pixels.

    Returns:
        Shape (n, 3, 3); see `draw_matrices`.
    """
    theta, shear = np.deg2rad(theta), np.deg2rad(shear)
    linear = np.empty((len(theta), 2, 2))
    cos, sin = np.cos(theta), np.sin(theta)
    # rotation @ shear @ zoom
    linear[:, 0, 0] = cos * zx
    linear[:, 1, 0] = sin * zx
    linear[:, 0, 1] = (-cos * np.sin(shear) - sin * np.cos(shear)) * zy
    linear[:, 1, 1] = (-sin * np.sin(shear) + cos * np.cos(shear)) * zy
    shift = np.stack([cos * tx - sin * ty, sin * tx + cos * ty], axis=1)
    centre = np.array([size[0] / 2 - 0.5, size[1] / 2 - 0.5])
    matrices = np.zeros((len(theta), 3, 3))
    matrices[:, :2, :2] = linear
    matrices[:, :2, 2] = shift + centre - linear @ centre
    matrices[:, 2, 2] = 1
    return matrices


def flip_matrices(
    horizontal: np.ndarray, vertical: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Mirrors columns and rows where asked to; shape (n, 3, 3)."""
    matrices = np.tile(np.eye(3), (len(horizontal), 1, 1))
    for axis, (flipped, length) in enumerate(((horizontal, size[1]), (vertical, size[0]))):
        matrices[flipped, axis, axis] = -1
        matrices[flipped, axis, 2] = length - 1
    return matrices


def quarter_turn_matrices(turns: np.ndarray, side: int) -> np.ndarray:
    """Turns square images like `np.rot90(image, turns)`; shape (n, 3, 3)."""
    turn = np.array([[0.0, -1.0, side - 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    powers = np.stack([np.linalg.matrix_power(turn, k) for k in range(4)])
    return powers[turns % 4]


def warp(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Samples the image where the matrix points, bilinearly; outside is the nearest edge."""
    height, width = image.shape[:2]
    return cv2.warpAffine(
        image,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def turn(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Does what `warp` does for flips and quarter turns, in a tenth of its time."""
    columns, rows = matrix[:, :2]
    if columns[0] == 0:
        image, columns, rows = cv2.transpose(image), rows, columns
    if rows[1] < 0:
        image = cv2.flip(image, 0)
    return cv2.flip(image, 1) if columns[0] < 0 else image


def stain_matrices(strengths: np.ndarray) -> np.ndarray:
    """Returns what `change_stains` takes, shape (n, 3, 3).

    `strengths` are factors on the amounts of haematoxylin and of eosin, shape (n, 2); DAB stays.
    Colours are unmixed in optical density (Beer-Lambert; Ruifrok & Johnston 2001).
    """
    factors = np.column_stack([strengths, np.ones(len(strengths))])
    return STAINS.T * factors[:, None] @ UNMIXING.T


def change_stains(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Applies one of `stain_matrices` to the optical density of a uint8 RGB image."""
    light = cv2.exp(cv2.transform(cv2.LUT(image, LOG_LIGHT), matrix))
    return np.minimum(light * 255 + 0.5, 255).astype(np.uint8)


def change_colors(
    image: np.ndarray, brightness: float, contrast: float, saturation: float
) -> np.ndarray:
    """Multiplies brightness, contrast about the mean grey, and distance from grey (uint8 RGB)."""
    mixing = np.empty((3, 4))
    mixing[:, :3] = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * GREY)
    mixing[:, 3] = brightness * (1 - contrast) * (LUMINANCE @ cv2.mean(image)[:3])
    return cv2.transform(image, mixing)
