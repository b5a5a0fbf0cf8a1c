"""What a reader must know beside the figures: values, and the one place that makes sentences.

A value in braces may be given a noun: `{patients:patient}` is `1 patient` or `2 patients`. Of a
list, `{figures:3}` names the first three.
"""

import dataclasses
import math
import string
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from cancernet.base.words import counted, some

# Fewer patients with images of a class than this are said to be few.
FEW_PATIENTS = 10

# A mean probability that is off by more log odds than this is reported: odds twice or half as high.
BADLY_CALIBRATED = math.log(2)

# The share of unseen patients' images that the threshold calls unlike the training images, about.
UNLIKE_SHARE = 0.01

Value = int | float | str | tuple[str, ...]


class Kind(StrEnum):
    """What a remark says; its values are named in its sentence."""

    # The choice of an operating point.
    VALIDATION_OF_ONE_CLASS = "validation_of_one_class"
    TIED_SCORES = "tied_scores"
    NO_BETTER_THAN_CHANCE = "no_better_than_chance"
    FEW_PATIENTS_CHOSE = "few_patients_chose"
    FEW_VALIDATED_FOLDS = "few_validated_folds"
    STAND_INS_IN_FOLDS = "stand_ins_in_folds"
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
    CLASSES_OF_ONE_PATIENT = "classes_of_one_patient"  # the same, and why
    MANY_UNLIKE_TRAINING = "many_unlike_training"
    BADLY_CALIBRATED = "badly_calibrated"
    FEW_PATIENTS = "few_patients"
    NO_INTERVAL = "no_interval"
    SENTENCE = "sentence"  # of a record that knew remarks as sentences only
    # Patients as units, and two runs compared.
    PATIENTS_ALIKE = "patients_alike"
    SAME_PROBABILITIES = "same_probabilities"
    FEW_PATIENTS_COMPARED = "few_patients_compared"


@dataclasses.dataclass(frozen=True)
class Remark:
    """One fact beside the figures; its kind is of `Kind`, or what a later version wrote."""

    kind: str
    values: Mapping[str, Value] = dataclasses.field(default_factory=dict)


def remark(kind: Kind, **values: Value) -> Remark:
    """Returns a remark with its values."""
    return Remark(kind, values)


# Figures whose name is not their name in `metrics.json` with spaces.
FIGURES = {
    "f1": "F1",
    "mcc": "Matthews correlation",
    "roc_auc": "AUC",
    "pr_auc": "average precision",
    "brier": "Brier score",
}

