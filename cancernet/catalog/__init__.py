"""Facts about the data sets: classes, layout, patients, origin, known defects.

Facts, not choices: what a person may want to change is in `cancernet.config`. To add a
data set, write one entry, and the function that reads its paths, into the file of its
kind of image.
"""

from cancernet.base.patch_name import Place, read_place

# Importing a file enters its data sets, in this order.
from cancernet.catalog import histology, mammograms, radiology  # noqa: F401
from cancernet.catalog.entry import (
    DATASETS,
    DEFAULT,
    Contradiction,
    Dataset,
    Identity,
    LeftOut,
    LeftOutFile,
    Reason,
    Tables,
    dataset,
)
from cancernet.catalog.histology import identify_idc, key_idc
from cancernet.catalog.paths import (
    class_folder,
    group_of,
    is_mask,
    key_path,
    shipped_split,
    without_mask,
)

__all__ = [
    "DATASETS",
    "DEFAULT",
    "Contradiction",
    "Dataset",
    "Identity",
    "LeftOut",
    "LeftOutFile",
    "Place",
    "Reason",
    "Tables",
    "class_folder",
    "dataset",
    "group_of",
    "identify_idc",
    "is_mask",
    "key_idc",
    "key_path",
    "read_place",
    "shipped_split",
    "without_mask",
]
