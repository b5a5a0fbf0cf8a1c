"""Prepares a model of another system for an evaluation: it has no operating point of its own.

`--rule fixed --threshold` gives one, or another rule chooses one on the validation images of the
built data set on whose testing images the model is then judged.
"""

import dataclasses
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.dataset.build_record import BUILD, BuildRecord, read_build
from cancernet.evaluation.evaluate_run import rule_of_settings, score_labelled
from cancernet.evaluation.labelled_images import read_labelled
from cancernet.evaluation.run_results import FinishedRun, classes_of
from cancernet.evaluation.settings import EvaluationSettings
from cancernet.measures.assess import VALIDATION, ScoreSet
from cancernet.measures.decisions import Rule
from cancernet.measures.operating_point import choose_operating_point, given_point
from cancernet.scoring.predictor import Predictor


def refuse_incomplete(named: Path, settings: EvaluationSettings) -> None:
    """Raises CancerNetError unless the settings name a model's images and its operating point."""
    data, rule = settings.data, settings.rule
    if data is None:
        raise CancerNetError(
            f"{named} is a model without a run folder, so that it has no testing images; name "
            "labelled images with --data"
        )
    if rule is None or (rule != "fixed" and not (data / BUILD).is_file()):
        raise CancerNetError(
            f"{named} has no operating point; give one with --rule fixed --threshold X, or name a "
            "data set of build_dataset.py with --data, whose validation images choose one by "
            "another --rule"
        )
    if rule != "fixed" and settings.split not in (None, "testing"):
        raise CancerNetError(
            f"--rule {rule} chooses the operating point on the validation images, so that only "
            "testing images can be judged; leave out --split"
        )


def classes_in(data: Path | None) -> BuildRecord | None:
    """Returns the record of a built data set, which names its classes; None for other images."""
    return read_build(data) if data is not None and (data / BUILD).is_file() else None


def ready(model: Predictor, settings: EvaluationSettings) -> tuple[FinishedRun, EvaluationSettings]:
    """Gives a model its operating point; returns it with the settings that judge it.

    `settings` are some that `refuse_incomplete` lets through.

    Raises:
        CancerNetError: validation images that do not fit or cannot be read.
    """
    rule = rule_of_settings(settings, {})
    assert settings.data is not None and rule is not None
    if rule.name == "fixed":
        scores = ScoreSet(
            **vars(classes_of(model.run)), scored={}, operating_point=given_point(rule.threshold)
        )
        return FinishedRun(run=model.run, scores=scores, model=model), settings
    scores = _chosen_on_validation(model, settings.data, rule)
    testing = dataclasses.replace(settings, split="testing")
    return FinishedRun(run=model.run, scores=scores, model=model), testing


def _chosen_on_validation(model: Predictor, data: Path, rule: Rule) -> ScoreSet:
    images = read_labelled(data, model.run, split=VALIDATION)
    validation, _ = score_labelled(images, model)
    classes = classes_of(model.run)
    return ScoreSet(
        **vars(classes),
        scored={VALIDATION: validation},
        operating_point=choose_operating_point(classes.calls_of(validation), rule),
    )
