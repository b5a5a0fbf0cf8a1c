"""The sections of a report behind the figures: data, patients, training, how to repeat it."""

from cancernet.base.words import counted
from cancernet.config import SPLITS
from cancernet.report import html as pieces
from cancernet.report.content import FlowStep, ReportContent
from cancernet.report.figures.run import embedded
from cancernet.report.html import decimal
from cancernet.report.patients_csv import rows_with_scores

MOST_PATIENTS = 300


def data_flow(content: ReportContent) -> str:
    """Patients and images at every step, what was left out and why."""
    before = [step for step in content.flow if step.name not in SPLITS]
    after = [_flow_box(step) for step in content.flow if step.name in SPLITS]
    lost = sum(content.left_out.values())
    used = [step for step in content.flow if step.name in SPLITS]
    parts = []
    if used and lost:
        found = FlowStep(
            name="files found", patients=None, images=lost + sum(s.images or 0 for s in used)
        )
        reasons = "".join(
            f"<br>{count:,} {pieces.text(reason)}" for reason, count in content.left_out.items()
        )
        out = f'<div class="box out"><b>left out: {counted(lost, "file")}</b>{reasons}</div>'
        parts.append(
            f'<div class="row">{_flow_box(found)}<span class="arrow">→</span>{out}</div>'
            '<div class="arrow">↓</div>'
        )
    parts += ['<div class="row">' + "".join(after) + "</div>"] if after else []
    for step in before:
        parts += ['<div class="arrow">↓</div>'] if parts else []
        parts.append(f'<div class="row">{_flow_box(step)}</div>')
    left = "" if lost or not content.flow else pieces.paragraph("No file was left out.")
    if lost and not used:
        left = pieces.table(("left out because", "files"), content.left_out.items())
    return pieces.section(
        "Data",
        f'<div class="flow">{"".join(parts)}</div>',
        pieces.paragraph(content.split_method),
        left,
    )


def audit(content: ReportContent) -> str:
    """The verdicts of the audit of the data set, or that there was none."""
    leak = f'<p class="bad">{pieces.text(content.leak)}</p>' if content.leak else ""
    if not content.audit:
        sentence = (
            "No audit was recorded with this data set; `python build_dataset.py --audit DIR` makes "
            "one. Building checks every file and keeps exact duplicates from straddling splits."
        )
        return pieces.section("Audit", leak, pieces.paragraph(sentence, muted=True))
    table = pieces.table(("check", "verdict", "what was found"), content.audit, words=True)
    marked = table.replace("<td>LEAK</td>", '<td class="bad">LEAK</td>')
    return pieces.section("Audit", leak, marked)


def patients(content: ReportContent) -> str:
    """Testing patients, the worst first, with the scores a patient can be given."""
    rows = rows_with_scores(content)
    shown = [
        (
            row["patient"],
            row["images"],
            *(
                decimal(row[name])
                for name in (
                    "true_share",
                    "area_fraction",
                    "mean_score",
                    "mean_of_the_top_10",
                    "accuracy",
                    "sensitivity",
                    "specificity",
                    "roc_auc",
                )
            ),
        )
        for row in rows[:MOST_PATIENTS]
    ]
    header = (
        "patient",
        "images",
        "share positive",
        "share called",
        "mean score",
        "mean of top 10",
        "accuracy",
        "sensitivity",
        "specificity",
        "AUC",
    )
    parts = [pieces.table(header, shown)]
    if len(rows) > MOST_PATIENTS:
        more = f"The worst {MOST_PATIENTS} of {len(rows):,}; all are in patients.csv."
        parts.append(pieces.paragraph(more, muted=True))
    return pieces.section("Testing patients, the worst first", *parts)


def learning(content: ReportContent) -> str:
    """Learning curves and what the training took."""
    caption = "Loss and accuracy; the dotted line marks the epoch that was kept."
    figure = embedded(content, "history", caption, broad=True)
    return pieces.section("Training", figure, pieces.pairs(content.training))


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
        lines.append(counted(step.patients, "patient"))
    if step.images is not None:
        lines.append(counted(step.images, "image"))
    if step.positives is not None:
        share = f" ({step.positives / step.images:.1%})" if step.images else ""
        lines.append(f"{step.positives:,} positive{share}")
    if step.note:
        lines.append(pieces.text(step.note))
    return f'<div class="box">{"<br>".join(lines)}</div>'
