"""The ASGI application: the API's routes, the page, and the guard around both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, RedirectResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from cancernet import __version__
from cancernet.base.files import plain_name
from cancernet.base.words import IMAGES_READ, NOTICE
from cancernet.runs.run_folder import Run
from cancernet.scoring.prediction import Failure
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
from cancernet.serving.guard import DOCS, FAILED, Guard, note
from cancernet.serving.problems import Journal, Refusal
from cancernet.serving.service import PAGE, Service
from cancernet.serving.settings import ServeConfig
from cancernet.serving.uploads import ANY_IMAGE, MULTIPART, Body, Upload

ROUTER = APIRouter()

_REASONS = {
    400: "malformed, or addressed to another host",
    401: "the token is missing or wrong",
    403: "sent by a page of another site",
    408: "the upload did not arrive in time",
    413: "too large or too many",
    415: "neither a form with files nor an image",
    422: "no image, or one that cannot be read",
    500: "the server failed",
    503: "busy; try again after Retry-After seconds",
    504: "it took too long",
}

_SENTENCES = {
    404: "there is nothing at this address; GET /openapi.json lists what there is",
    405: "this address does not take this method; GET /openapi.json lists what it takes",
}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem, "description": _REASONS[status]} for status in statuses}


_READING = _problems(400, 401, 403, 500)
_POSTING = _problems(400, 401, 403, 408, 413, 415, 422, 500, 503, 504)


def _form(field: str, *, many: bool = False) -> dict[str, Any]:
    file = {"type": "string", "format": "binary", "description": IMAGES_READ}
    value = {"type": "array", "items": file, "minItems": 1} if many else file
    schema = {"type": "object", "properties": {field: value}, "required": [field]}
    content = {MULTIPART: {"schema": schema}, ANY_IMAGE: {"schema": file}}
    return {"requestBody": {"required": True, "content": content}}


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _answer(content: Answer) -> Response:
    """An answer as JSON, checked when it was made and not again by FastAPI.

    What does not apply, such as the neighbours of an image alone, is absent.
    """
    return Response(content.model_dump_json(exclude_none=True), media_type="application/json")


@ROUTER.get("/health", response_model=Health, responses=_problems(400, 403, 500))
async def health(request: Request) -> Response:
    """Tells that the server answers, and which run it serves."""
    service = _service(request)
    waiting = service.scorer.waiting if service.scorer else 0
    return _answer(Health(status="ok", run=service.name, waiting=waiting))


@ROUTER.get("/model", response_model=ModelFacts, responses=_READING)
async def model(request: Request) -> Response:
    """Tells what the model is, what it was trained on, and what it is for."""
    return _answer(_service(request).facts)


@ROUTER.post("/predict", response_model=One, responses=_POSTING, openapi_extra=_form("image"))
async def predict(request: Request) -> Response:
    """Scores one image, always alone."""
    async with _uploads(request, "image") as uploads:
        prediction = await _service(request).score_one(uploads[0])
        return _answer(One.of(prediction, notice=NOTICE))


@ROUTER.post(
    "/predict/batch",
    response_model=Batch,
    responses=_POSTING,
    openapi_extra=_form("images", many=True),
)
async def predict_batch(request: Request) -> Response:
    """Scores several images in order; one that cannot be read has the reason in its place.

    Patches whose names give their positions are judged with those of the same patient among them,
    if the run judges in context.
    """
    async with _uploads(request, "images", many=True) as uploads:
        service = _service(request)
        outcomes = await service.score_together(uploads)
        results = [
            Unreadable(name=upload.name, error=outcome.error)
            if isinstance(outcome, Failure)
            else Named.of(outcome, name=upload.name)
            for upload, outcome in zip(uploads, outcomes, strict=True)
        ]
        failed = sum(isinstance(outcome, Failure) for outcome in outcomes)
        note(request.scope, images=len(results), failed=failed)
        return _answer(Batch(results=results, notice=NOTICE))


@ROUTER.post(
    "/generate_heatmap", response_model=HeatMap, responses=_POSTING, openapi_extra=_form("image_")
)
async def generate_heatmap(request: Request) -> Response:
    """Scores one image and shows what in it supports the predicted class."""
    async with _uploads(request, "image_") as uploads:
        service = _service(request)
        prediction = await service.score_one(uploads[0])
        explained = await service.heat_maps.heat_map(uploads[0].content, prediction.label)
        return _answer(HeatMap.of(prediction, **dict(explained), notice=NOTICE))


@ROUTER.post("/preview", response_model=Preview, responses=_POSTING, openapi_extra=_form("image"))
async def preview(request: Request) -> Response:
    """Returns one image as a small PNG, for formats that browsers do not show (TIFF)."""
    async with _uploads(request, "image") as uploads:
        return _answer(Preview(preview=await _service(request).preview(uploads[0].content)))


@ROUTER.post(
    "/slide", response_model=SlideMap, responses=_POSTING, openapi_extra=_form("patches", many=True)
)
async def slide(request: Request) -> Response:
    """Puts the patches of one slide in their places; their names hold x and y.

    If the run judges in context, every patch is judged with its neighbours.
    """
    async with _uploads(request, "patches", many=True) as uploads:
        service = _service(request)
        outcomes = await service.score(uploads)
        note(request.scope, images=len(uploads))
        return _answer(await service.slide(uploads, outcomes))


@asynccontextmanager
async def _uploads(
    request: Request, field: str, *, many: bool = False
) -> AsyncIterator[list[Upload]]:
    """The request's files, held in memory to the end of the block.

    Those under the field that the description names; where it has none, all of the form.

    Raises:
        Refusal: nothing usable was sent.
    """
    service = _service(request)
    config = service.config
    body = Body(request, service.memory, limit=config.request_bytes if many else config.image_bytes)
    try:
        found = await body.uploads(
            most=config.maximum_images if many else 100, seconds=config.time_limit
        )
        note(request.scope, bytes=body.held)
        uploads = [upload for upload in found if upload.field == field] or found
        if not uploads:
            raise Refusal(422, f"the form has no file; send the image in its field {field!r}")
        if len(uploads) > 1 and not many:
            raise Refusal(422, "send one image here; /predict/batch takes several")
        for upload in uploads:
            if len(upload.content) > config.image_bytes:
                name = plain_name(upload.name) or "an image"
                limit = f"the limit of {config.maximum_megabytes} MiB"
                raise Refusal(413, f"{name} is larger than {limit}")
        yield uploads
    finally:
        body.release()


def make_application(run: Run, config: ServeConfig, journal: Journal) -> ASGIApp:
    """Makes the application of one run.

    Raises:
        RunError: the model cannot be loaded.
    """
    service = Service(run, config, journal)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(
        title="CancerNet",
        version=__version__,
        description=f"{NOTICE} Every error is one sentence in the field `error`.",
        lifespan=lifespan,
        # Interactive pages load scripts from other hosts: their addresses lead to the description.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    app.include_router(ROUTER)
    # HEAD, the same without its body, is what watchers of servers ask for.
    app.add_api_route("/", _index, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/health", health, methods=["HEAD"], include_in_schema=False)
    app.add_api_route("/favicon.ico", _icon, methods=["GET"], include_in_schema=False)
    for address in DOCS:
        app.add_api_route(address, _description, methods=["GET"], include_in_schema=False)
    app.mount("/page", StaticFiles(directory=PAGE))
    for kind in (Refusal, HTTPException, Exception):
        app.add_exception_handler(kind, _say)
    return Guard(app, config, journal)


async def _index() -> FileResponse:
    return FileResponse(PAGE / "index.html")


async def _icon() -> FileResponse:
    return FileResponse(PAGE / "icon.svg")


async def _description(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{request.scope['root_path']}/openapi.json")


async def _say(_: Request, error: Exception) -> Response:
    """Answers an error in a sentence; an unexpected one is raised again, and the guard logs it."""
    if isinstance(error, Refusal):
        return error.response()
    if isinstance(error, HTTPException):
        sentence = _SENTENCES.get(error.status_code, "the request could not be served")
        return Refusal(error.status_code, sentence, headers=error.headers).response()
    return Refusal(500, FAILED).response()
