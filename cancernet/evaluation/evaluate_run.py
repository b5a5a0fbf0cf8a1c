"""Judges a finished run once more: on other data, by groups, or by another rule."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.console import progress_bar
from cancernet.base.errors import EXIT_OK, EXIT_SOME_FAILED, CancerNetError
from cancernet.context.judge import ContextAssessment, assess_judged
from cancernet.dataset.build_record import BUILD, BuildRecord, read_build
from cancernet.evaluation.labelled_images import Labelled, read_labelled
from cancernet.evaluation.run_results import FinishedRun, classes_of, in_context
from cancernet.evaluation.settings import EvaluationSettings
from cancernet.evaluation.subgroups import SubgroupRow, subgroups
from cancernet.evaluation.trained_on import fingerprints, leak_of, own_folder, trained_on, unchecked
from cancernet.measures.assess import TESTING, VALIDATION, Assessment, ScoreSet
from cancernet.measures.call_value import PredictiveRow, predictive_rows
from cancernet.measures.decisions import Rule, rule_of
from cancernet.measures.operating_point import choose_operating_point, given_point
from cancernet.measures.scored import Scored, added_up
from cancernet.report.content import say_unit
from cancernet.scoring.prediction import Failure
from cancernet.scoring.predictor import Predictor

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examined:
    """The result of judging a run once more.

    Attributes:
        how: which images, in words.
        folder: that the images' paths are relative to; None where it is not known.
        assessment: the scores, and their figures at the operating point; in context where the
            run judges so, the images have places and --alone was not given.
        context: the further facts about figures in context; None where each patch is judged
            alone.
        subgroups: column -> rows of `subgroup_rows`.
        predictive: predictive values at the prevalences that were asked for.
        left_out: reason -> number of files that were not judged.
        leak: which of these images or patients the run was trained on; empty for none.
        leak_as_built: the same without what an audit has found since.
        drawn: whether these images, or the run's own, were drawn by a program.
        remarks: sentences that a reader must see.
        own: whether the images are of the run's own data set.
        content: digest of the images with their truth; empty for the run's own.
        exit_code: 1 when some images could not be read, or rows of a table have no file.
    """

    name: str
    how: str
    folder: Path | None
    assessment: Assessment
    context: ContextAssessment | None
    subgroups: dict[str, list[SubgroupRow]]
    predictive: list[PredictiveRow]
    left_out: dict[str, int]
    leak: str
    leak_as_built: str
    drawn: bool
    remarks: list[str]
    own: bool
    content: str
    exit_code: int


def examine(finished: FinishedRun, settings: EvaluationSettings) -> Examined:
    """Judges a finished run; its calibration, and without a rule its operating point, stay.

    Raises:
        CancerNetError: data that cannot be judged, a table that does not fit.
    """
    run = finished.run
    remarks = say_unit(run.record.dataset.unit)
    exit_code, left_out, content, own = EXIT_OK, {}, "", True
    if settings.data is None:
        name, how = "own testing set", "as scored when it was trained"
        testing = finished.scores.scored[TESTING]
        leak, seen, drawn, folder = leak_of(run), "", run.drawn, own_folder(run)
    else:
        labelled = read_labelled(
            settings.data,
            run,
            split=settings.split,
            patient_table=settings.patient_table,
            columns=settings.columns,
            labels=settings.labels,
        )
        testing, failures = score_labelled(labelled, finished.open())
        exit_code = EXIT_SOME_FAILED if failures or labelled.missing else EXIT_OK
        left_out = {**labelled.left_out, **failures}
        name, how, drawn = labelled.name, labelled.how, labelled.drawn or run.drawn
        own = bool(labelled.fingerprint) and labelled.fingerprint in fingerprints(run)
        seen, folder = trained_on(labelled, run), labelled.folder
        leak = " ".join(filter(None, [leak_of(run) if own else "", seen]))
        content = labelled.content(run.classes)
        notes = [labelled.respelled, labelled.unknown_patients, unchecked(labelled, run)]
        remarks += filter(None, notes)
    scores = finished.scores
    scores = dataclasses.replace(scores, scored={**scores.scored, TESTING: testing})
    rule = None if finished.model else rule_of_settings(settings, finished.settings)
    if rule is not None:
        scores, remark = _at_the_point_of(rule, scores)
        remarks.append(remark)
    around = None if settings.alone else in_context(scores, run.record.context, rule)
    assessment, context = assess_judged(around or scores, seed=finished.seed)
    table, expected, seed = settings.subgroups, settings.prevalence, finished.seed
    groups = subgroups(table, assessment, seed=seed, columns=settings.columns) if table else {}
    predictive = predictive_rows(assessment.calls(), expected, seed=seed) if expected else []
    return Examined(
        name=name,
        how=how,
        folder=folder,
        assessment=assessment,
        context=context,
        subgroups=groups,
        predictive=predictive,
        left_out=left_out,
        leak=leak,
        leak_as_built=" ".join(filter(None, [run.leak if own else "", seen])),
        drawn=drawn,
        remarks=remarks,
        own=own,
        content=content,
        exit_code=exit_code,
    )


def _at_the_point_of(rule: Rule, scores: ScoreSet) -> tuple[ScoreSet, str]:
    """Chooses the operating point again, on validation, and says so."""
    rule = scores.calibration.expecting(rule, scores.positive_indices)
    point = choose_operating_point(scores.calls(VALIDATION), rule)
    return dataclasses.replace(scores, operating_point=point), (
        f"The operating point is not the run's own: {point.rule}, {point.origin}; the "
        "validation figures are of the run's stored predictions."
    )


def score_labelled(labelled: Labelled, predictor: Predictor) -> tuple[Scored, dict[str, int]]:
    """Scores labelled images from their files, as predict.py would.

    Returns:
        The scored images, and reason -> number of those that could not be read; each
        is logged by name.

    Raises:
        CancerNetError: not one could be read.
    """
    kept: list[int] = []
    rows: list[list[float]] = []
    unlike: list[bool | None] = []
    failures: dict[str, int] = {}
    results = predictor.predict_many(labelled.folder / path for path in labelled.paths)
    bar = progress_bar(results, title="Scoring", total=len(labelled.paths))
    for place, result in enumerate(bar):
        if isinstance(result, Failure):
            _log.error("%s: %s", result.path, result.error)
            failures["cannot be read"] = failures.get("cannot be read", 0) + 1
        else:
            kept.append(place)
            rows.append(list(result.probabilities.values()))
            unlike.append(result.unlike_training)
    if not kept:
        raise CancerNetError(f"not one of {len(labelled.paths):,} images could be read")
    return (
        Scored(
            paths=[labelled.paths[place] for place in kept],
            patients=[labelled.patients[place] for place in kept],
            truth=labelled.labels[kept],
            probabilities=np.array(rows, dtype=np.float64),
            unlike=added_up(unlike),
        ),
        failures,
    )


def rule_of_settings(settings: EvaluationSettings, trained: Mapping[str, Any]) -> Rule | None:
    """Returns the rule that chooses the operating points; None where none was given.

    What it does not say, the settings of the training do.
    """
    if settings.rule is None:
        return None
    try:
        return rule_of(settings.over(trained))
    except ValueError as error:
        raise CancerNetError(str(error)) from None


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
    """Gives a model of another system its operating point; returns it with settings to judge it.

    `--rule fixed --threshold` gives one, or another rule chooses one on the validation images of
    the built data set on whose testing images the model is then judged. `settings` are some that
    `refuse_incomplete` lets through.

    Raises:
        CancerNetError: validation images that do not fit or cannot be read.
    """
    rule = rule_of_settings(settings, {})
    assert settings.data is not None and rule is not None
    classes, scored = classes_of(model.run), {}
    if rule.name == "fixed":
        point = given_point(rule.threshold)
    else:
        images = read_labelled(settings.data, model.run, split=VALIDATION)
        scored[VALIDATION], _ = score_labelled(images, model)
        point = choose_operating_point(classes.calls_of(scored[VALIDATION]), rule)
        settings = dataclasses.replace(settings, split="testing")
    scores = ScoreSet(**vars(classes), scored=scored, operating_point=point)
    return FinishedRun(run=model.run, scores=scores, model=model), settings
