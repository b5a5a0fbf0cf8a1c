"""The ASGI application: routes, page, guard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from cancernet import __version__
from cancernet.base.words import NOTICE
from cancernet.runs.run_folder import Run
from cancernet.serving.http.guard import FAILED, Guard
from cancernet.serving.http.journal import Journal
from cancernet.serving.http.refusals import Refusal
from cancernet.serving.routes import ROUTER, health
from cancernet.serving.service import Service
from cancernet.serving.settings import ServeConfig

PAGE = Path(__file__).parent / "page"


def make_application(run: Run, config: ServeConfig, journal: Journal) -> ASGIApp:
    """Makes the application of one run.

    Raises:
        RunError: the model cannot be loaded.
    """
    return Guard(_inner(Service(run, config, journal)), config, journal)


def _inner(service: Service) -> FastAPI:
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
        # The interactive pages load scripts from other hosts; the description itself stays.
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
    app.mount("/page", StaticFiles(directory=PAGE))
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _not_served)
    app.add_exception_handler(Exception, _failed)
    return app


async def _index() -> FileResponse:
    return FileResponse(PAGE / "index.html")


async def _icon() -> FileResponse:
    return FileResponse(PAGE / "icon.svg")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response()


async def _not_served(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentences = {
        404: "there is nothing at this address; GET /openapi.json lists what there is",
        405: "this address does not take this method; GET /openapi.json lists what it takes",
    }
    sentence = sentences.get(error.status_code, "the request could not be served")
    return Refusal(error.status_code, sentence, headers=error.headers).response()


async def _failed(_: Request, error: Exception) -> Response:
    """Starlette raises the error again afterwards, and the guard logs it."""
    return Refusal(500, FAILED).response()
