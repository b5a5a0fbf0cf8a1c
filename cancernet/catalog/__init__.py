"""Facts about the data sets: classes, layout, patients, origin, known defects.

Facts, not choices: what a person may want to change is in `cancernet.config`. To add a
data set, write one entry, and the function that reads its paths, into the file of its
kind of image: every file of this folder is imported here.
"""

import importlib
import pkgutil

from cancernet.base.patch_name import read_place
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

for _file in pkgutil.iter_modules(__path__):  # in the order of their names
    importlib.import_module(f"{__name__}.{_file.name}")
