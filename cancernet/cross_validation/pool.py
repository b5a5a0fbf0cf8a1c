"""Pools the predictions of the folds and writes files, figures and report of the whole."""

import dataclasses
from collections.abc import Sequence

from cancernet.context.judge import assess_judged
from cancernet.cross_validation.plan import CrossValidation, joined
from cancernet.dataset.build_record import read_audit
from cancernet.dataset.folds import patient_counts
from cancernet.dataset.manifest import BuiltDataset
from cancernet.dataset.notices import Notice, NoticeKind, say_notice
from cancernet.dataset.splitting import scarce_classes
from cancernet.evaluation.run_results import (
    PREDICTIONS,
    FinishedRun,
    fold_scores,
    pooled_in_context,
    read_besides,
    read_finished,
)
from cancernet.measures.assess import (
    TESTING,
    Assessment,
    FoldScores,
    pool,
    spread_over_folds,
)
from cancernet.measures.remarks import Kind, figure_name, remark
from cancernet.report.content import Asked, FlowStep, Network, ReportContent, say_unit
from cancernet.report.page import write_cards, write_report
from cancernet.report.rendering import number
from cancernet.report.terminal import text_report
from cancernet.runs import run_folder
from cancernet.runs.metrics_file import TrainingSums, metrics_of, write_metrics
from cancernet.runs.run_folder import Run


def write_pooled(whole: CrossValidation) -> ReportContent:
    """Writes predictions.csv, metrics.json, figures and report; returns what the report shows.

    Raises:
        RunError: a fold is not finished, or was altered.
    """
    folder = whole.folder
    finished = [read_finished(folder / fold.name) for fold in whole.record.folds]
    together = pooled_in_context(finished)
    folds = together.folds if together else [fold_scores(one) for one in finished]
    judged, context = assess_judged(together or pool(folds), seed=whole.config.seed)
    pooled = explained(judged, whole.dataset)
    content = dataclasses.replace(_content(whole, pooled, folds, finished[0].run), context=context)
    pooled.write(folder / PREDICTIONS, more=context.columns(TESTING) if context else None)
    metrics = metrics_of(pooled, context, folds)
    write_metrics(folder, dataclasses.replace(metrics, training=_sums(finished)))
    write_report(content, folder)
    write_cards(content, folder)
    return content


def _sums(finished: list[FinishedRun]) -> TrainingSums:
    trained = [one.run.record.training for one in finished if one.run.record.training]
    return TrainingSums(
        seconds=sum(one.seconds for one in trained),
        cpu_seconds=sum(one.cpu_seconds for one in trained),
        epochs=sum(one.epochs for one in trained),
    )


def _content(
    whole: CrossValidation, pooled: Assessment, folds: Sequence[FoldScores], run: Run
) -> ReportContent:
    dataset, config, record = whole.dataset, whole.config, whole.record
    beside, missing = read_besides(record.beside)
    return ReportContent(
        title=whole.folder.resolve().name,
        assessment=pooled,
        folds=folds,
        asked=Asked(
            data_set=f"{dataset.name}: {dataset.title}",
            recipe=record.recipe,
            network=Network(name=config.model, width=config.image_size, height=config.image_size),
            folds_asked=record.asked,
        ),
        flow=_flow(dataset, pooled),
        left_out=dataset.left_out,
        split_method=(
            f"in {len(folds)} folds of whole patients: those tested in a fold are in neither "
            "its training nor its validation. Each fold has its own validation patients, for "
            f"calibration and operating point, some of them in several folds. Seed {config.seed}."
        ),
        leak=run.leak,
        drawn=dataset.drawn,
        command=record.command,
        seed=config.seed,
        fingerprint=dataset.fingerprint,
        settings=dataclasses.asdict(config),
        versions=run.record.versions,
        commit=run.record.commit,
        created=run_folder.now(),
        remarks=[
            *say_unit(dataset.unit),
            *_say_limit(config.limit),
            *missing,
        ],
        audit=read_audit(dataset.folder),
        unit=dataset.unit,
        image_folder=dataset.folder,
        beside=beside,
    )


def explained(pooled: Assessment, dataset: BuiltDataset) -> Assessment:
    """Returns the assessment with the reason why classes have no testing image.

    The only patient of a class trains in every fold (`plan_folds`).
    """
    counts = patient_counts(joined(dataset), len(dataset.classes))[1]
    lone = scarce_classes(counts, dataset, needed=2).tolist()
    names = tuple(dataset.classes[place] for place in lone)
    reason = remark(Kind.CLASSES_OF_ONE_PATIENT, names=names, unit=dataset.unit)
    untested = remark(Kind.CLASSES_WITHOUT_IMAGES, names=names)
    remarks = tuple(reason if one == untested else one for one in pooled.remarks)
    return dataclasses.replace(pooled, remarks=remarks)


def _say_limit(limit: int) -> list[str]:
    return [say_notice(Notice(kind=NoticeKind.TRIAL, count=limit))] if limit else []


def _flow(dataset: BuiltDataset, pooled: Assessment) -> list[FlowStep]:
    images, tested = joined(dataset), pooled.testing
    cells = tested["confusion_matrix"]
    return [
        FlowStep(name="in the set", patients=len(set(images.patients)), images=len(images.paths)),
        FlowStep(
            name="tested once, by the fold that left them out",
            patients=tested["patients"],
            images=tested["images"],
            positives=cells["tp"] + cells["fn"],
        ),
    ]


def pooled_text(content: ReportContent, unit: str) -> str:
    """Returns every figure of the whole and of its folds as text."""
    context = content.context
    text = text_report(content.assessment, unit=unit, context=context)
    lines = [text.rstrip(), "", "Fold by fold", *_fold_lines(content.folds, unit)]
    if context is not None:
        lines += ["", "Fold by fold, each patch alone", *_fold_lines(context.alone_folds, unit)]
    return "\n".join(lines)


def _fold_lines(folds: Sequence[FoldScores], unit: str) -> list[str]:
    lines = [
        f"  {fold.name}: {unit}s {fold.metrics['patients']}, images "
        f"{fold.metrics['images']:,}; AUC {number(fold.metrics['roc_auc'])}, sensitivity "
        f"{number(fold.metrics['sensitivity'])}, specificity "
        f"{number(fold.metrics['specificity'])} at {fold.operating_point.threshold:.3g}"
        for fold in folds
    ]
    for name in ("roc_auc", "balanced_accuracy"):
        mean, spread, defined = spread_over_folds(folds, name)
        lines.append(
            f"  mean {figure_name(name)} over the {defined} folds where it is defined: "
            f"{number(mean)} (standard deviation {number(spread)})"
        )
    return lines
