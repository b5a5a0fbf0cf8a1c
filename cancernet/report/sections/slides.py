"""The section of a report with the slide maps of testing patients."""

import base64
import io
from pathlib import Path

from cancernet.report import html as pieces
from cancernet.report.content import ReportContent

WIDEST = 1400  # pixels; the picture at full size lies in figures/


def slides(content: ReportContent) -> str:
    """Labels and probabilities of testing patients in their places; empty without any."""
    if not content.slides:
        return ""
    patients, shown = content.slides[0].patients, len(content.slides)
    chosen = "Every testing patient with places in the file names."
    if patients > shown:
        chosen = f"The {shown} of {patients} testing patients with the most patches."
    sentence = (
        f"{chosen} Left the patches in their places, in the middle what was labelled, right the "
        "model's probability with the outline of what reaches the operating point. The labels "
        "were drawn on an overview and are coarse at their edges."
    )
    figures = "".join(
        f'<figure class="broad"><img alt="{pieces.text(picture.caption)}" '
        f'src="data:image/jpeg;base64,{_jpeg(picture.path)}">'
        f"<figcaption>{pieces.text(picture.caption)}</figcaption></figure>"
        for picture in content.slides
    )
    return pieces.section(
        "Slide maps of testing patients",
        pieces.paragraph(sentence, muted=True),
        f'<div class="figures">{figures}</div>',
    )


def _jpeg(path: Path) -> str:
    """A picture small enough for a page that holds several."""
    from PIL import Image

    stream = io.BytesIO()
    with Image.open(path) as file:
        picture = file.convert("RGB")
    picture.thumbnail((WIDEST, WIDEST))
    picture.save(stream, "JPEG", quality=82)
    return base64.b64encode(stream.getvalue()).decode("ascii")
