"""Facts about the data sets: classes, layout, patients, origin, known defects.

Facts, not choices: what a person may want to change is in `cancernet.config`. To add a
data set, write one entry, and the function that reads its paths, into the file of its
kind of image.
"""

from cancernet.base.patch_name import read_place

# Importing a file enters its data sets, in this order.
from cancernet.catalog import histology, mammograms, radiology
from cancernet.catalog.entry import (
    DATASETS,
    DEFAULT,
    Contradiction,
    Dataset,
    Identity,
    LeftOut,
    LeftOutFile,
    OwnClasses,
    Reason,
    dataset,
)
from cancernet.catalog.histology import identify_idc, key_idc
from cancernet.catalog.paths import group_of, is_mask, shipped_split
