"""The API's routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Request, Response

from cancernet.base.words import NOTICE
from cancernet.scoring.predictor import Failure
from cancernet.serving.answers import (
    Answer,
    Batch,
    Health,
    HeatMap,
    ModelFacts,
    Named,
    One,
    Preview,
    Problem,
    SlideMap,
    Unreadable,
)
from cancernet.serving.http.guard import note
from cancernet.serving.http.refusals import Refusal
from cancernet.serving.http.uploads import MULTIPART, Body, Upload
from cancernet.serving.service import service_of

ROUTER = APIRouter()

_REASONS = {
    400: "malformed, or addressed to another host",
    401: "the token is missing or wrong",
    403: "sent by a page of another site",
    408: "the upload did not arrive in time",
    413: "too large or too many",
    415: "not a form with files",
    422: "no image, or one that cannot be read",
    500: "the server failed",
    503: "busy; try again after Retry-After seconds",
    504: "it took too long",
}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem, "description": _REASONS[status]} for status in statuses}


_READING = _problems(400, 401, 403, 500)
_POSTING = _problems(400, 401, 403, 408, 413, 415, 422, 500, 503, 504)


def _form(field: str, *, many: bool = False) -> dict[str, Any]:
    file = {"type": "string", "format": "binary", "description": "PNG, JPEG, TIFF or BMP"}
    value = {"type": "array", "items": file, "minItems": 1} if many else file
    schema = {"type": "object", "properties": {field: value}, "required": [field]}
    return {"requestBody": {"required": True, "content": {MULTIPART: {"schema": schema}}}}


def answer(content: Answer) -> Response:
    """An answer as JSON, checked when it was made and not again by FastAPI."""
    return Response(content.model_dump_json(), media_type="application/json")


@ROUTER.get("/health", response_model=Health, responses=_problems(400, 403, 500))
async def health(request: Request) -> Response:
    """Tells that the server answers, and which run it serves."""
    service = service_of(request)
    waiting = service.scorer.waiting if service.scorer else 0
    return answer(Health(status="ok", run=service.name, waiting=waiting))


@ROUTER.get("/model", response_model=ModelFacts, responses=_READING)
async def model(request: Request) -> Response:
    """Tells what the model is, what it was trained on, and what it is for."""
    return answer(service_of(request).facts())


@ROUTER.post(
    "/predict", response_model=One, responses=_POSTING, openapi_extra=_form("image")
)  # fmt: skip
async def predict(request: Request) -> Response:
    """Scores one image."""
    async with _uploads(request, "image") as uploads:
        prediction = await service_of(request).score_one(uploads[0].content)
        return answer(One.of(prediction, notice=NOTICE))


@ROUTER.post(
    "/predict/batch",
    response_model=Batch,
    responses=_POSTING,
    openapi_extra=_form("images", many=True),
)
async def predict_batch(request: Request) -> Response:
    """Scores several images in order; one that cannot be read has the reason in its place."""
    async with _uploads(request, "images", many=True) as uploads:
        outcomes = await service_of(request).score([upload.content for upload in uploads])
        results = [
            Unreadable(name=upload.name, error=outcome.error)
            if isinstance(outcome, Failure)
            else Named.of(outcome, name=upload.name)
            for upload, outcome in zip(uploads, outcomes, strict=True)
        ]
        failed = sum(isinstance(outcome, Failure) for outcome in outcomes)
        note(request.scope, images=len(results), failed=failed)
        return answer(Batch(results=results, notice=NOTICE))


@ROUTER.post(
    "/generate_heatmap", response_model=HeatMap, responses=_POSTING, openapi_extra=_form("image_")
)
async def generate_heatmap(request: Request) -> Response:
    """Scores one image and shows what in it speaks for the predicted class."""
    async with _uploads(request, "image_") as uploads:
        service = service_of(request)
        content = uploads[0].content
        prediction = await service.score_one(content)
        explained = await service.heat_maps.heat_map(content, prediction.label)
        return answer(HeatMap.of(prediction, **dict(explained), notice=NOTICE))


@ROUTER.post("/preview", response_model=Preview, responses=_POSTING, openapi_extra=_form("image"))
async def preview(request: Request) -> Response:
    """Returns one image as a small PNG, for formats that browsers do not show (TIFF)."""
    async with _uploads(request, "image") as uploads:
        return answer(Preview(preview=await service_of(request).preview(uploads[0].content)))


@ROUTER.post(
    "/slide", response_model=SlideMap, responses=_POSTING, openapi_extra=_form("patches", many=True)
)
async def slide(request: Request) -> Response:
    """Puts the patches of one slide in their places; their names hold x and y."""
    async with _uploads(request, "patches", many=True) as uploads:
        service = service_of(request)
        outcomes = await service.score([upload.content for upload in uploads])
        note(request.scope, images=len(uploads))
        return answer(await service.slide(uploads, outcomes))


@asynccontextmanager
async def _uploads(
    request: Request, field: str, *, many: bool = False
) -> AsyncIterator[list[Upload]]:
    """The request's files under one field, held in memory to the end of the block.

    Raises:
        Refusal: nothing usable was sent.
    """
    service = service_of(request)
    config = service.config
    body = Body(request, service.memory, limit=config.request_bytes if many else config.image_bytes)
    try:
        found = await body.uploads(
            most=config.maximum_images if many else 100, seconds=config.time_limit
        )
        note(request.scope, bytes=body.held)
        uploads = [upload for upload in found if upload.field == field]
        if not uploads:
            raise Refusal(422, f"the form has no file in its field {field!r}; send the image there")
        if len(uploads) > 1 and not many:
            raise Refusal(422, "send one image here; /predict/batch takes several")
        if any(len(upload.content) > config.image_bytes for upload in uploads):
            raise Refusal(
                413, f"an image is larger than the limit of {config.maximum_megabytes} MiB"
            )
        yield uploads
    finally:
        body.release()
