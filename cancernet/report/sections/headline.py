"""The sections of a report with its figures, each a function from the content to HTML."""

from cancernet.base.words import images_of
from cancernet.report import html as pieces
from cancernet.report.content import ReportContent
from cancernet.report.figures.curves import draw_confusion_matrix
from cancernet.report.figures.run import embedded
from cancernet.report.html import decimal
from cancernet.report.sections.evidence import operating_point_spread
from cancernet.report.terminal import binary_rows, headline_rows, interval


def warnings(content: ReportContent) -> str:
    """What must be read before any figure; empty when there is nothing."""
    found = content.warnings
    if not found:
        return ""
    return f'<div class="warnings" role="note"><b>Read first</b>{pieces.bullets(found)}</div>'


def key_figures(content: ReportContent) -> str:
    """Sensitivity, specificity and AUC on testing, large."""
    assessment = content.assessment
    limits = assessment.intervals["testing"].limits
    boxes = []
    for name, words in (
        ("sensitivity", f"sensitivity: recall of {assessment.positive_word}"),
        ("specificity", f"specificity: recall of {assessment.negative_word}"),
        ("roc_auc", "AUC, area under the ROC curve"),
    ):
        boxes.append(
            f"<div><b>{decimal(assessment.testing[name])}</b>{pieces.text(words)}"
            f"<small>95 % interval {interval(*limits[name])}</small></div>"
        )
    testing = assessment.testing
    point = "each fold's own operating point" if content.folds else "the operating point"
    below = (
        f"On testing: {images_of(testing['images'], testing['patients'])}, at {point} "
        f"({assessment.operating_point.origin}). Intervals resample patients."
    )
    return f'<div class="key">{"".join(boxes)}</div>{pieces.paragraph(below, muted=True)}'


def asked(content: ReportContent) -> str:
    """What was asked of which network on which data."""
    positive = {"positive": content.assessment.positive_words}
    return pieces.section("What was asked", pieces.pairs({**content.asked, **positive}))


def figures_table(content: ReportContent) -> str:
    """Every headline figure of validation and testing with its interval."""
    rows = []
    for (words, value, low, high), (_, before, *_limits) in zip(
        headline_rows(content.assessment, "testing"),
        headline_rows(content.assessment, "validation"),
        strict=True,
    ):
        rows.append((words, decimal(value), interval(low, high), decimal(before)))
    header = ("figure", "testing", "95 % interval", "validation")
    sentence = (
        f"{_chosen_on_validation(content)} The intervals hold the network and the operating point "
        "fixed and ask how the figures would vary with other patients."
    )
    return pieces.section(
        "Figures", pieces.table(header, rows), pieces.paragraph(sentence, muted=True)
    )


def _chosen_on_validation(content: ReportContent) -> str:
    """What validation decided in this training, and that testing did not."""
    assessment = content.assessment
    corrected = content.folds or assessment.calibration.method != "none"
    chosen = {
        "the epoch": content.settings.get("monitor") != "last",
        "the calibration": corrected,
        "the operating point": assessment.operating_point.rule_name != "fixed",
    }
    names = [name for name, is_so in chosen.items() if is_so]
    if not names:
        return "Nothing was chosen on validation."
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    once = "" if content.judged_again else "; testing was scored once, with all of it fixed"
    return f"Validation chose {listed}, so its figures flatter{once}."


def operating_point(content: ReportContent) -> str:
    """Which threshold, by which rule, what it promised and what it gave."""
    if content.folds:
        return ""
    assessment = content.assessment
    point, testing = assessment.operating_point, assessment.testing
    sentence = (
        f"An image is called {assessment.positive_word} from a score of {point.threshold:.6g} "
        f"upwards. Rule: {point.rule}; {point.origin}."
    )
    rows = []
    for words, split, given in (
        ("promised on validation", "validation", (point.sensitivity, point.specificity)),
        ("found on testing", "testing", (testing["sensitivity"], testing["specificity"])),
    ):
        limits = assessment.intervals[split].limits
        cells = []
        for name, value in zip(("sensitivity", "specificity"), given, strict=True):
            cells += [decimal(value), interval(*limits[name])]
        rows.append((words, *cells))
    sides = [
        (
            word,
            decimal(row["precision"]),
            decimal(row["recall"]),
            decimal(row["f1"]),
            row["support"],
        )
        for word, row in binary_rows(assessment, testing).items()
    ]
    return pieces.section(
        "Operating point",
        pieces.paragraph(sentence),
        pieces.table(("", "sensitivity", "95 %", "specificity", "95 %"), rows),
        pieces.table(("side", "precision", "recall", "F1", "images"), sides),
        operating_point_spread(content),
    )


def curves(content: ReportContent) -> str:
    """Confusion matrix, ROC, precision-recall and calibration of testing."""
    assessment = content.assessment
    cells = assessment.testing["confusion_matrix"]
    matrix = draw_confusion_matrix(
        [[cells["tn"], cells["fp"]], [cells["fn"], cells["tp"]]],
        [assessment.negative_word, assessment.positive_word],
        title="Testing, at the operating point",
        footer=content.footer,
    )
    captions = {
        "roc": "ROC curve on testing.",
        "precision_recall": "Precision-recall curve on testing; chance is the share of positives.",
        "calibration": "Calibration on testing: below the diagonal the scores promise too much.",
    }
    images = pieces.image(matrix, "Confusion matrix: rows are the truth, shares are of each row.")
    images += "".join(embedded(content, name, caption) for name, caption in captions.items())
    return pieces.section("Testing in pictures", f'<div class="figures">{images}</div>')


def classes(content: ReportContent) -> str:
    """Every class by itself, when there are more than two."""
    found = content.assessment.testing.per_class
    if found is None:
        return ""
    assessment = content.assessment
    names = ("precision", "recall", "f1", "roc_auc")
    rows = [
        (word, *(decimal(row[name]) for name in names), row["support"])
        for word, row in zip(assessment.words, found["classes"].values(), strict=True)
    ]
    for average in ("macro", "weighted"):
        rows.append((f"{average} mean", *(decimal(found[average][name]) for name in names), ""))
    figure = draw_confusion_matrix(
        found["confusion_matrix"],
        assessment.words,
        title="Testing, most probable class",
        footer=content.footer,
    )
    return pieces.section(
        "Class by class",
        pieces.paragraph(f"Most probable class; right in {decimal(found['accuracy'])} of images."),
        pieces.table(("class", "precision", "recall", "F1", "AUC", "images"), rows),
        pieces.image(figure, "Confusion matrix of all classes.", broad=True),
    )


def limits(content: ReportContent) -> str:
    """What the figures do not show and what the software is not for."""
    sentences = [
        content.notice,
        "The figures hold for images like these: same stain, scanner, preparation and way of "
        "labelling. Nothing here shows how the network fares elsewhere.",
        f"The share of positives among the testing images decides precision; it is "
        f"{decimal(_prevalence(content))} here and is likely another one elsewhere.",
        "The labels are taken as true. Where they are wrong, so are the figures.",
        "The intervals count patients as independent of each other and leave the luck of one "
        "training (the seed) and of the choice of operating point out.",
    ]
    return pieces.section("Limits and intended use", pieces.bullets(sentences))


def _prevalence(content: ReportContent) -> float:
    cells = content.assessment.testing["confusion_matrix"]
    return (cells["tp"] + cells["fn"]) / content.assessment.testing["images"]