SENTENCES = {
    Kind.VALIDATION_OF_ONE_CLASS: (
        "All validation images are {only}, so no threshold can be chosen on them and "
        "{threshold:g} is used instead. Validate on images of both classes."
    ),
    Kind.TIED_SCORES: (
        "The next higher threshold that the validation scores can tell apart reaches a "
        "sensitivity of only {following:.4f}; this one reaches {sensitivity:.4f}."
    ),
    Kind.NO_BETTER_THAN_CHANCE: (
        "On validation this threshold separates the classes no better than chance "
        "(sensitivity {sensitivity:.3f}, specificity {specificity:.3f})."
    ),
    Kind.FEW_PATIENTS_CHOSE: (
        "The operating point was chosen on positives of {with_positives:patient} and negatives "
        "of {with_negatives:patient}; other validation patients may well give another threshold."
    ),
    Kind.FEW_VALIDATED_FOLDS: (
        "In {few} of {folds} folds, fewer than {fewest} patients were used for validation; with "
        "other patients the operating points of these folds may well differ."
    ),
    Kind.STAND_INS_IN_FOLDS: (
        "In {count} of {folds} folds all validation images were of one class, so that no operating "
        "point could be chosen on them."
    ),
    Kind.THRESHOLD_GIVEN: "A fixed threshold does not depend on patients.",
    Kind.NO_SPREAD_OF_ONE_CLASS: "All validation images are of one class.",
    Kind.NO_SPREAD_OF_ONE_PATIENT: "One patient cannot be resampled.",
    Kind.NO_DRAW_OF_BOTH_CLASSES: "No resample of the patients held both classes.",
    Kind.CALIBRATED_BY_FOLD: "Each fold has its own correction; see the table of folds.",
    Kind.NOT_CALIBRATED_ON_ONE_CLASS: (
        "Nothing was fitted on validation: all its images are of one class."
    ),
    Kind.NOTHING_MISCLASSIFIED: (
        "No temperature was fitted: no validation image is misclassified, so that the fit would "
        "drive it to 0."
    ),
    Kind.TEMPERATURE_SHRUNK: (
        "The {patients:validation patient} alone would give a temperature of {alone:.3g}; so few "
        "patients get a weight of {weight:.0%}, which makes it {temperature:.3g}."
    ),
    Kind.FEW_PATIENTS_FITTED: (
        "The fit rests on only {patients:patient} and may well be wrong for others."
    ),
    Kind.FEW_IMAGES_FITTED: (
        "Isotonic calibration on only {images:image} follows chance; temperature scaling is safer."
    ),
    Kind.UNINFORMATIVE_SCORES: (
        "The best temperature is at its upper bound: these scores carry no information."
    ),
    Kind.TESTING_OF_ONE_CLASS: (
        "All testing images are {only}: figures that need both classes are undefined."
    ),
    Kind.CLASSES_WITHOUT_IMAGES: (
        "These classes have no testing image and are left out of the averages: {names}."
    ),
    Kind.CLASSES_OF_ONE_PATIENT: (
        "These classes have only one {unit} each, which trains in every fold; they are not judged, "
        "and the averages leave them out: {names}."
    ),
    Kind.MANY_UNLIKE_TRAINING: (
        "{unlike} of {images:image} ({share:.1%}) are unlike the training images, so the "
        "model has no basis for its answers on them."
    ),
    Kind.BADLY_CALIBRATED: (
        "The probabilities cannot be taken at face value: their mean on testing is {mean:.3f}, "
        "where the share of positive images, {share:.3f}, would be right (calibration in the large "
        "{in_the_large:+.2f} instead of 0)."
    ),
    Kind.FEW_PATIENTS: (
        "The {level:.0%} intervals rest on {patients:patient} ({with_positives} with positives, "
        "{with_negatives} with negatives), too few to be trusted: they show how these patients "
        "differ, not how other patients would fare."
    ),
    Kind.NO_INTERVAL: (
        "No interval is given for {figures}: undefined, or without any spread among these "
        "patients. That means too few or too similar patients, not certainty."
    ),
    Kind.SENTENCE: "{text}",
    Kind.PATIENTS_ALIKE: (
        "All {patients:patient} are {only}, so there is no ranking of patients to judge."
    ),
    Kind.SAME_PROBABILITIES: "The two runs gave every image the same probabilities.",
    Kind.FEW_PATIENTS_COMPARED: (
        "These intervals rest on only {patients:patient}: a difference between the runs may be "
        "a difference between these patients."
    ),
}

_FEW = "few {unit}s: on other {unit}s these figures may differ considerably"
# What a terminal says after a training; several kinds may come to the same.
SHORT: dict[str, str] = {
    Kind.VALIDATION_OF_ONE_CLASS: "validation has one class: no operating point could be chosen",
    Kind.TIED_SCORES: "tied scores: the sensitivity is higher than was asked for",
    Kind.NO_BETTER_THAN_CHANCE: "on validation the calls are no better than chance",
    Kind.FEW_PATIENTS_CHOSE: _FEW,
    Kind.FEW_VALIDATED_FOLDS: _FEW,
    Kind.STAND_INS_IN_FOLDS: "in some folds no operating point could be chosen",
    Kind.TESTING_OF_ONE_CLASS: "testing has one class: figures that need both are undefined",
    Kind.CLASSES_WITHOUT_IMAGES: "some classes have no testing image",
    Kind.CLASSES_OF_ONE_PATIENT: "classes of only one {unit} are not judged",
    Kind.MANY_UNLIKE_TRAINING: "{share:.1%} of the testing images are unlike the training images",
    Kind.BADLY_CALIBRATED: (
        "on testing the mean probability is {mean:.2f}, but the share of positives is {share:.2f}"
    ),
    Kind.FEW_PATIENTS: _FEW,
    Kind.NO_INTERVAL: "no interval is given for {figures:3}",
}

