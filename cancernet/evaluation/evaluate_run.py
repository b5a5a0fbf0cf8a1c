"""A finished run judged once more: on other data, in groups, or by another rule."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.errors import EXIT_OK, EXIT_SOME_FAILED, CancerNetError
from cancernet.base.words import counted, some
from cancernet.catalog.patient_id import patient_key
from cancernet.evaluation.labelled_images import Labelled, read_labelled
from cancernet.evaluation.run_results import FinishedRun
from cancernet.evaluation.settings import EvaluationSettings
from cancernet.evaluation.trained_on import fingerprints, leak_of, own_folder, trained_on, unchecked
from cancernet.measures import scored as scores
from cancernet.measures.assess import Assessment, assess_at
from cancernet.measures.classes import Classes
from cancernet.measures.resampling.subgroups import NOT_GIVEN, read_columns, subgroup_rows
from cancernet.measures.scored import Scored
from cancernet.measures.validation.operating_point import choose_operating_point
from cancernet.measures.validation.point import OperatingPoint
from cancernet.report.content import say_unit
from cancernet.runs import run_folder
from cancernet.runs.run_folder import Run
from cancernet.scoring.predictor import Failure, Predictor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examined:
    """What came of it.

    Attributes:
        name: of the data.
        how: which images, in words.
        folder: that the images' paths are relative to; None where it is not known.
        testing: scored images.
        assessment: the figures at the operating point.
        subgroups: column to rows of `subgroup_rows`.
        left_out: reason to number of files that were not judged.
        leak: what the run knew of these images before; empty when nothing.
        leak_as_built: the same without what an audit found since.
        drawn: whether they, or the run's own, were drawn by a program.
        remarks: sentences that a reader must see.
        own: whether they are of the run's own data set.
        content: digest of the images with their truth; empty for the run's own.
        exit_code: 1 when some images could not be read.
    """

    name: str
    how: str
    folder: Path | None
    testing: Scored
    assessment: Assessment
    subgroups: dict[str, list[dict[str, Any]]]
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
        testing, name, how = finished.testing, "own testing set", "as scored when it was trained"
        leak, seen, drawn, folder = leak_of(run), "", run.drawn, own_folder(run)
    else:
        labelled = read_labelled(settings.data, run, split=settings.split)
        testing, failures = score_labelled(labelled, run)
        exit_code = EXIT_SOME_FAILED if failures else EXIT_OK
        left_out = {**labelled.left_out, **failures}
        name, how, drawn = labelled.name, labelled.how, labelled.drawn or run.drawn
        own = bool(labelled.fingerprint) and labelled.fingerprint in fingerprints(run)
        seen, folder = trained_on(labelled, run), labelled.folder
        leak = " ".join(filter(None, [leak_of(run) if own else "", seen]))
        content = labelled.content(run.classes)
        remarks += filter(
            None, [labelled.respelled, labelled.unknown_patients, unchecked(labelled, run)]
        )
    point = finished.point if settings.rule is None else choose_again(finished, settings)
    if settings.rule is not None:
        remarks.append(
            f"The operating point is not the run's own: {point.rule}, {point.origin}; the "
            "validation figures are of the run's stored predictions."
        )
    assessment = assess_at(
        point,
        finished.validation,
        testing,
        Classes(classes=run.classes, words=run.words, positive=run.positive),
        calibration=run.calibration,
        seed=finished.seed,
    )
    return Examined(
        name=name,
        how=how,
        folder=folder,
        testing=testing,
        assessment=assessment,
        subgroups=_subgroups(settings.subgroups, testing, assessment, finished.seed),
        left_out=left_out,
        leak=leak,
        leak_as_built=" ".join(filter(None, [run.leak if own else "", seen])),
        drawn=drawn,
        remarks=remarks,
        own=own,
        content=content,
        exit_code=exit_code,
    )


def score_labelled(labelled: Labelled, run: Run) -> tuple[Scored, dict[str, int]]:
    """Scores labelled images from their files, as predict.py would.

    Returns:
        The scored images, and reason to number of those that could not be read; each
        is named on stderr.

    Raises:
        CancerNetError: not one could be read.
    """
    from tqdm import tqdm

    # The model is what will be used now, so that it is verified now.
    predictor = Predictor(run_folder.open_run(run.folder))
    kept: list[int] = []
    rows: list[list[float]] = []
    failures: dict[str, int] = {}
    results = predictor.predict_many(labelled.folder / path for path in labelled.paths)
    bar = tqdm(results, "Scoring", len(labelled.paths), unit=" images", disable=None)
    for place, result in enumerate(bar):
        if isinstance(result, Failure):
            print(f"error: {result.path}: {result.error}", file=sys.stderr)
            failures["cannot be read"] = failures.get("cannot be read", 0) + 1
        else:
            kept.append(place)
            rows.append(list(result.probabilities.values()))
    if not kept:
        raise CancerNetError(f"not one of {len(labelled.paths):,} images could be read")
    return (
        Scored(
            paths=[labelled.paths[place] for place in kept],
            patients=[labelled.patients[place] for place in kept],
            truth=labelled.labels[kept],
            probabilities=np.array(rows, dtype=np.float64),
        ),
        failures,
    )


def choose_again(finished: FinishedRun, settings: EvaluationSettings) -> OperatingPoint:
    """Chooses an operating point by another rule, on stored validation predictions only."""
    rule_settings: dict[str, Any] = {
        name: finished.settings[name]
        for name in ("target_sensitivity", "cost_ratio", "threshold")
        if name in finished.settings
    }
    rule_settings.update(settings.rule_settings)
    columns = scores.positive_indices(finished.run.classes, finished.run.positive)
    try:
        return choose_operating_point(
            scores.positive_truth(finished.validation, columns),
            scores.positive_score(finished.validation.probabilities, columns),
            rule=str(settings.rule),
            patients=finished.validation.patients,
            **rule_settings,
        )
    except ValueError as error:
        raise CancerNetError(str(error)) from None


def _subgroups(
    table: Path | None, testing: Scored, assessment: Assessment, seed: int
) -> dict[str, list[dict[str, Any]]]:
    if table is None:
        return {}
    key, columns = read_columns(table)
    by_patient = key == "patient"
    keys = [patient_key(name) for name in testing.patients] if by_patient else testing.paths
    known = set().union(*columns.values())
    if not known & set(keys):
        raise CancerNetError(
            f"{table} names none of the {len(set(keys)):,} {key}s that were tested, such as "
            f"{next(iter(keys))}; its column `{key}` must use the same names"
        )
    where = assessment.positive_indices
    strangers = sorted(known - set(keys))
    if strangers:
        print(
            f"{table}: {counted(len(strangers), key)} not tested, passed over ({some(strangers)})",
            file=sys.stderr,
        )
    truth = scores.positive_truth(testing, where)
    score = scores.positive_score(testing.probabilities, where)
    found = {
        name: subgroup_rows(
            truth,
            score,
            assessment.operating_point.threshold,
            testing.patients,
            group,
            keys=keys,
            seed=seed,
        )
        for name, group in columns.items()
    }
    # Nobody wants a table of the one group that was not given.
    return {name: rows for name, rows in found.items() if [r["group"] for r in rows] != [NOT_GIVEN]}
