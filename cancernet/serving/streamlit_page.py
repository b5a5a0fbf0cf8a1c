"""The Streamlit page: uploader, preview, class, heat map, notice."""

from pathlib import Path
from typing import Any

import numpy as np
import streamlit
from PIL import Image

from cancernet.base.errors import CancerNetError, ImageError
from cancernet.base.words import DRAWN, IMAGES_READ, NOTICE, score_text
from cancernet.explaining.explainer import Explainer
from cancernet.explaining.maps import enlarged, overlay
from cancernet.images.formats import SUFFIXES
from cancernet.images.reading import read_rgb
from cancernet.runs.run_folder import newest_run, open_run
from cancernet.scoring.in_context import judge_together
from cancernet.scoring.prediction import Failure, Prediction
from cancernet.scoring.words import call_word, grounds_of, warnings_of
from cancernet.serving.heat_maps import method_for
from cancernet.serving.service import INTENDED_USE

PREVIEW = 320  # pixels
_MAP_ALONE = " The map is of the patch alone, without its neighbours."


def show(folder: Path | None) -> None:
    """Draws the page for a run folder; without one for the newest run."""
    streamlit.set_page_config(page_title="CancerNet", page_icon="🔬")
    streamlit.title("CancerNet")
    streamlit.warning(NOTICE)
    try:
        explainer = _load(str(folder or newest_run()))
    except CancerNetError as error:
        streamlit.error(str(error))
        return
    _say_what_it_is(explainer)
    files = streamlit.file_uploader(
        f"Images ({IMAGES_READ})",
        type=sorted(suffix.removeprefix(".") for suffix in SUFFIXES),
        accept_multiple_files=True,
    )
    uploads = [(file.name, file.getvalue()) for file in files or []]
    outcomes = _predict(explainer, uploads)
    for number, ((name, content), outcome) in enumerate(zip(uploads, outcomes, strict=True)):
        streamlit.divider()
        if isinstance(outcome, Failure):
            streamlit.error(f"{name}: {outcome.error}")
        else:
            _show_image(explainer, content, outcome, number)


def _predict(explainer: Explainer, uploads: list[tuple[str, bytes]]) -> list[Prediction | Failure]:
    """Predicts every file; patches of one patient are judged together, where the run does so."""
    outcomes: list[Prediction | Failure] = []
    for name, content in uploads:
        try:
            outcomes.append(explainer.predictor.predict(content, name=name))
        except ImageError as error:
            outcomes.append(Failure(name, str(error)))
    return judge_together(explainer.run, [name for name, _ in uploads], outcomes)


@streamlit.cache_resource(show_spinner="Loading the model")
def _load(folder: str) -> Explainer:
    """One model for all visitors and all reruns."""
    return Explainer(open_run(Path(folder)))


def _say_what_it_is(explainer: Explainer) -> None:
    run, context = explainer.run, explainer.run.record.context
    if run.drawn:
        streamlit.warning(DRAWN)
    positive = run.positive_words if len(run.words) == 2 else f"positive ({run.positive_words})"
    said = (
        f"Run {run.name}: {' or '.join(run.words)}. An image is called {positive} if its "
        f"probability is at least {score_text(run.threshold)}."
    )
    if context is not None:
        said += (
            " Patches of one patient whose names give their positions are judged together, and are "
            f"called so from {score_text(context.operating_point.threshold)}."
        )
    streamlit.caption(said)
    if run.leak:
        streamlit.warning(f"The splits of its data leak: {run.leak}")
    with streamlit.expander("What it is for"):
        streamlit.write(INTENDED_USE)


def _show_image(explainer: Explainer, content: bytes, prediction: Prediction, number: int) -> None:
    image, name = read_rgb(content), prediction.path
    left, right = streamlit.columns(2)
    image.thumbnail((4 * PREVIEW, 4 * PREVIEW))
    left.image(enlarged(np.asarray(image), least=PREVIEW), caption=name, width=PREVIEW)
    _say_answer(explainer, prediction, right)
    if right.toggle("Heat map", key=f"heat map {number} {name}"):
        _show_heat_map(explainer, image, content, prediction, right)


def _say_answer(explainer: Explainer, prediction: Prediction, place: Any) -> None:
    place.metric("Call", call_word(prediction))
    share = min(1.0, prediction.positive_probability)
    point, *others = map(_sentence, grounds_of(prediction, explainer.run))
    place.progress(share, text=point)
    for line in others:
        place.caption(line)
    for warning in warnings_of(prediction):
        place.warning(f"This image is {warning}.")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _show_heat_map(
    explainer: Explainer, image: Image.Image, content: bytes, prediction: Prediction, place: Any
) -> None:
    index = explainer.run.classes.index(prediction.label)
    try:
        with place, streamlit.spinner("Making the heat map"):
            found = explainer.explain(
                explainer.predictor.prepare(content).pixels, index, method=method_for(explainer.run)
            )
    except CancerNetError as error:
        place.error(str(error))
        return
    if found.is_zero:
        place.info(f"Nothing in the image supports {prediction.word}, by {found.method}.")
        return
    pixels = enlarged(np.asarray(image))
    place.image(
        overlay(pixels, found.map),
        caption=f"Bright areas support {prediction.word} ({found.method}). They show where the "
        f"network looks, not where disease is.{_MAP_ALONE * prediction.in_context}",
        width=PREVIEW,
    )
