"""A short description of a picture that mild changes leave nearly as it was.

The first cosine coefficients (8 by 8, the mean left out) of the grey image, each times
its frequency so that no single edge outweighs everything, brought to length 1. Then

- resizing and recompression hardly matter: the coefficients are integrals over the
  picture, in units of its sides, of low frequencies only;
- brightness and contrast do not matter: the mean is left out, the length is 1;
- a flip changes the signs of the odd coefficients and a quarter turn swaps the two
  frequencies besides, so all eight symmetries are had without touching pixels again;
- a mild crop is met by describing, besides the whole, 13 boxes inside the picture.

The product of two descriptions is a correlation, from -1 to 1.
"""

import functools

import numpy as np

FREQUENCIES = 8
LENGTH = FREQUENCIES * FREQUENCIES - 1
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601 luma

# Stretches of a side, in its units: the whole, two of 93 %, three of 86 %. A crop to
# 80-100 % of the side is never far from one of them.
STRETCHES = ((0.0, 1.0), (0.0, 0.93), (0.07, 1.0), (0.0, 0.86), (0.07, 0.93), (0.14, 1.0))
# (vertical, horizontal) places in STRETCHES; the first box is the whole picture.
BOXES = (
    (0, 0),
    *((y, x) for y in (1, 2) for x in (1, 2)),
    *((y, x) for y in (3, 4, 5) for x in (3, 4, 5)),
)
# (transposed first, then flipped top-bottom, then flipped left-right)
SYMMETRIES = tuple((t, y, x) for t in (False, True) for y in (False, True) for x in (False, True))


def describe(grey: np.ndarray) -> tuple[np.ndarray, float]:
    """Describes one picture and the boxes inside it.

    Args:
        grey: (height, width) of any size, 0-255.

    Returns:
        float32 (boxes, LENGTH), each of length 1, in the order of BOXES; and the contrast
        of the whole picture within these frequencies, a root mean square in grey levels.
    """
    height, width = grey.shape
    table = _basis(height) @ grey.astype(np.float32) @ _basis(width).T
    table = table.reshape(len(STRETCHES), FREQUENCIES, len(STRETCHES), FREQUENCIES)
    rows = np.stack([table[y, :, x, :].reshape(-1)[1:] for y, x in BOXES])
    contrast = float(np.linalg.norm(rows[0]))
    rows *= _weights()
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), contrast


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """Returns the luma of RGB pixels (height, width, 3), float32 0-255."""
    return pixels.astype(np.float32) @ GREY


def in_all_symmetries(descriptions: np.ndarray) -> np.ndarray:
    """Returns (8, n, LENGTH): what (n, LENGTH) would be for each of SYMMETRIES."""
    places, signs = _symmetry_tables()
    return np.stack(
        [descriptions[:, place] * sign for place, sign in zip(places, signs, strict=True)]
    )


def symmetric_part(descriptions: np.ndarray) -> np.ndarray:
    """Returns (n, LENGTH) in which all eight symmetries of a picture are the same.

    The amounts of the coefficients, those of (u, v) and (v, u) in falling order. Taking
    amounts and sorting bring no two rows further apart, so rows whose pictures are alike
    in any symmetry are at least as near here.
    """
    upper, lower, diagonal = _pairs()
    amounts = np.abs(descriptions)
    one, other = amounts[:, upper], amounts[:, lower]
    return np.concatenate(
        [amounts[:, diagonal], np.maximum(one, other), np.minimum(one, other)], axis=1
    )


def apply_symmetry(pixels: np.ndarray, symmetry: int) -> np.ndarray:
    """Returns a picture (height, width, ...) turned as SYMMETRIES[symmetry] says."""
    transposed, top_bottom, left_right = SYMMETRIES[symmetry]
    if transposed:
        pixels = pixels.swapaxes(0, 1)
    return pixels[:: -1 if top_bottom else 1, :: -1 if left_right else 1]


@functools.lru_cache(maxsize=256)
def _basis(side: int) -> np.ndarray:
    """float32 (stretches * FREQUENCIES, side): the mean over a stretch, times each cosine.

    Each pixel is a small square over which the cosine is integrated, so pictures of
    different resolution are described alike, without resampling.
    """
    edges = np.arange(side + 1) / side
    rows = []
    for begin, end in STRETCHES:
        low, high = np.clip(edges[:-1], begin, end), np.clip(edges[1:], begin, end)
        length = end - begin
        rows.append((high - low) / length)
        for frequency in range(1, FREQUENCIES):
            step = np.pi * frequency / length
            integral = (np.sin(step * (high - begin)) - np.sin(step * (low - begin))) / step
            rows.append(np.sqrt(2) * integral / length)
    return np.array(rows, np.float32)


@functools.cache
def _weights() -> np.ndarray:
    u, v = np.indices((FREQUENCIES, FREQUENCIES))
    return np.hypot(u, v).reshape(-1)[1:].astype(np.float32)


@functools.cache
def _symmetry_tables() -> tuple[np.ndarray, np.ndarray]:
    u, v = np.indices((FREQUENCIES, FREQUENCIES))
    place = u * FREQUENCIES + v
    places, signs = [], []
    for transposed, top_bottom, left_right in SYMMETRIES:
        places.append((place.T if transposed else place).reshape(-1)[1:] - 1)
        sign = (-1.0) ** (u * top_bottom + v * left_right)
        signs.append(sign.reshape(-1)[1:].astype(np.float32))
    return np.stack(places), np.stack(signs)


@functools.cache
def _pairs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    u, v = np.triu_indices(FREQUENCIES, 1)
    diagonal = np.arange(1, FREQUENCIES) * (FREQUENCIES + 1) - 1
    return u * FREQUENCIES + v - 1, v * FREQUENCIES + u - 1, diagonal
