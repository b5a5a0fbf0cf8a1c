"""What the API answers, as documented in its OpenAPI."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from cancernet.base.words import NOTICE
from cancernet.scoring.prediction import Prediction

_SCORED: dict[str, Any] = {
    "label": "1",
    "word": "IDC",
    "probability": 0.871,
    "probabilities": {"0": 0.129, "1": 0.871},
    "positive_probability": 0.871,
    "positive": True,
    "operating_point": 0.42,
    "call": "1",
    "unlike_training": False,
    "named_like_mask": False,
}


def _optional(description: str, **rules: Any) -> Any:
    return Field(default=None, description=description, **rules)


_NAME: Any = Field(description="the file's name as the client gave it")
_UNLIKE: Any = _optional(
    "whether it is unlike the training images, so that the model has no basis for its answer. "
    "Absent where the run cannot tell",
)


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Answer(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(extra="forbid")


class Unreadable(Answer):
    """One image of several that could not be used."""

    name: str = _NAME
    error: str


class Problem(Answer):
    """Why a request was not served, in one sentence."""

    model_config = _example(error="the file is empty (0 bytes)")
    error: str
    results: list[Unreadable] | None = _optional(
        "of a slide of which no patch could be placed: the reasons"
    )


class Scored(Answer):
    """What the model says about one image."""

    model_config = _example(**_SCORED)
    label: str = Field(description="the predicted class: for two classes by the operating point")
    word: str = Field(description="what that class means to a reader")
    probability: float = Field(ge=0, le=1.000001, description="of the predicted class")
    probabilities: dict[str, float] = Field(description="class to probability")
    positive_probability: float = Field(
        ge=0, le=1.000001, description="of the positive classes together"
    )
    positive: bool = Field(description="whether that reaches the operating point")
    operating_point: float = Field(description="the threshold on positive_probability")
    call: str = Field(
        description="the answer: one of two classes, or with more classes `positive` or `negative`"
    )
    unlike_training: bool | None = _UNLIKE
    named_like_mask: bool = Field(
        description="whether the file has the name of a segmentation mask, for which the answer "
        "means nothing"
    )

    @classmethod
    def of(cls, prediction: Prediction, **more: Any) -> Self:
        """Returns an answer that holds a prediction, and the fields that a subclass adds."""
        left_out = {"path"}
        if not prediction.in_context:
            left_out |= {"neighbours", "alone_probabilities", "slide_point"}
        fields: dict[str, Any] = {k: v for k, v in vars(prediction).items() if k not in left_out}
        return cls(**fields, **more)


class One(Scored):
    """The answer to one image."""

    model_config = _example(**_SCORED, notice=NOTICE)
    notice: str


class Explained(Answer):
    """What supports a class in one image."""

    heatmap: str = Field(
        description="grey JPEG at the network's input size in base64; what is bright supports the "
        "class"
    )
    explained: str = Field(description="the class that is explained")
    method: str = Field(description="grad-cam, or occlusion without TensorFlow or model.keras")
    layer: str = Field(description="the layer that was explained; empty for occlusion")
    zero: bool = Field(description="whether nothing in the image supports the class")


class HeatMap(One, Explained):
    """The answer to one image, with what supports the class in it."""

    model_config = _example(
        **_SCORED,
        notice=NOTICE,
        heatmap="/9j/4AAQSkZJRg…",
        explained="1",
        method="grad-cam",
        layer="separable_conv2d_5",
        zero=False,
    )


class Preview(Answer):
    """One image in a format that browsers show."""

    preview: str = Field(description="PNG in base64, at most 512 pixels a side")


class InContext(Answer):
    """The further fields of an answer in context; absent from one alone."""

    neighbours: int | None = _optional(
        "how many of the eight patches around it were sent with it; patches up to four places "
        "away count as well. Absent where the patch is judged alone",
        ge=0,
        le=8,
    )


class Named(Scored, InContext):
    """One image of a batch.

    A patch whose name gives its position is judged with the patches of the same patient in the
    request, if the run judges patches in context.
    """

    model_config = _example(
        **_SCORED,
        name="8863_idx5_x1001_y551.png",
        neighbours=8,
        alone_probabilities={"0": 0.358, "1": 0.642},
        slide_point=False,
    )
    name: str = _NAME
    alone_probabilities: dict[str, float] | None = _optional(
        "class to probability without the neighbours. Absent where the patch is judged alone"
    )
    slide_point: bool | None = _optional(
        "whether the operating point is the slide's own, because nearly all of the slide was "
        "sent. Absent where the patch is judged alone",
    )


class Batch(Answer):
    """The answers to several images, in their order."""

    results: list[Named | Unreadable]
    notice: str


class Patch(InContext):
    """One patch of a slide map; lengths in pixels of the slide."""

    name: str = _NAME
    x: int = Field(description="left edge")
    y: int = Field(description="upper edge")
    width: int
    height: int
    probability: float = Field(
        description="of the positive classes together; in context where the run judges so"
    )
    alone_probability: float | None = _optional(
        "the same without the neighbours. Absent where the patch is judged alone",
    )
    positive: bool = Field(
        description="whether that reaches the operating point, for a patch judged alone the one "
        "for such patches"
    )
    unlike_training: bool | None = _UNLIKE


class MapFacts(Answer):
    """The figures of a slide map and its outline."""

    positive_patches: int
    area_fraction: float = Field(
        description="share of the covered area at or above the operating point"
    )
    score: float = Field(description="mean probability over the covered area")
    operating_point: float
    slide_point: bool | None = _optional(
        "whether that is the slide's own, because nearly all of the slide was sent. Absent where "
        "the patches are judged alone",
    )
    geojson: dict[str, object] = Field(description="outline at the operating point, for QuPath")


class SlideMap(MapFacts):
    """The patches of one slide at their places; lengths in pixels of the slide."""

    patient: str = Field(description="as the file names say")
    left: int = Field(description="left edge of the map on the slide")
    top: int = Field(description="its upper edge")
    width: int
    height: int
    step: int = Field(description="distance of neighbouring patches")
    patches: list[Patch]
    word: str = Field(description="what positive means to a reader")
    unlike_training: int | None = _optional(
        "patches that are unlike the training images. Absent where the run cannot tell",
    )
    alone: MapFacts | None = _optional(
        "of a map in context: the same map with every patch judged alone",
    )
    left_out: list[Unreadable]
    notice: str


class ClassFact(Answer):
    """One class of the model."""

    name: str
    word: str
    positive: bool


class Thresholds(Answer):
    """What validation gives at other thresholds, from low to high."""

    threshold: list[float] = Field(description="0 to 1, and the operating point among them")
    sensitivity: list[float | None] = Field(description="null without positives")
    specificity: list[float | None] = Field(description="null without negatives")
    images: int
    patients: int


_THRESHOLDS: Any = _optional("absent where the run folder lacks its predictions on validation")


class ContextFacts(Answer):
    """How the run judges a patch with its neighbours on the slide."""

    operating_point: float = Field(description="on the probability in context")
    rule: str = Field(description="how it was chosen")
    thresholds: Thresholds | None = _THRESHOLDS
    side: int = Field(description="of a patch, pixels of the slide")


class Limits(Answer):
    """What the server accepts."""

    image_bytes: int
    request_bytes: int
    pixels: int
    images: int
    seconds: float
    formats: list[str]
    suffixes: list[str] = Field(description="endings of the names of such files")


class ModelFacts(Answer):
    """The model that answers."""

    run: str
    recipe: str
    network: str
    finished: str
    classes: list[ClassFact]
    operating_point: float
    rule: str = Field(description="how the operating point was chosen")
    thresholds: Thresholds | None = _THRESHOLDS
    input_width: int
    input_height: int
    data: str = Field(description="what it was trained on")
    split: str
    drawn: bool = Field(description="trained on drawn pictures, not on tissue")
    leak: str = Field(description="what leaks between the splits of its data, or empty")
    intended_use: str
    notice: str
    heat_maps: str = Field(description="the method of its heat maps")
    examples: list[str] = Field(description="addresses of drawn images of the kind it judges")
    context: ContextFacts | None = _optional("absent where the run judges every patch alone")
    limits: Limits


class Health(Answer):
    """The state of the server."""

    status: str
    run: str
    waiting: int = Field(description="images waiting for a thread")
