"""Opens DICOM files as Pillow images: decoded and scaled by their own window.

pydicom reads the header, imagecodecs unpacks compressed pixels; both are imported when a DICOM
file is met. Of the header only what pixels need is read, and no message of a library is passed
on: it could quote who the patient is.
"""

import contextlib
import functools
import io
import logging
import math
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from cancernet.base.console import install_extra
from cancernet.base.errors import ImageError
from cancernet.images.formats import INVERTED, ODDITY, Oddity

INSTALL = f"install it with {install_extra('dicom')}"
_NEEDED = [
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation",
    "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "WindowCenter", "WindowWidth",
    "VOILUTFunction", "VOILUTSequence", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "PixelData",
]  # fmt: skip
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_BIG_ENDIAN, _RLE = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5"
_GREY, _COLOURS = ("MONOCHROME1", "MONOCHROME2"), ("RGB", "YBR_FULL")
_CODESTREAM = b"\xff\x4f\xff\x51"  # how JPEG 2000 begins
_END = b"\xff\xd9"  # of a JPEG of any kind
_SCAN, _LOSSLESS_LS = 0xFFDA, 0xFFF7  # markers of a JPEG
# Frames of the kinds that DICOM has: none is progressive, whose scans may be thousands.
_FRAMES = (0xFFC0, 0xFFC1, 0xFFC3, _LOSSLESS_LS)

Header = Any  # pydicom.Dataset

# What they say of a value may quote it.
warnings.filterwarnings("ignore", module="pydicom")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


class DicomImageFile(ImageFile.ImageFile):
    """The first frame of a DICOM file.

    Grey values come as 8 bits where the file says how to show them (window or table), else as
    they are stored, in mode I;16. `frames` counts all frames, `told` is the depth in bits that
    the file states for its stored values, 0 for 16.

    Raises:
        ImageError: the header is damaged, holds no picture or one of a kind that is not read.
    """

    format = "DICOM"
    format_description = "DICOM"
    frames = 1
    told = 0

    def _open(self) -> None:
        with _refusing("its DICOM header cannot be read"):
            self._header = header = _read_header(self.fp.getvalue())  # type: ignore[union-attr]
            if "PixelData" not in header:
                raise ImageError("this DICOM file holds no picture")
            self._size = int(header.Columns), int(header.Rows)
            self.frames = int(header.get("NumberOfFrames") or 1)
            if self.frames > 1:
                self.info[ODDITY] = Oddity.FRAME
            self._photometric = str(header.PhotometricInterpretation)
            self._mode = "L" if header.SamplesPerPixel == 1 else "RGB"

    def load(self) -> Any:
        """Decodes the frame, once."""
        if self._im is None:
            with _refusing("its DICOM pixels cannot be decoded"):
                values = _stored_values(self._header, self.frames)
                image = self._grey(values) if values.ndim == 2 else self._coloured(values)
            self._mode, self.im = image.mode, image.im
        return Image.Image.load(self)

    def _coloured(self, values: np.ndarray) -> Image.Image:
        if values.dtype != np.uint8:
            raise ImageError("its DICOM colours have more than 8 bits; save it with 8 bits")
        if self._photometric == "YBR_FULL" and not _is_packed(self._header):
            return Image.fromarray(values, "YCbCr").convert("RGB")
        return Image.fromarray(values)

    def _grey(self, values: np.ndarray) -> Image.Image:
        header = self._header
        stored, signed = int(header.BitsStored), bool(header.get("PixelRepresentation"))
        values = _without_other_bits(values, stored, int(header.HighBit), signed=signed)
        shares = _as_shown(values, header)
        inverted = self._photometric == "MONOCHROME1"
        if shares is None and not signed and 8 <= stored <= 16:
            self.told = stored if stored < 16 else 0
            self.info[INVERTED] = inverted != (_rescaling(header)[0] < 0)
            return Image.fromarray(values.astype(np.uint16))
        if shares is None:
            inverted = inverted != (_rescaling(header)[0] < 0)
            low, high = int(values.min()), int(values.max())
            shares = (values - np.float32(low)) / max(high - low, 1)
        grey = np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8)
        return Image.fromarray(255 - grey if inverted else grey)


