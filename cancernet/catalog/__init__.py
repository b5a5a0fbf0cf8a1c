"""Facts about the data sets: classes, layout, patients, origin, known defects.

Facts, not choices: what a person may want different stands in `cancernet.config`.
To add a data set, write one entry (and the function that reads its paths) into the file
of its kind of image.
"""

# Importing a file enters its data sets, in this order.
from cancernet.catalog import histology, ultrasound, mammography  # noqa: F401, I001
from cancernet.catalog.entry import (
    DATASETS,
    Contradiction,
    Dataset,
    Identity,
    LeftOut,
    Tables,
    dataset,
    is_mask,
    without_mask,
)
from cancernet.catalog.histology import identify_idc, key_idc

__all__ = [
    "DATASETS",
    "Contradiction",
    "Dataset",
    "Identity",
    "LeftOut",
    "Tables",
    "dataset",
    "identify_idc",
    "is_mask",
    "key_idc",
    "without_mask",
]
