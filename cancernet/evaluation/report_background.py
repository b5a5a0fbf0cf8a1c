"""The sections of a report behind the figures: data, patients, training, how to repeat it."""

from cancernet.config import SPLITS
from cancernet.evaluation import html_pieces as pieces
from cancernet.evaluation.drawing import draw_history
from cancernet.evaluation.html_pieces import decimal
from cancernet.evaluation.report_content import FlowStep, ReportContent

MOST_PATIENTS = 300


def data_flow(content: ReportContent) -> str:
    """Patients and images at every step, and what was left out."""
    boxes = [_flow_box(step) for step in content.flow if step.name not in SPLITS]
    splits = "".join(_flow_box(step) for step in content.flow if step.name in SPLITS)
    if splits:
        boxes.append(f'<div class="splits">{splits}</div>')
    parts = [
        f'<div class="flow">{"<span>→</span>".join(boxes)}</div>',
        pieces.paragraph(content.split_method),
    ]
    if content.left_out:
        parts.append("<h3>Left out</h3>")
        parts.append(pieces.table(("reason", "files"), content.left_out.items()))
    else:
        parts.append(pieces.paragraph("No file was left out."))
    return pieces.section("Data", *parts)


def patients(content: ReportContent) -> str:
    """Testing patients, the worst first."""
    rows = content.assessment.per_patient
    shown = [
        (
            row["patient"],
            row["images"],
            decimal(row["true_share"]),
            decimal(row["called_share"]),
            decimal(row["accuracy"]),
            decimal(row["sensitivity"]),
            decimal(row["specificity"]),
            decimal(row["roc_auc"]),
        )
        for row in rows[:MOST_PATIENTS]
    ]
    header = (
        "patient",
        "images",
        "share positive",
        "share called",
        "accuracy",
        "sensitivity",
        "specificity",
        "AUC",
    )
    parts = [pieces.table(header, shown)]
    if len(rows) > MOST_PATIENTS:
        more = f"The worst {MOST_PATIENTS} of {len(rows):,}; all follow from predictions.csv."
        parts.append(pieces.paragraph(more, muted=True))
    return pieces.section("Testing patients, the worst first", *parts)


def learning(content: ReportContent) -> str:
    """Learning curves and what the training took."""
    figure = draw_history(content.history, best_epoch=content.best_epoch, footer=content.footer)
    caption = "Loss and accuracy; the dotted line marks the epoch that was kept."
    return pieces.section(
        "Training", pieces.image(figure, caption, broad=True), pieces.pairs(content.training)
    )


def repeat(content: ReportContent) -> str:
    """Everything needed to do it again."""
    facts = {
        "Seed": str(content.seed),
        "Data fingerprint": content.fingerprint,
        "Program commit": content.commit or "not known",
        "Made": content.created,
    }
    settings = {name: str(value) for name, value in content.settings.items()}
    return pieces.section(
        "How to repeat it",
        f"<pre>{pieces.text(content.command)}</pre>",
        pieces.pairs(facts),
        "<h3>Versions</h3>",
        pieces.pairs(content.versions),
        "<h3>Settings</h3>",
        f'<div class="many">{pieces.pairs(settings)}</div>',
    )


def _flow_box(step: FlowStep) -> str:
    lines = [f"<b>{pieces.text(step.name)}</b>"]
    if step.patients is not None:
        lines.append(f"{step.patients:,} patients")
    if step.images is not None:
        lines.append(f"{step.images:,} images")
    if step.positives is not None:
        share = f" ({step.positives / step.images:.1%})" if step.images else ""
        lines.append(f"{step.positives:,} positive{share}")
    if step.note:
        lines.append(pieces.text(step.note))
    return f"<div>{'<br>'.join(lines)}</div>"
