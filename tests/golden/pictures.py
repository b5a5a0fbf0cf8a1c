"""Images for the golden records: the same bytes with any version of NumPy, Pillow or zlib.

The records must outlive changes to the drawn samples, so that these pictures are made
here, of a hash's bytes, and written as PNG files without compression.
"""

import csv
import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np

# The mean colour tells the class, so that any trained network separates the two.
PALE, DARK = (235, 190, 220), (95, 50, 140)
IDC_PATIENTS = {"801": 6, "802": 5, "803": 6, "804": 5, "805": 6, "806": 5, "807": 6, "808": 5}
# Patches of one testing patient that look like the other class: a miss and a false alarm. The
# other is all right, so that whether a figure has an interval does not hang on arithmetic.
MISLEADING = {("808", 2)}
DENSITIES = [f"Density{n}{kind}" for n in (1, 2, 3, 4) for kind in ("Benign", "Malignant")]


def noise(seed: str, height: int, width: int) -> np.ndarray:
    """Bytes of a hash as uint8 (height, width, 3)."""
    stream = hashlib.shake_256(seed.encode()).digest(height * width * 3)
    return np.frombuffer(stream, np.uint8).reshape(height, width, 3)


def blotches(seed: str, side: int = 64) -> np.ndarray:
    """Large squares of random grey: no turn and no crop of two seeds looks alike."""
    coarse = np.repeat(np.repeat(noise(seed, 8, 8)[..., :1], side // 8, 0), side // 8, 1)
    return np.repeat(coarse, 3, 2)


def patch(seed: str, colour: tuple[int, int, int], height: int = 50, width: int = 50) -> np.ndarray:
    """A colour with a little noise."""
    pixels = np.array(colour, np.int64) + noise(seed, height, width).astype(np.int64) % 41 - 20
    return pixels.clip(0, 255).astype(np.uint8)


def save_png(path: Path, pixels: np.ndarray) -> None:
    """Writes an 8-bit RGB PNG with stored (uncompressed) data."""
    height, width, _ = pixels.shape
    raw = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels))
    blocks = [raw[start : start + 65535] for start in range(0, len(raw), 65535)]
    stored = b"".join(
        struct.pack("<BHH", block is blocks[-1], len(block), len(block) ^ 0xFFFF) + block
        for block in blocks
    )
    data = b"\x78\x01" + stored + struct.pack(">I", zlib.adler32(raw))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b"")):
        checksum = zlib.crc32(kind + body)
        content += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def make_idc(folder: Path, patients: dict[str, int] = IDC_PATIENTS) -> None:
    """Patches in the IDC layout, with one file of each defect that a build knows."""
    for patient, count in patients.items():
        for label in (0, 1):
            for place in range(count):
                name = f"{patient}_idx5_x{50 * place + 1}_y{51 + 50 * label}_class{label}.png"
                width = 31 if place == 4 else 50  # patches at an edge are smaller
                looks = 1 - label if (patient, place) in MISLEADING else label
                pixels = patch(name, (PALE, DARK)[looks], width=width)
                save_png(folder / patient / str(label) / name, pixels)
    first = next(iter(patients))
    some = folder / first / "0" / f"{first}_idx5_x1_y51_class0.png"
    beside = folder / first / "0"
    (beside / f"{first}_idx5_x901_y51_class0.png").write_bytes(b"no image")
    (beside / f"{first}_idx5_x951_y51_class0.png").write_bytes(b"")
    (beside / f"{first}_idx5_x801_y51_class0.png").write_bytes(some.read_bytes())
    save_png(beside / f"{first}_idx5_x851_y51_class1.png", patch("contradiction", PALE))
    save_png(folder / "unknown.png", patch("unknown", PALE))
    (folder / "notes.txt").write_text("not an image")
    again = folder / "IDC_regular_ps50_idx5" / first / "0" / some.name
    again.parent.mkdir(parents=True)
    again.write_bytes(some.read_bytes())


def make_busi(folder: Path) -> None:
    """Scans with masks in the BUSI layout; one scan lies in two classes."""
    for label in ("benign", "malignant", "normal"):
        for number in range(1, 6):
            scan = folder / label / f"{label} ({number}).png"
            save_png(scan, blotches(scan.name))
            save_png(scan.with_name(f"{scan.stem}_mask.png"), blotches(f"mask {scan.name}"))
    twin = folder / "benign" / "benign (5).png"
    (folder / "malignant" / "malignant (6).png").write_bytes(twin.read_bytes())


def make_mammograms(folder: Path) -> None:
    """Eight classes in the published layout: three sources each, the last class has one."""
    for place, label in enumerate(DENSITIES):
        for source in range(1 if label == DENSITIES[-1] else 3):
            number = 2000 + 10 * place + source
            pixels = blotches(f"mammogram {number}")
            save_png(folder / label / f"{number}.png", pixels)
            save_png(folder / label / f"{number} (1).png", pixels[::-1])


def make_ultrasound(folder: Path) -> None:
    """Variants named by their source, shipped in parts; one source straddles them."""
    for part, numbers in (("train", range(1, 7)), ("val", range(6, 9))):
        for label in ("benign", "malignant"):
            for number in numbers:
                for turn, ending in enumerate(("", "-rotated1", "-rotated2")):
                    pixels = np.rot90(blotches(f"{label} {number}"), turn)
                    if number == 6 and part == "val":
                        pixels = pixels[:, ::-1]
                    save_png(folder / part / label / f"{label} ({number}){ending}.png", pixels)


def make_table(folder: Path, table: Path) -> None:
    """Scans whose labels stand in a table that spells ids as `3` and `3.0`."""
    rows = [("filename", "label", "patient")]
    for number in range(1, 10):
        for label in ("no", "yes"):
            name = f"scan{number}{label}.png"
            save_png(folder / name, blotches(name))
            rows.append((name, label, f"{number}.0" if label == "yes" else f"{number}"))
    with open(table, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def make_clinic(folder: Path) -> None:
    """Unseen patches in folders of classes, one file of them damaged."""
    for label, colour in enumerate((PALE, DARK)):
        for place in range(4):
            name = f"90{place % 2}_idx5_x{50 * place + 1}_y1_class{label}.png"
            save_png(folder / str(label) / name, patch(f"clinic {name}", colour))
    (folder / "1" / "broken.png").write_bytes(b"no image")
