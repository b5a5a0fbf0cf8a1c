"""Drawn BreakHis, BACH, mini-MIAS and INbreast: their layouts, tables, formats and defects."""

import struct
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from cancernet.sample.folder import DrawnFile, description
from cancernet.sample.histology import draw_slide
from cancernet.sample.radiology import draw_mammogram
from cancernet.sample.texture import generator

BITS = 12
_MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"  # digital mammogram, for presentation
_EXPLICIT = "1.2.840.10008.1.2.1"
_LONG = (b"OB", b"OW")  # with four bytes for their length
FIRST = 91001  # no such specimen or patient in the published data
SPECIMENS, BACH_SLIDES, PATIENTS = 12, 3, 18
BACH_PIECES = 4  # of a slide: the published names do not tell who is whose either
# Magnification -> width in pixels of the piece of a slide that fills a picture.
PIECES = {40: 420, 100: 280, 200: 175, 400: 88}
PICTURE = (175, 115)  # width and height, a quarter of the published ones
BACH_PICTURE = (200, 150)
# Share of carcinoma in the slides of each class.
BACH_SHARES = {"Normal": 0.0, "Benign": 0.03, "InSitu": 0.4, "Invasive": 0.9}
BACH_LETTERS = {"Normal": "n", "Benign": "b", "InSitu": "is", "Invasive": "iv"}
MIAS_FIRST = 901  # the published films end with 322


def breakhis_files(seed: int, number: int) -> Iterator[DrawnFile]:
    """Draws two pictures of a specimen at each magnification.

    As in the published set, a specimen may have several blocks, or two types of carcinoma.
    """
    malignant = number % 2 == 1
    slide = draw_slide(seed, 400 + number, 0.8 if malignant else 0.0).pixels
    rng = generator(seed, 40, number)
    for magnification, width in PIECES.items():
        for place in (1, 2):
            second = place == 2 and number < 4
            kind = ("LC" if second else "DC") if malignant else "A"
            block = ("CD" if second else "AB") if not malignant and number < 4 else ""
            name = f"SOB_{'M' if malignant else 'B'}_{kind}-14-{FIRST + number}{block}"
            folder = f"{'malignant' if malignant else 'benign'}/SOB/{name}/{magnification}X"
            yield f"{folder}/{name}-{magnification}-{place:03}.png", _piece(rng, slide, width)


def bach_files(seed: int, kind: str, number: int) -> Iterator[DrawnFile]:
    """Draws the pictures of a slide as TIFF: `Photos/Normal/n001.tif`, …."""
    place = 500 + 20 * list(BACH_SHARES).index(kind) + number
    rng = generator(seed, 41, place)
    slide = draw_slide(seed, place, BACH_SHARES[kind]).pixels
    for piece in range(BACH_PIECES):
        name = f"{BACH_LETTERS[kind]}{(number - 1) * BACH_PIECES + piece + 1:03}.tif"
        yield f"Photos/{kind}/{name}", _piece(rng, slide, 200 + 40 * piece, BACH_PICTURE)


def mias_files(seed: int, patient: int) -> Iterator[DrawnFile]:
    """Draws both breasts of a patient as PGM, and with the first patient the table.

    As in the published set, one film has two findings, of which one is malignant.
    """
    films, rows = _films(seed, 42, patient), []
    for side, (pixels, _) in enumerate(films):
        yield f"all-mias/mdb{MIAS_FIRST + 2 * patient + side}.pgm", pixels
    if patient == 0:
        for other in range(PATIENTS):
            for side, kind in enumerate(_kinds(other)):
                name = f"mdb{MIAS_FIRST + 2 * other + side}"
                if kind is None:
                    rows.append(f"{name} F NORM ")
                else:
                    rows.append(f"{name} G CIRC {'M' if kind else 'B'} 112 112 20 ")
                if kind and other == 1:
                    rows.append(f"{name} G MISC B 80 80 12 ")
        yield "Info.txt", "\n".join(["REFNUM BG CLASS SEVERITY X Y RADIUS ", *rows, ""])


