"""What `predict.py --explain DIR` writes of each image: a heat map, an overlay, the numbers."""

from pathlib import Path

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.files import FreeNames, json_text, written_beside
from cancernet.base.images import read_rgb
from cancernet.explaining.explainer import Explainer, Explanation
from cancernet.explaining.maps import spread
from cancernet.explaining.picture import colours, enlarged, overlay, save_png
from cancernet.runs.run_folder import Run
from cancernet.scoring.predictor import Prediction

LINES = "explanations.jsonl"


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

        Args:
            folder: a new or empty folder.
            run: the run whose answers are explained.
            method: one of `cancernet.explaining.METHODS`.
            layer: name of the layer; None for the last with spatial extent.
            class_name: the class to explain; None for each image's predicted one.

        Raises:
            CancerNetError: the folder holds something, or there is no such class or layer.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CancerNetError(f"{folder} exists and is not empty; name another folder")
        self.folder = folder
        self.written = self._zero = 0
        self._explainer = Explainer(run)
        self._method, self._layer = method, layer
        self._class = None if class_name is None else self._explainer.class_index(class_name)
        self._explainer.layer_name(method, layer)
        folder.mkdir(parents=True, exist_ok=True)
        self._names = FreeNames()

    def explain(self, prediction: Prediction) -> None:
        """Explains one scored image and writes its files."""
        run, path = self._explainer.run, Path(prediction.path)
        chosen = self._class
        if chosen is None:
            chosen = run.classes.index(prediction.label)
        explanation = self._explainer.explain(
            self._explainer.predictor.prepare(path), chosen, layer=self._layer, method=self._method
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

    def summary(self) -> str:
        """Says what was written, and what a heat map is not."""
        zero = f"; {self._zero} are zero: nothing speaks for the class" if self._zero else ""
        return (
            f"{self.folder}: {self.written} explained by {self._method}{zero}. A heat map shows "
            "where the network looks, not where disease is."
        )

    def _append(self, prediction: Prediction, explanation: Explanation, name: str) -> None:
        run = self._explainer.run
        label = run.classes[explanation.class_index]
        line = {
            "path": prediction.path,
            "class": label,
            "word": run.word(label),
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
        with open(self.folder / LINES, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json_text(line) + "\n")
