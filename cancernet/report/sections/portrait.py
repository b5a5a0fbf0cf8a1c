"""The sections of a report about data, network, classes and single images."""

from collections.abc import Sequence

from cancernet.measures.class_measures import ClassRow, fold, overall_accuracy
from cancernet.report import html as pieces
from cancernet.report.content import ReportContent
from cancernet.report.figures.curves import draw_confusion_matrix
from cancernet.report.figures.network import shape_text
from cancernet.report.figures.portrait import class_tables, testing_table
from cancernet.report.figures.run import embedded
from cancernet.report.html import decimal
from cancernet.report.portrait import Layer

MOST_LAYERS = 60


def data_pictures(content: ReportContent) -> str:
    """How many images each class has in each split, and some of them."""
    portrait, assessment = content.portrait, content.assessment
    if portrait is None:
        return ""
    images = (
        embedded(content, "class_counts", "Images by class.")
        + embedded(content, "factors", "What the classes' names say.")
        + embedded(content, "samples", "Training images picked at random.")
    )
    header = ("split", *assessment.words, "all")
    rows = [(split, *row, sum(row)) for split, row in portrait.counts.items()]
    return pieces.section(
        "Images by class", f'<div class="figures">{images}</div>', pieces.table(header, rows)
    )


def classes(content: ReportContent) -> str:
    """Every class by itself, and the same folded to positive against negative."""
    tables, assessment = class_tables(content), content.assessment
    counts = testing_table(content)
    several = len(assessment.classes) > 2
    how = "the most probable class" if several else "the operating point"
    parts = [
        pieces.paragraph(
            f"Testing, called by {how}; right in {decimal(overall_accuracy(counts))} of images. "
            "A mean is over the classes that have images here and a defined measure; the accuracy "
            "of a class counts every image, also those of the others."
        ),
        *(f"<h3>{pieces.text(title)}</h3>{_table(rows)}" for title, rows in tables.items()),
    ]
    if several:
        sides = fold(counts, assessment.positive_indices)
        parts.append(
            pieces.paragraph(
                "Folded, only the side counts: one negative class called another is no error. "
                f"Right in {decimal(overall_accuracy(sides))} of images. Positive: "
                f"{assessment.positive_words}."
            )
        )
        matrix = draw_confusion_matrix(
            counts,
            assessment.words,
            title="Testing, most probable class",
            footer=content.footer,
        )
        parts.append(pieces.image(matrix, "Confusion matrix of all classes.", broad=True))
        parts.append(
            embedded(content, "confusion_matrix_folded", "Confusion matrix of the two sides.")
        )
    parts.append(embedded(content, "classes", "Measures of each class.", broad=True))
    return pieces.section("Class by class", *parts)


def splits(content: ReportContent) -> str:
    """Loss and accuracy of the final model on every split."""
    if content.portrait is None:
        return ""
    rows = [
        (
            row.split,
            row.images if row.images == row.of else f"{row.images:,} of {row.of:,}, at random",
            decimal(row.loss, 4),
            f"{row.accuracy:.2%}",
        )
        for row in content.portrait.splits
    ]
    return pieces.section(
        "Loss and accuracy by split",
        pieces.table(("split", "images", "loss", "accuracy"), rows),
        pieces.paragraph(
            "All three with the model that was kept, without augmentation or class weights; "
            "accuracy is that of the most probable class. Training far better than testing means "
            "that the network knows its training images.",
            muted=True,
        ),
    )


def measures(content: ReportContent) -> str:
    """Precision, recall and F1 over the epochs."""
    several = len(content.assessment.classes) > 2
    of = "plain mean over the classes" if several else f"of {content.assessment.positive_word}"
    caption = f"Precision, recall and F1 ({of}, most probable class); history.csv has the numbers."
    figure = embedded(content, "history_measures", caption, broad=True)
    return pieces.section("Training, measure by measure", figure) if figure else ""


def network(content: ReportContent) -> str:
    """The network drawn, and where its parameters are."""
    if content.portrait is None:
        return ""
    parts = [
        embedded(content, "network", "The network from input to output.", broad=True),
        _layers_table(content.portrait.layers),
    ]
    if content.portrait.kernels is not None:
        caption = "One training image: original, filtered, and stretched as the network sees it."
        parts.append("<h3>What the kernels do</h3>")
        parts.append(embedded(content, "kernels", caption, broad=True))
    return pieces.section("Network", *parts)


def examples(content: ReportContent) -> str:
    """Testing images that were called rightly and wrongly."""
    if content.portrait is None or not content.portrait.examples:
        return ""
    caption = (
        "Testing images picked at random, half from the wrong ones where there are enough, so the "
        "page has a larger share of errors than testing."
    )
    return pieces.section("Right and wrong", embedded(content, "examples", caption, broad=True))


def _table(rows: Sequence[ClassRow]) -> str:
    shown = [
        (
            row.name,
            "" if row.name.endswith(" mean") else decimal(row.accuracy),
            decimal(row.precision),
            decimal(row.recall),
            decimal(row.f1),
            row.support,
        )
        for row in rows
    ]
    return pieces.table(("class", "accuracy", "precision", "recall", "F1", "images"), shown)


def _layers_table(layers: Sequence[Layer]) -> str:
    shown = [layer for layer in layers if layer.parameters]
    rows = [
        (
            f"{layer.name} ({layer.kind})",
            shape_text(layer.output),
            f"{layer.derivation} = {layer.parameters:,}",
            "" if layer.trainable == layer.parameters else f"{layer.trainable:,}",
        )
        for layer in shown[:MOST_LAYERS]
    ]
    note = (
        ""
        if len(shown) <= MOST_LAYERS
        else pieces.paragraph(
            f"The first {MOST_LAYERS} of {len(shown)} layers with parameters; "
            "figures/network.txt has all.",
            muted=True,
        )
    )
    header = ("layer", "output", "parameters", "trainable, where fewer")
    table = pieces.table(header, rows, words=True)
    return f"<details><summary>Layers with parameters</summary>{table}{note}</details>"
