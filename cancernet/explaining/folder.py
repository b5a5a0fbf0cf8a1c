"""What `predict.py --explain DIR` writes: a heat map, an overlay and the numbers an image."""

from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.files import json_text, plain_name, written_beside
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
        if method == "occlusion":
            if layer is not None:
                raise CancerNetError("occlusion looks at no layer; leave --layer out")
        else:
            self._explainer.gradients().layer_name(layer)
        folder.mkdir(parents=True, exist_ok=True)
        self._names: set[str] = set()

    def explain(self, prediction: Prediction) -> None:
        """Explains one scored image and writes its files."""
        run, path = self._explainer.run, Path(prediction.path)
        chosen = self._class
        if chosen is None:
            chosen = run.classes.index(prediction.label)
        explanation = self._explainer.explain(
            self._explainer.predictor.prepare(path), chosen, layer=self._layer, method=self._method
        )
        name = self._free_name(path.stem)
        picture = enlarged(np.asarray(read_rgb(path)))
        height, width = picture.shape[:2]
        heat = colours(spread(explanation.map, height=height, width=width))
        for ending, pixels in (("heat", heat), ("overlay", overlay(picture, explanation.map))):
            with written_beside(self.folder / f"{name}-{ending}.png") as temporary:
                save_png(temporary, pixels)
        with written_beside(self.folder / f"{name}-raw.npy") as temporary:
            np.save(temporary, explanation.raw, allow_pickle=False)
        self._append(self._facts(prediction, explanation, name))
        self.written += 1
        self._zero += explanation.is_zero

    def summary(self) -> str:
        """What was written, and what a heat map is not, for a person to read."""
        zero = f"; {self._zero} of them zero: nothing speaks for the class" if self._zero else ""
        return (
            f"{self.folder}: {self.written} explained by {self._method}{zero}. A heat map shows "
            "where the network looks, not where disease is."
        )

    def _facts(self, prediction: Prediction, explanation: Explanation, name: str) -> dict[str, Any]:
        run = self._explainer.run
        label = run.classes[explanation.class_index]
        return {
            "path": prediction.path,
            "class": label,
            "word": run.word(label),
            "probability": prediction.probabilities[label],
            "score": None if np.isnan(explanation.score) else explanation.score,
            "method": explanation.method,
            "layer": explanation.layer or None,
            "shape": list(explanation.raw.shape),
            "largest": float(explanation.raw.max()),
            "zero": explanation.is_zero,
            "heat": f"{name}-heat.png",
            "overlay": f"{name}-overlay.png",
            "raw": f"{name}-raw.npy",
        }

    def _append(self, facts: dict[str, Any]) -> None:
        with open(self.folder / LINES, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json_text(facts) + "\n")

    def _free_name(self, stem: str) -> str:
        stem = plain_name(stem)
        name, number = stem, 1
        while name in self._names:
            number += 1
            name = f"{stem}-{number}"
        self._names.add(name)
        return name
