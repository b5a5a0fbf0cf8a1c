"""What `evaluate_model.py` does with its flags."""

import dataclasses
from pathlib import Path

from cancernet.base.errors import EXIT_OK, CancerNetError
from cancernet.base.files import sha256_of, write_json, write_text
from cancernet.base.staging import made_beside
from cancernet.base.words import NOTICE, counted, images_of
from cancernet.evaluation import compare_runs, comparison_page
from cancernet.evaluation.evaluate_run import Examined, Wishes, examine
from cancernet.evaluation.evaluation_record import EVALUATION, EvaluationRecord
from cancernet.evaluation.evaluation_report import predictive, report_content
from cancernet.evaluation.run_results import PREDICTIONS, FinishedRun, read_finished
from cancernet.measures.assess import write_predictions
from cancernet.report.formatting import interval, number
from cancernet.report.page import write_report
from cancernet.report.terminal import text_report
from cancernet.runs import run_folder
from cancernet.runs.metrics_file import metrics_of, write_metrics

EVALUATIONS = "evaluations"
SETTING_OF = {"sensitivity": "target_sensitivity", "cost": "cost_ratio", "fixed": "threshold"}
GROUP_FIGURES = ("sensitivity", "specificity", "balanced_accuracy", "roc_auc")


def evaluate_command(folder: Path, wishes: Wishes, *, output: Path | None, command: str) -> int:
    """Judges a finished run once more, prints the figures and writes a folder of its own.

    Args:
        folder: the run folder; nothing that is in it changes.
        wishes: what to judge and how.
        output: a new folder; None for `<run>/evaluations/<name>`.
        command: the command line, for the record.

    Returns:
        0, or 1 when some images could not be read.

    Raises:
        CancerNetError: bad input; the message says what to do.
    """
    finished = read_finished(folder)
    found = examine(finished, wishes)
    target = output or free_folder(folder / EVALUATIONS, _name(wishes, found))
    with made_beside(target) as staging:
        _write(staging, finished, found, wishes, command)
    print(_as_text(finished, found, wishes))
    print(f"Report: {target / 'report.html'}")
    print(NOTICE)
    return found.exit_code


def compare_command(first: Path, second: Path, *, output: Path | None) -> int:
    """Compares two runs on one testing set; prints, and writes a page and its figures.

    Raises:
        CancerNetError: not the same testing images, or no finished runs.
    """
    sides = compare_runs.read_side(first), compare_runs.read_side(second)
    found = compare_runs.compare_sides(*sides)
    name = f"compared-with-{Path(second).resolve().name}"
    target = output or free_folder(Path(first) / EVALUATIONS, name)
    with made_beside(target) as staging:
        write_json(staging / "comparison.json", compare_runs.as_dict(found, *sides))
        page = comparison_page.page(found, *sides)
        write_text(staging / "comparison.html", page)
    print(compare_runs.as_text(found, *sides))
    print(f"Page: {target / 'comparison.html'}")
    print(NOTICE)
    return EXIT_OK


def free_folder(parent: Path, name: str) -> Path:
    """Returns `parent/name`, or with the first free number behind it."""
    number_, folder = 1, parent / name
    while folder.exists():
        number_ += 1
        folder = parent / f"{name}-{number_}"
    return folder


def _name(wishes: Wishes, found: Examined) -> str:
    base = found.name if wishes.data is not None else "own-testing-set"
    return base if wishes.rule is None else f"{base}-{wishes.rule}"


def _write(
    folder: Path, finished: FinishedRun, found: Examined, wishes: Wishes, command: str
) -> None:
    content = report_content(finished, found, wishes, command)
    write_predictions(folder / PREDICTIONS, found.testing, found.assessment)
    write_report(content, folder)
    metrics = dataclasses.replace(
        metrics_of(found.assessment),
        subgroups={column: tuple(rows) for column, rows in found.subgroups.items()},
        predictive_values=tuple(predictive(found, wishes)),
    )
    write_metrics(folder, metrics)
    run, dataset = finished.run, finished.run.record.dataset
    record = EvaluationRecord(
        run=run.name,
        run_checksum=run.record.checksum or "",
        data=found.name,
        images=found.how,
        fingerprint="" if wishes.data else dataset.fingerprint,
        content=found.content or dataset.testing_content,
        positive=run.positive,
        operating_point=found.assessment.operating_point,
        calibration=found.assessment.calibration,
        left_out=found.left_out,
        leak=found.leak,
        drawn=found.drawn,
        command=command,
        made=run_folder.now(),
        predictions=sha256_of(folder / PREDICTIONS),
    )
    write_json(folder / EVALUATION, record)


def _as_text(finished: FinishedRun, found: Examined, wishes: Wishes) -> str:
    lines = [f"Run {finished.run.folder} judged on {found.name} ({found.how})"]
    if found.drawn:
        lines.append("WARNING: drawn images; the figures mean nothing for tissue")
    lines += [f"WARNING: {sentence}" for sentence in filter(None, [found.leak, *found.remarks])]
    for reason, count in found.left_out.items():
        lines.append(f"left out: {counted(count, 'file')}, {reason}")
    lines += ["", text_report(found.assessment).rstrip()]
    for column, rows in found.subgroups.items():
        lines += ["", f"By {column}"]
        for row in rows:
            cells = "  ".join(
                f"{name.replace('_', ' ')} {number(row[name])} {interval(row['limits'][name])}"
                for name in GROUP_FIGURES
            )
            lines.append(f"  {row['group']}: {images_of(row['images'], row['patients'])}: {cells}")
    for at in predictive(found, wishes):
        lines += [
            "",
            f"At a prevalence of {100 * at['prevalence']:.3g}%: a positive call is right in "
            f"{number(at['positive_predictive_value'])} {interval(at['positive_limits'])}, a "
            f"negative one in {number(at['negative_predictive_value'])} "
            f"{interval(at['negative_limits'])}; {number(at['calls_per_hundred'], 1)} calls in "
            "100 images",
        ]
    return "\n".join(lines)


def with_rule_settings(wishes: Wishes, **given: float | None) -> Wishes:
    """Returns the wishes with the rule settings that were given."""
    settings = {name: value for name, value in given.items() if value is not None}
    if settings and wishes.rule is None:
        raise CancerNetError("--target-sensitivity, --cost-ratio and --threshold go with --rule")
    for name in settings:
        if name != SETTING_OF.get(str(wishes.rule)):
            flag = name.replace("_", "-")
            raise CancerNetError(f"--{flag} has no meaning with --rule {wishes.rule}; leave it out")
    return dataclasses.replace(wishes, rule_settings=settings)
