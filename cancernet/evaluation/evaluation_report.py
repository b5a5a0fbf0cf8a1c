"""What the report of an examination shows: the run, the data, and its own figures beside."""

from collections.abc import Mapping

from cancernet.base.words import counted
from cancernet.evaluation.evaluate_run import Examined, Wishes, examine
from cancernet.evaluation.run_results import FinishedRun, asked_of, flow_of, full_name, history_of
from cancernet.evaluation.trained_on import own_audit
from cancernet.measures.resampling.predictive_values import PredictiveRow, predictive_rows
from cancernet.measures.scored import positive_score, positive_truth
from cancernet.report.content import Beside, FlowStep, ReportContent, TrainingFacts
from cancernet.runs import run_folder
from cancernet.runs.heat_maps import heat_map_of
from cancernet.runs.run_record import Setting


def report_content(
    finished: FinishedRun, found: Examined, wishes: Wishes, command: str
) -> ReportContent:
    """Returns what the report of an examination is made from."""
    run, record = finished.run, finished.run.record
    truth = positive_truth(found.testing, found.assessment.positive_indices)
    judged = FlowStep(
        name="judged here",
        patients=found.assessment.testing["patients"],
        images=len(truth),
        positives=int(truth.sum()),
        note=_judged(found),
    )
    dataset, took = record.dataset, record.training
    return ReportContent(
        title=f"{full_name(run)}: {found.name}",
        assessment=found.assessment,
        validation=finished.validation,
        testing=found.testing,
        asked=asked_of(run, judged_on=f"{found.name} ({found.how})"),
        flow=[*flow_of(run), judged],
        left_out=dataset.left_out,
        split_method=(
            f"{found.name}, {found.how}; the run's own data were divided "
            f"{dataset.split}. Testing figures are those of the images judged here, "
            "validation figures those of the run's own validation images."
        ),
        leak=found.leak_as_built,
        drawn=found.drawn,
        history=history_of(run.folder),
        best_epoch=took.best_epoch if took else None,
        training=TrainingFacts(
            seconds=took.seconds if took else None,
            cpu_seconds=took.cpu_seconds if took else None,
            images_per_second=took.images_per_second if took else None,
            epochs=took.epochs if took else None,
            finished=record.finished or "",
        ),
        command=command,
        seed=finished.seed,
        fingerprint=found.content or dataset.fingerprint,
        settings=_settings(finished, wishes),
        versions=record.versions,
        commit=record.commit,
        created=run_folder.now(),
        remarks=found.remarks,
        beside=_beside(finished, found, wishes),
        image_folder=found.folder,
        heat_map=heat_map_of(run.folder),
        # What leaks between the splits of other data does not here: all of it is new to the run.
        audit=own_audit(run) if found.own else (),
        judged_again=True,
        subgroups=found.subgroups,
        prevalences=wishes.prevalences,
    )


def _judged(found: Examined) -> str:
    reasons = [f"{counted(count, 'file')} left out, {why}" for why, count in found.left_out.items()]
    return "; ".join([found.how, *reasons])


def _settings(finished: FinishedRun, wishes: Wishes) -> Mapping[str, Setting]:
    """The run's settings, but for those of the rule that chose again."""
    if wishes.rule is None:
        return finished.settings
    return {**finished.settings, **wishes.rule_settings, "operating_rule": wishes.rule}


def _beside(finished: FinishedRun, found: Examined, wishes: Wishes) -> list[Beside]:
    """The run's own testing figures beside those of other data, or of another rule."""
    if wishes.data is None and wishes.rule is None:
        return []
    own = examine(finished, Wishes())
    return [
        Beside(
            name="own testing set, own operating point",
            split_method=finished.run.record.dataset.split,
            leak=own.leak,
            metrics=own.assessment.testing,
            limits=own.assessment.intervals["testing"].limits,
            same_images=wishes.data is None,
        )
    ]


def predictive(found: Examined, wishes: Wishes) -> list[PredictiveRow]:
    """Returns the rows of `predictive_rows` at the prevalences that were asked for."""
    if not wishes.prevalences:
        return []
    columns = found.assessment.positive_indices
    return predictive_rows(
        positive_truth(found.testing, columns),
        positive_score(found.testing.probabilities, columns),
        found.assessment.operating_point.threshold,
        found.testing.patients,
        wishes.prevalences,
        seed=found.assessment.intervals["testing"].seed,
    )