def inbreast_files(seed: int, patient: int) -> Iterator[DrawnFile]:
    """Draws both breasts of a patient as DICOM, and with the first patient the table."""
    for side, (pixels, _) in enumerate(_films(seed, 43, patient)):
        name = f"{_inbreast(patient, side)}_{FIRST + patient:016x}_MG_{'LR'[side]}_CC_ANON.dcm"
        content = dicom_bytes(pixels, patient=f"DRAWN-{patient}", note=description("a breast"))
        yield f"AllDICOMs/{name}", content
    if patient == 0:
        rows = ["Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads"]
        for other in range(PATIENTS):
            for side, kind in enumerate(_kinds(other)):
                category = "1" if kind is None else "5" if kind else "2"
                rows.append(
                    f"removed;removed;{'LR'[side]};CC;200801;{_inbreast(other, side)};2;{category}"
                )
        yield "INbreast.csv", "\r\n".join([*rows, ""])


def _films(seed: int, room: int, patient: int) -> list[tuple[NDArray[np.uint8], bool | None]]:
    """Draws the left and the right breast, which is mirrored; each with what lies in it."""
    films = []
    for side, kind in enumerate(_kinds(patient)):
        rng = generator(seed, room, patient, side)
        pixels = draw_mammogram(rng, density=1 + patient % 4, malignant=kind)
        films.append((np.ascontiguousarray(pixels[:, ::-1]) if side else pixels, kind))
    return films


def _kinds(patient: int) -> tuple[bool | None, bool | None]:
    """Returns what lies in the two breasts of a patient: nothing, something benign or malignant."""
    kind = (None, True, False)[patient % 3]
    return kind, None if patient % 2 else kind


def _inbreast(patient: int, side: int) -> int:
    return 90000000 + 2 * patient + side


def _piece(
    rng: np.random.Generator,
    slide: NDArray[np.uint8],
    width: int,
    size: tuple[int, int] = PICTURE,
) -> NDArray[np.uint8]:
    """Cuts a piece out of the middle of a slide and scales it to a picture."""
    height = width * size[1] // size[0]
    spare = np.maximum(np.array(slide.shape[:2]) - (height, width), 0)
    top, left = (spare * rng.uniform(0.3, 0.7, 2)).astype(int)
    piece = slide[top : top + height, left : left + width]
    return cv2.resize(piece, size, interpolation=cv2.INTER_AREA)


def dicom_bytes(pixels: NDArray[np.uint8], *, patient: str, note: str) -> bytes:
    """Returns a DICOM file of one grey image, whose 8 bits become the upper ones of 12.

    It is written without a library (PS3.10, explicit little endian).

    Args:
        pixels: (rows, columns).
        patient: the id in the header.
        note: what the file says of itself.
    """
    values = pixels.astype("<u2") << (BITS - 8) | pixels.astype("<u2") >> (16 - BITS)
    meta = b"".join((
        _element(0x0002, 0x0001, b"OB", b"\0\1"),
        _element(0x0002, 0x0002, b"UI", _MAMMOGRAPHY),
        _element(0x0002, 0x0003, b"UI", "1.2.3"),
        _element(0x0002, 0x0010, b"UI", _EXPLICIT),
    ))  # fmt: skip
    rows, columns = pixels.shape
    numbers = {0x0002: 1, 0x0010: rows, 0x0011: columns, 0x0100: 16, 0x0101: BITS,
               0x0102: BITS - 1, 0x0103: 0}  # fmt: skip
    image: dict[int, tuple[bytes, bytes | str]] = {
        **{tag: (b"US", struct.pack("<H", value)) for tag, value in numbers.items()},
        0x0004: (b"CS", "MONOCHROME2"),
        0x1050: (b"DS", str(1 << BITS - 1)),
        0x1051: (b"DS", str(1 << BITS)),
    }
    body = b"".join((
        _element(0x0008, 0x0016, b"UI", _MAMMOGRAPHY),
        _element(0x0008, 0x0018, b"UI", "1.2.3"),
        _element(0x0008, 0x0060, b"CS", "MG"),
        _element(0x0010, 0x0020, b"LO", patient),
        _element(0x0020, 0x4000, b"LT", note),
        *(_element(0x0028, tag, *image[tag]) for tag in sorted(image)),
        _element(0x7FE0, 0x0010, b"OW", values.tobytes()),
    ))  # fmt: skip
    length = _element(0x0002, 0x0000, b"UL", struct.pack("<L", len(meta)))
    return bytes(128) + b"DICM" + length + meta + body


def _element(group: int, tag: int, kind: bytes, value: bytes | str) -> bytes:
    if isinstance(value, str):
        value = value.encode("ascii")
        value += (b"\0" if kind == b"UI" else b" ") * (len(value) % 2)
    size = struct.pack("<HL", 0, len(value)) if kind in _LONG else struct.pack("<H", len(value))
    return struct.pack("<HH", group, tag) + kind + size + value
