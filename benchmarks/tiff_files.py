"""Makes TIFF files with tifffile: libtiff and vips, and says how each is read.

    python benchmarks/tiff_files.py

Every file shows one drawn picture of 640 x 384 pixels. A line a file: what wrote it, whether a
prediction and a slide map read the picture (the largest error of a pixel, 0-255), or the sentence
that refuses it. Needs the extra `slides`; without `tiffcp` or `vips` (packages libtiff-tools and
libvips-tools) their files are left out. The exit code is 1 where a file is read wrongly.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cancernet.base.errors import CancerNetError
from cancernet.images.reading import read_rgb
from cancernet.slides.large_image import open_image

LOSSY = 12  # the error that JPEG and WebP may make on this smooth picture
y, x = np.mgrid[0:384, 0:640]
PICTURE = np.stack([x / 640 * 255, y / 384 * 255, (x + y) / 1024 * 255], -1).astype(np.uint8)
YCBCR = np.asarray(Image.fromarray(PICTURE).convert("YCbCr"))
SMALL = PICTURE[::8, ::8]


def by_tifffile(path: Path) -> None:
    """Writes one file a case."""
    rgb: dict[str, object] = {"photometric": "rgb"}
    cases: dict[str, tuple[dict[str, object], dict[str, object]]] = {
        "plain": ({}, {}),
        "BigTIFF": ({"bigtiff": True}, {}),
        "big-endian": ({"byteorder": ">"}, {}),
        "tiles": ({}, {"tile": (128, 128)}),
        "zstd": ({}, {"compression": "zstd", "tile": (128, 128)}),
        "LZW with predictor": ({}, {"compression": "lzw", "predictor": True}),
        "deflate": ({}, {"compression": "zlib"}),
        "YCbCr in JPEG": ({}, {"photometric": "ycbcr", "compression": "jpeg",
                               "compressionargs": {"level": 95}, "tile": (128, 128)}),
        "YCbCr not packed": ({}, {"photometric": "ycbcr", "subsampling": (1, 1)}),
        "WebP": ({}, {"compression": "webp", "tile": (128, 128)}),
        "planes": ({}, {"planarconfig": "separate"}),
    }  # fmt: skip
    for name, (file, page) in cases.items():
        with tifffile.TiffWriter(path / f"tifffile: {name}.tif", **file) as writer:
            pixels = np.moveaxis(PICTURE, -1, 0) if name == "planes" else PICTURE
            pixels = YCBCR if name.startswith("YCbCr") else pixels
            writer.write(pixels, **{**rgb, **page})
    with tifffile.TiffWriter(path / "tifffile: thumbnail first.tif") as writer:
        writer.write(SMALL, **rgb)
        writer.write(PICTURE, **rgb, tile=(128, 128))
    with tifffile.TiffWriter(path / "tifffile: several pages.tif") as writer:
        writer.write(PICTURE, **rgb)
        writer.write(PICTURE[::-1], **rgb)
    with tifffile.TiffWriter(path / "tifffile: pyramid in sub-directories.tif") as writer:
        writer.write(PICTURE, **rgb, subifds=2, tile=(128, 128))
        for step in (2, 4):
            writer.write(PICTURE[::step, ::step], **rgb, subfiletype=1, tile=(64, 64))


def by_tools(path: Path) -> None:
    """The same with the command lines of libtiff and vips."""
    plain = path / "tifffile: plain.tif"
    vips = "vips tiffsave IN OUT --compression"
    commands = {
        "libtiff: LZW": "tiffcp -c lzw IN OUT",
        "libtiff: zstd": "tiffcp -c zstd IN OUT",
        "libtiff: LZMA": "tiffcp -c lzma IN OUT",
        "libtiff: PackBits and big-endian": "tiffcp -B -c packbits IN OUT",
        "libtiff: YCbCr in JPEG": "tiffcp -r 16 -c jpeg:r:95 IN OUT",
        "libtiff: BigTIFF in tiles": "tiffcp -8 -t -w 128 -l 128 IN OUT",
        "libtiff: planes": "tiffcp -p separate IN OUT",
        "vips: tiles": "vips tiffsave IN OUT --tile",
        "vips: pyramid of pages": f"{vips} deflate --tile --pyramid",
        "vips: pyramid in sub-directories": f"{vips} deflate --tile --pyramid --subifd",
        "vips: pyramid as BigTIFF with JPEG": f"{vips} jpeg --Q 95 --tile --pyramid --bigtiff",
        "vips: zstd": f"{vips} zstd --tile",
        "vips: WebP": f"{vips} webp --Q 95 --tile",
        "vips: JPEG 2000": f"{vips} jp2k --Q 95 --tile",
    }
    for name, command in commands.items():
        program, *words = command.split()
        places = {"IN": str(plain), "OUT": str(path / f"{name}.tif")}
        if shutil.which(program):
            arguments = [program, *(places.get(word, word) for word in words)]
            done = subprocess.run(arguments, capture_output=True, text=True, check=False)
            if done.returncode:
                Path(places["OUT"]).unlink(missing_ok=True)
                print(f"{name}: not written ({done.stderr.strip()[:80]})", file=sys.stderr)


def read_by(what: str, path: Path) -> np.ndarray:
    """Pixels as a prediction or a slide map sees them."""
    if what == "prediction":
        return np.asarray(read_rgb(path))
    with open_image(path) as image:
        return np.concatenate(list(image.bands(100)))


def told(what: str, path: Path) -> str:
    """How a file is read: the largest error, or the sentence without the path."""
    try:
        found = read_by(what, path)
    except CancerNetError as error:
        return str(error).removeprefix(f"{path}").lstrip(": ")
    if found.shape != PICTURE.shape:
        return f"WRONG: {found.shape[1]} x {found.shape[0]} pixels"
    largest = int(np.abs(found.astype(int) - PICTURE).max())
    return f"read, error {largest}" if largest <= LOSSY else f"WRONG: error {largest}"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        by_tifffile(path)
        by_tools(path)
        wrong = 0
        print("| written by | prediction | slide map |\n|---|---|---|")
        for file in sorted(path.glob("*.tif")):
            cells = [told(what, file) for what in ("prediction", "slide map")]
            wrong += sum("WRONG" in cell for cell in cells)
            print("|", " | ".join([file.stem, *cells]), "|")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