RULES = {
    "youden": "highest sensitivity + specificity (Youden)",
    "smoothed": (
        "highest sensitivity + specificity (Youden) on average when a patient's scores lie higher "
        "or lower as a whole (logistic, scale {number:g} in log odds), pulled towards the "
        "threshold expected beforehand when few patients validate"
    ),
    "sensitivity": "highest threshold with a sensitivity of at least {number:g}",
    "cost": "lowest cost when a missed positive costs as much as {number:g} false alarms",
    "fixed": "fixed threshold {number:g}",
    "stand-in": "none: {number:g} stands in, because validation had one class only",
}
# Where the threshold of a rule is from; of every other rule it is chosen.
ORIGINS = {
    "fixed": "given, not chosen on validation",
    "stand-in": "not chosen on validation",
}
CHOSEN = "chosen on validation, never on testing"

CORRECTIONS = {
    "none": "none: probabilities as the network gives them",
    "temperature": "temperature {temperature:.3g}, fitted on validation",
    "isotonic": "isotonic line with {corners} corners, fitted on validation",
}
CORRECTIONS_WITHOUT_WEIGHTS = {
    "none": "class weights taken out",
    "temperature": (
        "temperature {temperature:.3g}, fitted on validation, then class weights taken out"
    ),
    "isotonic": CORRECTIONS["isotonic"],  # the line takes them out
}

CALIBRATION_ERROR = (
    "The expected calibration error (ECE) is never negative: the scatter within each bin adds "
    "to it, so even a perfectly calibrated network gets more than 0 on a finite set. Compare it "
    "with the value under perfect calibration on as many images. Images of one patient scatter "
    "together, which makes that value too small."
)


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, tuple):
            return some(value, int(format_spec or len(value)))
        if len(format_spec) > 1 and format_spec.replace(" ", "").isalpha():
            return counted(value, format_spec)
        text = str(super().format_field(value, format_spec))
        return text.replace("%", " %") if format_spec.endswith("%") else text


def sentence(remark: Remark) -> str:
    """Returns the sentence of a remark; of a kind that a later version wrote, its name."""
    if remark.kind not in SENTENCES:
        return f"{figure_name(remark.kind)}."
    return _filled(SENTENCES[Kind(remark.kind)], remark.values)


def _filled(text: str, values: Mapping[str, Value]) -> str:
    if isinstance(named := values.get("figures"), tuple):
        values = {**values, "figures": tuple(map(figure_name, named))}
    return _Formatter().format(text, **values)


def sentences(remarks: Iterable[Remark]) -> tuple[str, ...]:
    """Returns the sentence of each remark."""
    return tuple(map(sentence, remarks))


def short_sentences(remarks: Iterable[Remark], unit: str) -> list[str]:
    """Returns the remarks in a few words each, without repetitions."""
    found = (
        _filled(SHORT[one.kind], {**one.values, "unit": unit})
        if one.kind in SHORT
        else sentence(one).removesuffix(".")
        for one in remarks
    )
    return list(dict.fromkeys(found))


def rule(name: str, number: float) -> str:
    """Returns in words what chose a threshold; both are those of an `OperatingPoint`."""
    return RULES.get(name, name).format(number=number)


def figure_name(name: str) -> str:
    """Returns what a reader calls a figure of `metrics.json`."""
    return FIGURES.get(name, name.replace("_", " "))
