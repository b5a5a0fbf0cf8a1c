"""`evaluation.json` as a typed record: what was judged, how, and by which run."""

import dataclasses
from collections.abc import Mapping

from cancernet.base.records import Record
from cancernet.measures.validation.calibration import Calibration
from cancernet.measures.validation.point import OperatingPoint

EVALUATION = "evaluation.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationRecord(Record):
    """The content of `evaluation.json`.

    Attributes:
        run: name of the run that was judged; `run_checksum` of its run.json.
        data: name of the data; `images` says which of them, in words.
        fingerprint: of the run's own data set where its testing images were judged; else empty.
        content: digest of the images with their truth.
        left_out: reason -> number of files that were not judged.
        leak: what the run knew of these images before; empty when nothing.
        predictions: SHA-256 of `predictions.csv`.
    """

    run: str
    run_checksum: str = ""
    data: str
    images: str = ""
    fingerprint: str
    content: str
    positive: tuple[str, ...]
    operating_point: OperatingPoint
    calibration: Calibration
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    leak: str
    drawn: bool
    command: str = ""
    made: str = ""
    predictions: str
