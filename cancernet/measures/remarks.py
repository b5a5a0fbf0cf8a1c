"""What a reader must know beside the figures, as values; `words` makes sentences of them."""

import dataclasses
from collections.abc import Mapping
from enum import StrEnum

# Fewer patients with images of a class than this are said to be few.
FEW_PATIENTS = 10

Value = int | float | str | tuple[str, ...]


class Kind(StrEnum):
    """What a remark says; its values are named in the sentence of `words`."""

    # The choice of an operating point.
    VALIDATION_OF_ONE_CLASS = "validation_of_one_class"
    TIED_SCORES = "tied_scores"
    NO_BETTER_THAN_CHANCE = "no_better_than_chance"
    FEW_PATIENTS_CHOSE = "few_patients_chose"
    FEW_VALIDATED_FOLDS = "few_validated_folds"
    # How far it would move with other patients: why nobody knows.
    THRESHOLD_GIVEN = "threshold_given"
    NO_SPREAD_OF_ONE_CLASS = "no_spread_of_one_class"
    NO_SPREAD_OF_ONE_PATIENT = "no_spread_of_one_patient"
    NO_DRAW_OF_BOTH_CLASSES = "no_draw_of_both_classes"
    # The correction of probabilities.
    CALIBRATED_BY_FOLD = "calibrated_by_fold"
    NOT_CALIBRATED_ON_ONE_CLASS = "not_calibrated_on_one_class"
    NOTHING_MISCLASSIFIED = "nothing_misclassified"
    TEMPERATURE_SHRUNK = "temperature_shrunk"
    FEW_PATIENTS_FITTED = "few_patients_fitted"
    FEW_IMAGES_FITTED = "few_images_fitted"
    UNINFORMATIVE_SCORES = "uninformative_scores"
    # Testing and its intervals.
    TESTING_OF_ONE_CLASS = "testing_of_one_class"
    CLASSES_WITHOUT_IMAGES = "classes_without_images"
    FEW_PATIENTS = "few_patients"
    NO_INTERVAL = "no_interval"
    # Patients as units, and two runs compared.
    PATIENTS_ALIKE = "patients_alike"
    SAME_PROBABILITIES = "same_probabilities"
    FEW_PATIENTS_COMPARED = "few_patients_compared"


@dataclasses.dataclass(frozen=True)
class Remark:
    """One fact beside the figures.

    Attributes:
        kind: one of `Kind`, or what a later version wrote.
        values: name of a value -> number, text or names.
    """

    kind: str
    values: Mapping[str, Value] = dataclasses.field(default_factory=dict)


def remark(kind: Kind, **values: Value) -> Remark:
    """Returns a remark with its values."""
    return Remark(kind, values)
