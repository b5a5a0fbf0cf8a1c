"""The model card (Mitchell et al. 2019, doi:10.1145/3287560.3287596) as Markdown."""

from pathlib import Path

from cancernet.base.files import write_bytes
from cancernet.base.words import counted, images_of
from cancernet.report.content import ReportContent
from cancernet.report.markdown import cell, row
from cancernet.report.terminal import headline_rows, interval, number

MODEL_CARD = "model_card.md"


def write_model_card(content: ReportContent, folder: Path) -> Path:
    """Writes `model_card.md` into the folder, beside and then renamed; returns its path."""
    path = Path(folder) / MODEL_CARD
    write_bytes(path, model_card(content).encode("utf-8", errors="backslashreplace"))
    return path


def model_card(content: ReportContent) -> str:
    """Returns the card; what a program cannot know is left to a person, visibly."""
    blocks = (
        _opening,
        _details,
        _intended_use,
        _data,
        _figures,
        _operating_point,
        _limits,
    )
    return "\n\n".join("\n".join(block(content)) for block in blocks) + "\n"


def _opening(content: ReportContent) -> list[str]:
    lines = [f"# Model card: {cell(content.title)}", "", f"**{cell(content.notice)}**"]
    lines += [""] if content.warnings else []
    return lines + [f"- **Read first:** {cell(warning)}" for warning in content.warnings]


def _details(content: ReportContent) -> list[str]:
    facts = {
        **content.asked,
        "classes": "; ".join(
            f"{name} = {word}"
            for name, word in zip(content.assessment.classes, content.assessment.words, strict=True)
        ),
        "positive": content.assessment.positive_words,
        "made": content.created,
        "program commit": content.commit or "not known",
        "seed": str(content.seed),
        "data fingerprint": content.fingerprint,
    }
    lines = ["## Model", "", row("what", "value"), row("---", "---")]
    lines += [row(cell(name), cell(value)) for name, value in facts.items()]
    return [*lines, "", "To make it again:", "", f"    {' '.join(content.command.split())}"]


def _intended_use(content: ReportContent) -> list[str]:
    return [
        "## Intended use",
        "",
        "Research and teaching: comparing methods on the data set named above, and checking "
        "how this software works. " + cell(content.notice),
        "",
        "Out of scope: any decision about a patient; images of another stain, scanner, "
        "magnification, organ or way of labelling than those trained on; anything that is not "
        'such an image (the network has no class for "something else" and will answer).',
    ]


def _data(content: ReportContent) -> list[str]:
    lines = ["## Data", "", cell(content.split_method), ""]
    lines += [row("step", "patients", "images", "positive"), row("---", "---:", "---:", "---:")]
    for step in content.flow:
        counts = (step.patients, step.images, step.positives)
        lines.append(row(cell(step.name), *("—" if n is None else f"{n:,}" for n in counts)))
    lines += ["", f"Files left out: {sum(content.left_out.values()):,}."]
    lines += [f"- {cell(reason)}: {count:,}" for reason, count in content.left_out.items()]
    lines += [
        "",
        "Who the patients were (age, sex, ethnicity, site, scanner): **not known to "
        "the program; yours to add**.",
    ]
    return lines


def _figures(content: ReportContent) -> list[str]:
    found = content.assessment.intervals["testing"]
    testing = content.assessment.testing
    lines = [
        "## Figures on testing",
        "",
        f"{images_of(testing['images'], testing['patients'])}; {found.level:.0%} "
        "intervals resample patients.",
        "",
        row("figure", "value", "interval"),
        row("---", "---:", "---"),
    ]
    for words, value, low, high in headline_rows(content.assessment, "testing"):
        lines.append(row(cell(words), number(value), interval(low, high)))
    worst = content.assessment.per_patient[0]
    lines += [
        "",
        f"Worst testing patient: {cell(worst['patient'])}, accuracy {number(worst['accuracy'])} "
        f"on {counted(worst['images'], 'image')}.",
    ]
    return lines


def _operating_point(content: ReportContent) -> list[str]:
    point, testing = content.assessment.operating_point, content.assessment.testing
    where = (
        "Each fold's own"
        if content.folds
        else f"Positive from a score of {point.threshold:.6g} upwards"
    )
    return [
        "## Operating point",
        "",
        f"{where}; {cell(point.rule)}; {point.origin}. On "
        f"validation it promised a sensitivity of {number(point.sensitivity)} and a specificity "
        f"of {number(point.specificity)}, and gave {number(testing['sensitivity'])} and "
        f"{number(testing['specificity'])} on testing.",
        "",
        f"Probabilities: {cell(_correction(content))}. The model files hold the network before it.",
    ]


def _correction(content: ReportContent) -> str:
    if content.folds:
        return "corrected in each fold, as the report's table of folds says"
    fit = content.assessment.calibration
    return f"correction {fit.words}. {fit.note}".rstrip(". ")


def _limits(content: ReportContent) -> list[str]:
    return [
        "## Limits",
        "",
        "- The figures hold for images like those tested on and for nothing else.",
        "- The labels are taken as true; nobody checked them again.",
        "- One training of each fold, one seed; others would give other figures."
        if content.folds
        else "- One training with one seed; another would give other figures.",
        "- Groups of patients (age, ethnicity, site) were not compared unless a table of them "
        "was given.",
        "- The whole account stands in report.html beside this card.",
    ]
