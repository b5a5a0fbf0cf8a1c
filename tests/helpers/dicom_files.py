"""DICOM files of a few pixels, written by pydicom and packed by imagecodecs."""

import io

import numpy as np
import pytest

WHY = "DICOM files need the extra `dicom`"
PACKED = ("RLE", "JPEG", "JPEG-LS", "JPEG2000")
SYNTAXES = ("implicit", "explicit", *PACKED)


def dicom(values, *, syntax="explicit", **elements):
    """A file of grey values (rows, columns) or RGB (rows, columns, 3); elements by keyword."""
    pydicom = pytest.importorskip("pydicom", reason=WHY)
    from pydicom import encaps, uid

    names = {
        "implicit": uid.ImplicitVRLittleEndian, "explicit": uid.ExplicitVRLittleEndian,
        "RLE": uid.RLELossless, "JPEG": uid.JPEGLosslessSV1, "JPEG-LS": uid.JPEGLSLossless,
        "JPEG2000": uid.JPEG2000Lossless, "baseline": uid.JPEGBaseline8Bit,
    }  # fmt: skip
    set_ = pydicom.Dataset()
    set_.PatientName, set_.PatientID = "Nobody^Secret", "secret-7"
    set_.SOPClassUID, set_.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.2", "1.2.3"
    set_.Rows, set_.Columns = values.shape[:2]
    set_.SamplesPerPixel = 3 if values.ndim == 3 else 1
    set_.PhotometricInterpretation = "RGB" if values.ndim == 3 else "MONOCHROME2"
    bits = 8 * values.dtype.itemsize
    set_.BitsAllocated = set_.BitsStored = bits
    set_.HighBit = bits - 1
    set_.PixelRepresentation = int(values.dtype.kind == "i")
    if values.ndim == 3:
        set_.PlanarConfiguration = 0
    set_.PixelData = values.tobytes()
    if syntax in (*PACKED, "baseline"):
        set_.PixelData = encaps.encapsulate([packed(values, syntax)])
    set_["PixelData"].VR = "OW"
    for name, value in elements.items():
        setattr(set_, name, value)
    if "BitsStored" in elements:
        set_.HighBit = elements.get("HighBit", elements["BitsStored"] - 1)
    set_.file_meta = pydicom.dataset.FileMetaDataset()
    set_.file_meta.TransferSyntaxUID = names[syntax]
    file = io.BytesIO()
    pydicom.dcmwrite(file, set_, enforce_file_format=True)
    return file.getvalue()


def packed(values, syntax):
    """One frame as a decoder gets it."""
    import imagecodecs

    if syntax == "RLE":
        planes = np.moveaxis(values.reshape(values.shape[0], values.shape[1], -1), -1, 0)
        bytes_ = [p.astype(f">u{values.dtype.itemsize}").view(np.uint8) for p in planes]
        bytes_ = [b.reshape(-1, values.dtype.itemsize) for b in bytes_]
        parts = [imagecodecs.packbits_encode(b[:, n].tobytes()) for b in bytes_
                 for n in range(b.shape[1])]  # fmt: skip
        begins = np.cumsum([64, *map(len, parts[:-1])])
        head = np.zeros(16, "<u4")
        head[0], head[1 : 1 + len(parts)] = len(parts), begins
        return head.tobytes() + b"".join(parts)
    encode = {
        "JPEG": lambda: imagecodecs.ljpeg_encode(values, bitspersample=8 * values.dtype.itemsize),
        "JPEG-LS": lambda: imagecodecs.jpegls_encode(values),
        "JPEG2000": lambda: imagecodecs.jpeg2k_encode(
            values, level=0, reversible=True, codecformat="j2k"
        ),
        "baseline": lambda: imagecodecs.jpeg8_encode(values, level=95),
    }[syntax]
    return encode()
