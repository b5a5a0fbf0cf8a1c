"""Explains a run's answer for one image with a heat map, and writes a folder of them."""

import dataclasses
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cancernet.base.errors import CancerNetError, RunError
from cancernet.base.files import FreeNames, json_text, refuse_filled, written_beside
from cancernet.base.words import counted
from cancernet.explaining.maps import (
    GRADIENT_METHODS,
    METHODS,
    colours,
    enlarged,
    occlusion,
    overlay,
    save_png,
    spread,
)
from cancernet.images.reading import read_rgb
from cancernet.runs.run_folder import MODEL_KERAS, Run, open_run
from cancernet.scoring.prediction import Prediction, PredictionInContext, Score, interpret
from cancernet.scoring.predictor import Predictor

if TYPE_CHECKING:
    from cancernet.explaining.gradients import Gradients

LINES = "explanations.jsonl"
MEANING = "A heat map shows where the network looks, not where disease is."


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """What supports a class in one image.

    Attributes:
        map: float32 0-1 at the image's size, shape (height, width).
        raw: the map before it was enlarged and scaled: for a gradient method at the
            layer's size and 0 or more, for occlusion at the image's size and signed.
        method: one of `METHODS`.
        layer: the layer that was explained; empty for occlusion.
        class_index: the class that was explained.
        score: its score before softmax or sigmoid; NaN for occlusion.
    """

    map: NDArray[np.float32]
    raw: NDArray[np.float32]
    method: str
    layer: str
    class_index: int
    score: float

    @property
    def is_zero(self) -> bool:
        """Whether nothing in the image supports the class, by this method."""
        return not (self.raw > 0).any()


class Explainer:
    """Explains the answers of one run, from several threads if need be."""

    def __init__(self, run: Run, *, predictor: Predictor | None = None) -> None:
        """Takes a finished run, and its predictor where one is loaded already.

        The Keras model is loaded when first needed.
        """
        self.run = run
        self.predictor = predictor or Predictor(run)
        self._gradients: Gradients | None = None
        self._lock = threading.Lock()

    def explain(
        self,
        pixels: NDArray[np.uint8],
        class_index: int | None = None,
        *,
        layer: str | None = None,
        method: str = "grad-cam",
    ) -> Explanation:
        """Explains one image.

        Args:
            pixels: as `Predictor.prepare` gives them: RGB 0-255, shape (height, width, 3).
            class_index: a place in `run.classes`; by default the class that is predicted.
            layer: name of the layer whose feature maps are used; by default the last
                with spatial extent, looking past pooling, dropout and normalization.
            method: one of `METHODS`.

        Raises:
            CancerNetError: unknown method, class or layer.
            RunError: the run's Keras model is missing, altered or cannot be loaded.
        """
        height, width = self.run.record.input.height, self.run.record.input.width
        if pixels.shape != (height, width, 3):
            raise ValueError(f"pixels of shape {pixels.shape}, not {(height, width, 3)}")
        if class_index is None:
            scored = Score(self.predictor.probabilities(pixels[None])[0])
            found = interpret(self.run, "", scored, self.run.threshold)
            class_index = self.run.classes.index(found.label)
        elif not 0 <= class_index < len(self.run.classes):
            raise CancerNetError(
                f"class {class_index} is not one of 0 to {len(self.run.classes) - 1}"
            )
        name = self.layer_name(method, layer)
        if method == "occlusion":
            raw = occlusion(pixels, class_index, probabilities=self.predictor.probabilities)
            score = float("nan")
        else:
            features, gradient, scores = self.gradients().at(pixels, class_index, layer=layer)
            raw = GRADIENT_METHODS[method](features, gradient)
            score = float(scores[class_index])
        return Explanation(
            map=spread(raw, height=height, width=width),
            raw=raw,
            method=method,
            layer=name,
            class_index=class_index,
            score=score,
        )

    def layer_name(self, method: str, layer: str | None) -> str:
        """Returns the name of the layer that a method will explain; empty for occlusion.

        Raises:
            CancerNetError: unknown method or layer.
            RunError: see `gradients`.
        """
        if method not in METHODS:
            raise CancerNetError(f"unknown method {method!r}; choose from {', '.join(METHODS)}")
        if method != "occlusion":
            return self.gradients().layer_name(layer)
        if layer is not None:
            raise CancerNetError("occlusion explains no layer; leave --layer out")
        return ""

    def gradients(self) -> "Gradients":
        """Loads the Keras model, once, after verifying its SHA-256.

        Raises:
            RunError: it is missing, altered, of another run, or cannot be loaded.
        """
        with self._lock:
            if self._gradients is None:
                from cancernet.explaining.gradients import Gradients

                there = open_run(self.run.folder, check=(MODEL_KERAS,))
                if there.record.checksum != self.run.record.checksum:
                    raise RunError(f"{self.run.folder} now holds another run; start again")
                self._gradients = Gradients.of_file(self.run.folder / MODEL_KERAS)
            return self._gradients

    def class_index(self, name: str) -> int:
        """Returns the place of a class given by its name or its word ("1", "IDC").

        Raises:
            CancerNetError: unknown; the message lists the known ones.
        """
        for names in (self.run.classes, self.run.words):
            if name in names:
                return names.index(name)
        known = ", ".join(
            f"{label} ({word})"
            for label, word in zip(self.run.classes, self.run.words, strict=True)
        )
        raise CancerNetError(f"the run has no class {name!r}; its classes are {known}")


