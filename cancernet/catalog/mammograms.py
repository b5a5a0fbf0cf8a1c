"""Data sets of whole mammograms, with a table of readings beside the files."""

import csv
import re
from pathlib import PurePosixPath

from cancernet.catalog.entry import Dataset, Identity, LeftOut, Reason, Tables, register
from cancernet.catalog.paths import key_name

MIAS_CLASSES = ("normal", "benign", "malignant")
_MIAS_NAME = re.compile(r"mdb(\d{3})")
_MIAS_ROW = re.compile(r"(mdb\d{3})\s+[FGD]\s+([A-Z]{4})(?:\s+([BM])\b)?.*")


def identify_mias(path: PurePosixPath) -> Identity:
    """Reads `mdb<n>.pgm`: an odd number and the next even one are the breasts of one patient."""
    found = _MIAS_NAME.fullmatch(path.stem.lower())
    if found is None:
        raise LeftOut(Reason.BAD_NAME, "expected mdb<number>")
    odd = int(found[1]) - 1 | 1
    return Identity(f"mdb{odd:03}-{odd + 1:03}", path.stem.lower())


def read_mias(text: str) -> dict[str, str]:
    """Reads `Info.txt`: image, tissue, finding and severity in each of the rows that have them.

    An image with several findings has several rows; the worst of them counts.
    """
    classes: dict[str, str] = {}
    for line in text.splitlines():
        row = _MIAS_ROW.fullmatch(line.strip())
        if row is None or (row[2] != "NORM" and row[3] is None):
            continue
        label = {"B": "benign", "M": "malignant"}.get(row[3], "normal")
        classes[row[1]] = max(classes.get(row[1], label), label, key=MIAS_CLASSES.index)
    return classes


register(
    Dataset(
        name="mini-mias",
        title="Mammograms of the mini-MIAS database: normal, benign, malignant",
        classes=MIAS_CLASSES,
        words=MIAS_CLASSES,
        positive=("malignant",),
        identify=identify_mias,
        key=key_name,
        layout="Info.txt (the table of the archive) and mdb<number>.pgm in any folder",
        origin=(
            "Suckling et al. 1994; http://peipa.essex.ac.uk/info/mias.html; "
            "Kaggle: kmader/mias-mammography"
        ),
        licence="for research only, by the MIAS licence agreement that comes with it",
        kaggle="kmader/mias-mammography",
        tables=Tables("Info.txt", read=read_mias),
        defects=(
            "322 films of only 161 patients, reduced to 200 micrometres and 1024x1024 pixels",
            "an image with several findings has several rows, one of them under two severities",
            "some films carry markers and labels of the clinic",
        ),
    )
)

INBREAST_CLASSES = ("birads-1-3", "birads-4-6")


def identify_inbreast(path: PurePosixPath) -> Identity:
    """Reads `<image>_<patient>_MG_<side>_<view>_ANON.dcm`."""
    image, *rest = path.stem.split("_")
    if not image.isdigit() or len(rest) < 2 or rest[1] != "MG":
        raise LeftOut(Reason.BAD_NAME, "expected <image>_<patient>_MG_<side>_<view>_ANON")
    return Identity(rest[0], image)


def read_inbreast(text: str) -> dict[str, str]:
    """Reads `INbreast.csv`: the BI-RADS category (1, 2, 3, 4a, …, 6) of each `File Name`."""
    first = text.partition("\n")[0]
    rows = csv.DictReader(text.splitlines(), delimiter=";" if ";" in first else ",")
    return {
        row["File Name"].strip(): INBREAST_CLASSES[int(row["Bi-Rads"].strip()[0]) > 3]
        for row in rows
        if row["File Name"] and row["Bi-Rads"]
    }


register(
    Dataset(
        name="inbreast",
        title="Digital mammograms of INbreast by BI-RADS category: 1 to 3, 4 to 6",
        classes=INBREAST_CLASSES,
        words=("BI-RADS 1 to 3", "BI-RADS 4 to 6"),
        positive=("birads-4-6",),
        identify=identify_inbreast,
        key=key_name,
        layout="INbreast.csv and <image>_<patient>_MG_<side>_<view>_ANON.dcm in any folder",
        origin=(
            "Moreira et al. 2012, Academic Radiology 19(2):236-248, "
            "doi:10.1016/j.acra.2011.09.014; from the authors on request"
        ),
        licence="for research, by the agreement with the authors; see where you get it",
        tables=Tables("INbreast.csv", read=read_inbreast),
        defects=(
            "410 images of 115 cases; the table's column for the patient is blanked, so the "
            "patient is taken from the file name",
            "the categories are readings, not biopsies: few images of 3, many of 1 and 2",
            "also distributed as INbreast.xls: save it as INbreast.csv",
        ),
    )
)