def patient_id(content: bytes) -> str:
    """Returns the id of the patient in a DICOM header, for comparison only; never show it.

    Raises:
        ImageError: the header cannot be read, or pydicom is not installed.
    """
    with _refusing("its DICOM header cannot be read"):
        header = _read_header(content, ["PatientID"], stop_before_pixels=True)
        return str(header.get("PatientID") or "").strip()


def _read_header(
    content: bytes, needed: list[str] = _NEEDED, *, stop_before_pixels: bool = False
) -> Header:
    try:
        import imagecodecs  # noqa: F401  # asked for here, so that one sentence names both
        from pydicom import dcmread
    except ImportError as error:
        raise ImageError(
            f"this is a DICOM file, which needs the package {error.name}; {INSTALL}"
        ) from None
    if _DEFLATED in content:
        raise ImageError("this DICOM file is deflated, which is not read; save it uncompressed")
    return dcmread(
        io.BytesIO(content), specific_tags=list(needed), stop_before_pixels=stop_before_pixels
    )


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Exception:  # of a header that others wrote, in the words of a library
        raise ImageError(f"the image is damaged ({what})") from None


def _is_packed(header: Header) -> bool:
    return bool(header.file_meta.TransferSyntaxUID.is_encapsulated)


def _stored_values(header: Header, frames: int) -> np.ndarray:
    """Returns the values of the first frame, (rows, columns) or RGB (rows, columns, 3)."""
    rows, columns = int(header.Rows), int(header.Columns)
    samples, bits = int(header.SamplesPerPixel), int(header.BitsAllocated)
    colours = str(header.PhotometricInterpretation)
    syntax, packed = header.file_meta.TransferSyntaxUID, _is_packed(header)
    jpeg = packed and syntax != _RLE
    known = _GREY if samples == 1 else _COLOURS if not jpeg else (colours,)
    if bits not in (8, 16) or samples not in (1, 3) or colours not in known:
        raise ImageError(
            "this DICOM file holds neither grey values of 8 or 16 bits nor RGB of 8; save it as "
            "PNG or TIFF"
        )
    content = header.PixelData
    if packed:
        from pydicom.encaps import get_frame

        content = get_frame(content, 0, number_of_frames=frames)
    if jpeg:
        values = _unpack_jpeg(content, (columns, rows, samples), colours)
        return values.reshape((rows, columns) if samples == 1 else (rows, columns, 3))
    planar = bool(header.get("PlanarConfiguration")) or packed
    shape = (samples, rows, columns) if planar else (rows, columns, samples)
    if packed:
        values = _unpack_rle(content, samples, rows * columns, bits // 8)
    else:
        kind = np.dtype(f"u{bits // 8}").newbyteorder(">" if syntax == _BIG_ENDIAN else "<")
        values = np.frombuffer(content, kind, rows * columns * samples)
    values = values.reshape(shape)
    values = np.ascontiguousarray(np.moveaxis(values, 0, -1) if planar else values)
    return values[..., 0] if samples == 1 else values


def _unpack_rle(content: bytes, samples: int, pixels: int, bytes_: int) -> np.ndarray:
    """Unpacks the planes of a frame: of each sample its highest byte comes first."""
    import imagecodecs

    count, *begins = struct.unpack_from("<16L", content)
    if count != samples * bytes_:
        raise ValueError(count)
    ends = [*begins[1:count], len(content)]
    planes = np.zeros((samples, bytes_, pixels), np.uint8)
    for place in range(count):
        plane = planes.reshape(count, pixels)[place]
        # The room is given, so that a plane of any length fills no more.
        imagecodecs.packbits_decode(content[begins[place] : ends[place]], out=plane)
    return planes[:, 0] if bytes_ == 1 else planes[:, 0].astype(np.uint16) << 8 | planes[:, 1]


def _unpack_jpeg(frame: bytes, size: tuple[int, int, int], colours: str) -> np.ndarray:
    """Decodes JPEG, JPEG-LS or JPEG 2000 of this width, height and number of samples.

    A decoder makes room for the size that the frame states, whatever the header says.
    """
    import imagecodecs

    # Of a frame that is cut off, some decoders return a part, and CharLS takes half a minute.
    if not frame.rstrip(b"\0").endswith(_END):
        raise ImageError("the image is damaged (its DICOM pixels are cut off)")
    decode: Callable[[bytes], np.ndarray] = imagecodecs.jpeg8_decode
    if not frame.startswith(b"\xff\xd8"):
        frame = frame[frame.index(_CODESTREAM) :]  # some wrap it in the boxes of a file
        right, bottom, left, top = struct.unpack_from(">4L", frame, 8)
        found = right - left, bottom - top, struct.unpack_from(">H", frame, 40)[0]
        decode = imagecodecs.jpeg2k_decode
    else:
        place, marker, found, fewer = 2, 0, (0, 0, 0), False
        while marker != _SCAN:
            marker, length = struct.unpack_from(">HH", frame, place)
            if marker in _FRAMES:
                height, width, samples = struct.unpack_from(">xHHB", frame, place + 4)
                found = width, height, samples
                fewer = samples == 3 and frame[place + 11] != frame[place + 14]
                if marker == _LOSSLESS_LS:
                    decode = imagecodecs.jpegls_decode
            place += 2 + length
        # Only YCbCr has fewer values of a second colour; GDCM calls such a frame RGB all the same.
        told = b"JFIF" in frame[:place] or b"Adobe" in frame[:place] or fewer
        if colours == "RGB" and not told and decode is imagecodecs.jpeg8_decode:
            decode = functools.partial(decode, colorspace="RGB", outcolorspace="RGB")
    if found != size:
        raise ImageError(
            f"the image is damaged (its DICOM header says {size[0]} x {size[1]} pixels, its "
            f"frame {found[0]} x {found[1]})"
        )
    return decode(frame)


def _without_other_bits(values: np.ndarray, stored: int, high: int, *, signed: bool) -> np.ndarray:
    """Returns the stored bits alone, int32; older files keep overlays in the others."""
    bits = values.astype(np.int32) >> max(high + 1 - stored, 0) & (1 << stored) - 1
    return bits - (bits >> (stored - 1) << stored) if signed else bits


def _as_shown(values: np.ndarray, header: Header) -> np.ndarray | None:
    """Returns what the file's window or table of values shows, 0-1; None where it has neither."""
    from pydicom.pixels import apply_modality_lut, apply_voi

    shown = _of_frame(header, "FrameVOILUTSequence")
    window = _window(shown)
    if window is None and not shown.get("VOILUTSequence"):
        return None
    if header.get("ModalityLUTSequence"):
        values = apply_modality_lut(values, header)
    if window is None:
        bits = int(shown.VOILUTSequence[0].LUTDescriptor[2])
        return apply_voi(values, shown) / np.float32((1 << bits) - 1)
    slope, intercept = _rescaling(header)
    scaled = values * np.float32(slope) + np.float32(intercept)
    center, width = window
    match str(shown.get("VOILUTFunction") or "LINEAR"):  # PS3.3, C.11.2.1.2 and C.11.2.1.3
        case "SIGMOID":
            return 1 / (1 + np.exp(np.float32(-4 / width) * (scaled - np.float32(center))))
        case "LINEAR_EXACT":
            return (scaled - np.float32(center)) / np.float32(width) + np.float32(0.5)
        case _:
            return (scaled - np.float32(center - 0.5)) / np.float32(
                max(width - 1, 1e-3)
            ) + np.float32(0.5)


def _window(header: Header) -> tuple[float, float] | None:
    """Returns the centre and the width of the first window; None where it has none."""
    pair = [header.get(name) for name in ("WindowCenter", "WindowWidth")]
    if any(value in (None, "") for value in pair):
        return None
    center, width = (float(v[0] if isinstance(v, Sequence) else v) for v in pair)
    return (center, width) if math.isfinite(center) and 0 < width < math.inf else None


def _rescaling(header: Header) -> tuple[float, float]:
    """Returns slope and intercept from stored values to the values that a window refers to."""
    group = _of_frame(header, "PixelValueTransformationSequence")
    return float(group.get("RescaleSlope", 1)), float(group.get("RescaleIntercept", 0))


def _of_frame(header: Header, name: str) -> Header:
    """Returns a group of the first frame, or of all; the header itself where it has none."""
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        for item in (header.get(groups) or [])[:1]:
            if item.get(name):
                return item[name][0]
    return header
