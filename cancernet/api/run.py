"""A trained run in Python: it predicts, explains and evaluates."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from cancernet.api.making import as_given, called, reporting

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from cancernet.api.answers import Evaluation, Explanation, Prediction, Predictions
    from cancernet.explaining.explainer import Explainer
    from cancernet.runs.metrics_file import Metrics
    from cancernet.runs.run_record import RunRecord
    from cancernet.scoring.predictor import Predictor

    Place: TypeAlias = str | os.PathLike[str]
    Picture: TypeAlias = Image | np.ndarray


class Run:
    """A trained run: predicts, explains, evaluates.

    Attributes:
        folder: the run folder.
        record: what its run.json says.
    """

    folder: Path
    record: "RunRecord"

    def __init__(self, folder: "Place") -> None:
        """Opens a finished run; see `load`."""
        from cancernet.runs.run_folder import open_run

        self._run = open_run(Path(folder))
        self.folder, self.record = self._run.folder, self._run.record

    def __repr__(self) -> str:
        return f"cancernet.load({str(self.folder)!r})"

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the model's outputs."""
        return self._run.classes

    @property
    def words(self) -> tuple[str, ...]:
        """What each class means to a reader."""
        return self._run.words

    @property
    def positive(self) -> tuple[str, ...]:
        """The classes that count as positive."""
        return self._run.positive

    @functools.cached_property
    def metrics(self) -> "Metrics":
        """Figures of validation and testing, as in metrics.json.

        Raises:
            CancerNetError: the file is missing or damaged.
        """
        from cancernet.runs.metrics_file import read_metrics

        return read_metrics(self.folder)

    @overload
    def predict(
        self, images: "Picture", *, alone: bool = False, progress: bool = False
    ) -> "Prediction": ...

    # A file gives a Prediction, a folder Predictions.
    @overload
    def predict(self, images: "Place", *, alone: bool = False, progress: bool = False) -> Any: ...

    @overload
    def predict(
        self, images: "Sequence[Place | Picture]", *, alone: bool = False, progress: bool = False
    ) -> "Predictions": ...

    def predict(
        self, images: "Any", *, alone: bool = False, progress: bool = False
    ) -> "Prediction | Predictions":
        """Predicts one image, several, or all in a folder, as `predict.py` does.

        Args:
            images: a file, a Pillow image, or an array of 0-255 and shape (height, width, 3) or
                (height, width); a folder; or any number of these. Masks in a folder are left out.
            alone: judge every patch without its neighbours.
            progress: show a bar.

        Returns:
            One prediction for one image, else all in their order. An image of several that
            cannot be read has its `error`.

        Raises:
            CancerNetError: the one image cannot be read, or an array is of another shape or range.

        Example:
            >>> one = run.predict("image.png")
            >>> one.positive == (one.positive_probability >= one.operating_point)
            True
            >>> [each.path for each in run.predict(["image.png", np.full((50, 50, 3), 255)])]
            ['image.png', 'image 2']
        """
        from cancernet.api.answers import Predictions
        from cancernet.api.images import as_sources, predict_sources
        from cancernet.base.console import progress_bar
        from cancernet.base.errors import ImageError

        with reporting(progress):
            sources, several = as_sources(images)
            answers = predict_sources(self._predictor, sources, alone=alone)
            found = Predictions(progress_bar(answers, total=len(sources)))
        if several:
            return found
        if found[0].error:
            raise ImageError(f"{found[0].path}: {found[0].error}")
        return found[0]

    def explain(
        self,
        image: "Place | Picture",
        *,
        method: str = "grad-cam",
        layer: str | None = None,
        class_name: str | None = None,
    ) -> "Explanation":
        """Explains the answer for one image with a heat map, as `predict.py --explain` does.

        Args:
            image: as for `predict`.
            method: grad-cam, hirescam or grad-cam++, which load TensorFlow, or occlusion.
            layer: the layer whose feature maps are used (default: the last with spatial extent).
            class_name: the class to explain (default: the one predicted).

        Raises:
            CancerNetError: the image cannot be read, or an unknown method, layer or class.

        Example:
            >>> run.explain("image.png", method="occlusion").map.shape
            (48, 48)
        """
        import numpy as np

        from cancernet.api.answers import Explanation
        from cancernet.explaining.explainer import MEANING
        from cancernet.explaining.maps import enlarged, overlay
        from cancernet.images.reading import read_rgb

        prediction = self.predict(image)
        explainer, name = self._explainer, class_name or prediction.label
        source = prediction.image
        picture = read_rgb(source) if isinstance(source, Path) else source
        pixels = explainer.predictor.prepare(source).pixels
        index = explainer.class_index(name)
        found = explainer.explain(pixels, index, method=method, layer=layer)
        return Explanation(
            prediction=prediction,
            map=found.map,
            overlay=overlay(enlarged(np.asarray(picture)), found.map),
            label=self.classes[found.class_index],
            method=found.method,
            layer=found.layer,
            text=f"{prediction}\n{MEANING}",
        )

    def evaluate(
        self,
        data: "Place | None" = None,
        *,
        output: "Place | None" = None,
        progress: bool = False,
        **settings: Any,
    ) -> "Evaluation":
        """Judges the run on labelled images, as `evaluate_model.py` does.

        Args:
            data: a built data set, or a folder with one folder for each class (default: the
                run's own testing set).
            output: a new folder for the report (default: none is written).
            progress: show a bar, and name the images that cannot be read.
            **settings: the other fields of `cancernet.evaluation.settings.EvaluationSettings`.

        Raises:
            CancerNetError: data that cannot be judged, or settings that do not go together.

        Example:
            >>> found = run.evaluate("datasets/idc")
            >>> found.metrics.testing.patients
            2
        """
        from cancernet.api.answers import Evaluation
        from cancernet.base.files import made_beside
        from cancernet.evaluation.evaluate_run import examine
        from cancernet.evaluation.evaluation_report import as_text, metrics_found, write_evaluation
        from cancernet.evaluation.run_results import read_finished
        from cancernet.evaluation.settings import EvaluationSettings

        given = as_given(EvaluationSettings, settings | ({"data": data} if data else {}))
        wanted, finished = EvaluationSettings(**given), read_finished(self.folder)
        with reporting(progress):
            found = examine(finished, wanted)
        if output is not None:
            with made_beside(Path(output)) as staging:
                command = called("run.evaluate", given)
                write_evaluation(staging, finished, found, wanted, command=command)
        return Evaluation(
            metrics=metrics_found(found),
            leak=found.leak,
            left_out=found.left_out,
            report=None if output is None else Path(output) / "report.html",
            text=as_text(finished, found),
        )

    @functools.cached_property
    def _predictor(self) -> "Predictor":
        from cancernet.scoring.predictor import Predictor

        return Predictor(self._run)

    @functools.cached_property
    def _explainer(self) -> "Explainer":
        from cancernet.explaining.explainer import Explainer

        return Explainer(self._run, predictor=self._predictor)


def load(run: "Place | None" = None) -> "Run":
    """Opens a trained run.

    Args:
        run: its folder; by default the run in `output/` that finished last.

    Raises:
        CancerNetError: no run there, unfinished, or a file is missing or altered.

    Example:
        >>> run = cancernet.load("output/idc-cancernet-001")
        >>> run.classes, run.positive
        (('0', '1'), ('1',))
    """
    from cancernet.runs.run_folder import newest_run

    return Run(Path(run) if run is not None else newest_run())
