"""Writes the report and the files of an evaluation, and its text for the screen."""

import dataclasses
from pathlib import Path

from cancernet.base.files import sha256_of, write_json
from cancernet.base.words import counted, images_of
from cancernet.evaluation.evaluate_run import Examined, examine
from cancernet.evaluation.run_results import (
    EVALUATION,
    PREDICTIONS,
    EvaluationRecord,
    FinishedRun,
    asked_of,
    content_of,
)
from cancernet.evaluation.settings import EvaluationSettings
from cancernet.evaluation.trained_on import own_audit
from cancernet.measures.assess import TESTING
from cancernet.measures.remarks import figure_name
from cancernet.report.content import Beside, FlowStep, ReportContent
from cancernet.report.page import write_report
from cancernet.report.rendering import interval, number
from cancernet.report.terminal import text_report
from cancernet.runs import run_folder
from cancernet.runs.metrics_file import Metrics, metrics_of, write_metrics

GROUP_FIGURES = ("sensitivity", "specificity", "balanced_accuracy", "roc_auc")


def write_evaluation(
    folder: Path,
    finished: FinishedRun,
    found: Examined,
    settings: EvaluationSettings,
    *,
    command: str,
) -> None:
    """Writes report, predictions, metrics.json and evaluation.json into a folder.

    `command` is the command line, for the record.
    """
    content = report_content(finished, found, settings, command)
    context = found.context
    found.assessment.write(folder / PREDICTIONS, more=context.columns(TESTING) if context else None)
    write_report(content, folder)
    write_metrics(folder, metrics_found(found))
    run, dataset = finished.run, finished.run.record.dataset
    point, used = found.assessment.operating_point, run.record.context if context else None
    record = EvaluationRecord(
        run=run.name,
        run_checksum=run.record.checksum or "",
        data=found.name,
        images=found.how,
        fingerprint="" if settings.data else dataset.fingerprint,
        content=found.content or dataset.testing_content,
        positive=run.positive,
        operating_point=context.alone.operating_point if context else point,
        calibration=found.assessment.calibration,
        context=used and dataclasses.replace(used, operating_point=point),
        left_out=found.left_out,
        leak=found.leak,
        drawn=found.drawn,
        command=command,
        made=run_folder.now(),
        predictions=sha256_of(folder / PREDICTIONS),
    )
    write_json(folder / EVALUATION, record)


def metrics_found(found: Examined) -> Metrics:
    """Returns the figures of an examination."""
    return dataclasses.replace(
        metrics_of(found.assessment, found.context),
        subgroups={column: tuple(rows) for column, rows in found.subgroups.items()},
        predictive_values=tuple(found.predictive),
    )


def as_text(finished: FinishedRun, found: Examined) -> str:
    """Returns the figures of an evaluation as text, with what a reader must know about them."""
    what = "Model" if finished.model else "Run"
    lines = [f"{what} {finished.run.folder} judged on {found.name} ({found.how})"]
    if found.drawn:
        lines.append("warning: drawn images; the figures mean nothing for tissue")
    lines += [f"warning: {sentence}" for sentence in filter(None, [found.leak, *found.remarks])]
    for reason, count in found.left_out.items():
        lines.append(f"left out: {counted(count, 'file')}, {reason}")
    lines += ["", text_report(found.assessment, context=found.context).rstrip()]
    for column, rows in found.subgroups.items():
        lines += ["", f"By {column}"]
        for row in rows:
            cells = "  ".join(
                f"{figure_name(name)} {number(row[name])} {interval(row.limits[name])}"
                for name in GROUP_FIGURES
            )
            lines.append(f"  {row.group}: {images_of(row.images, row.patients or 0)}: {cells}")
    for at in found.predictive:
        lines += [
            "",
            f"At a prevalence of {100 * at.prevalence:.3g} %: a positive call is right in "
            f"{number(at.positive_predictive_value)} {interval(at.positive_limits)}, a "
            f"negative one in {number(at.negative_predictive_value)} "
            f"{interval(at.negative_limits)}; {number(at.calls_per_hundred, 1)} calls in "
            "100 images",
        ]
    return "\n".join(lines)


def report_content(
    finished: FinishedRun, found: Examined, settings: EvaluationSettings, command: str
) -> ReportContent:
    """Returns what the report of an examination is made from."""
    run, record = finished.run, finished.run.record
    testing = found.assessment.testing
    reasons = [f"{counted(count, 'file')} left out, {why}" for why, count in found.left_out.items()]
    judged = FlowStep(
        name="judged here",
        patients=testing.patients,
        images=testing.images,
        positives=testing.confusion_matrix.fn + testing.confusion_matrix.tp,
        note="; ".join([found.how, *reasons]),
    )
    dataset = record.dataset
    own_data = (
        f"the run's own data were divided {dataset.split}. Testing figures are those of the images "
        "judged here, validation figures those of the run's own validation images."
    )
    # Nobody says what somebody else's model was trained on.
    said = {"data_set": "not known"} if finished.model else {}
    judged_on = f"{found.name} ({found.how})"
    content = content_of(
        run,
        found.assessment,
        title=f"{finished.name}: {found.name}",
        asked=asked_of(run, run=finished.name, judged_on=judged_on, **said),
    )
    return dataclasses.replace(
        content,
        flow=[*content.flow, judged],
        split_method=f"{found.name}, {found.how}" + ("." if finished.model else f"; {own_data}"),
        leak=found.leak_as_built,
        drawn=found.drawn,
        training=dataclasses.replace(content.training, finished=record.finished or ""),
        command=command,
        fingerprint=found.content or dataset.fingerprint,
        settings=settings.over(finished.settings),
        created=run_folder.now(),
        remarks=found.remarks,
        beside=_beside(finished, found, settings),
        image_folder=found.folder,
        # What leaks between the splits of other data does not here: all of it is new to the run.
        audit=own_audit(run) if found.own else (),
        judged_again=True,
        subgroups=found.subgroups,
        prevalences=settings.prevalence,
        context=found.context,
    )


def _beside(finished: FinishedRun, found: Examined, settings: EvaluationSettings) -> list[Beside]:
    """The run's own testing figures beside those of other data, or of another rule."""
    if finished.model or (settings.data is None and settings.rule is None):
        return []
    own = examine(finished, EvaluationSettings(alone=settings.alone))
    return [
        Beside(
            name="own testing set, own operating point",
            split_method=finished.run.record.dataset.split,
            leak=own.leak,
            metrics=own.assessment.testing,
            limits=own.assessment.intervals[TESTING].limits,
            same_images=settings.data is None,
            in_context=own.context is not None,
        )
    ]