class ExplanationFolder:
    """Explains predictions as they come and writes the results into one folder."""

    def __init__(
        self,
        folder: Path,
        run: Run,
        *,
        method: str,
        layer: str | None = None,
        class_name: str | None = None,
    ) -> None:
        """Checks everything that can be wrong before the first image is scored.

        See `Explainer.explain`; `class_name` None explains each image's predicted class.

        Raises:
            CancerNetError: the folder holds something, or there is no such class or layer.
        """
        refuse_filled(folder)
        self.folder = folder
        self.written = self._zero = self._in_context = 0
        self._explainer = Explainer(run)
        self._method, self._layer = method, layer
        self._class = None if class_name is None else self._explainer.class_index(class_name)
        self._explainer.layer_name(method, layer)
        folder.mkdir(parents=True, exist_ok=True)
        self._names = FreeNames()

    def explain(self, prediction: Prediction) -> None:
        """Explains one scored image and writes its files."""
        run, path = self._explainer.run, Path(prediction.path)
        pixels = self._explainer.predictor.prepare(path).pixels
        chosen = run.classes.index(prediction.label) if self._class is None else self._class
        explanation = self._explainer.explain(
            pixels, chosen, layer=self._layer, method=self._method
        )
        name = self._names.take(path.stem)
        picture = enlarged(np.asarray(read_rgb(path)))
        height, width = picture.shape[:2]
        heat = colours(spread(explanation.map, height=height, width=width))
        for ending, pixels in (("heat", heat), ("overlay", overlay(picture, explanation.map))):
            with written_beside(self.folder / f"{name}-{ending}.png") as temporary:
                save_png(temporary, pixels)
        with written_beside(self.folder / f"{name}-raw.npy") as temporary:
            np.save(temporary, explanation.raw, allow_pickle=False)
        self._append(prediction, explanation, name)
        self.written += 1
        self._zero += explanation.is_zero
        self._in_context += isinstance(prediction, PredictionInContext) and prediction.in_context

    def summary(self) -> str:
        """Says what was written, and what a heat map is not."""
        empty = counted(self._zero, "map is", "maps are")
        zero = f"; {empty} zero, because nothing supports the class" if self._zero else ""
        context = (
            " The predictions are those in context; each map is of the patch alone."
            if self._in_context
            else ""
        )
        return (
            f"{self.folder}: {counted(self.written, 'image')} explained by {self._method}{zero}. "
            f"{MEANING}{context}"
        )

    def _append(self, prediction: Prediction, explanation: Explanation, name: str) -> None:
        run = self._explainer.run
        label = run.classes[explanation.class_index]
        line: dict[str, object] = {
            "path": prediction.path,
            "class": label,
            "word": run.word(label),
            "call": prediction.call,
            "probability": prediction.probabilities[label],
            "score": explanation.score,
            "method": explanation.method,
            "layer": explanation.layer or None,
            "shape": explanation.raw.shape,
            "largest": float(explanation.raw.max()),
            "zero": explanation.is_zero,
            "heat": f"{name}-heat.png",
            "overlay": f"{name}-overlay.png",
            "raw": f"{name}-raw.npy",
        }
        if isinstance(prediction, PredictionInContext):
            line["neighbours"] = prediction.neighbours
            line["alone_probability"] = prediction.alone_probabilities[label]
        if prediction.unlike_training is not None:
            line["unlike_training"] = prediction.unlike_training
        with open(self.folder / LINES, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json_text(line) + "\n")
