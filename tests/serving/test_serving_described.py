"""The API against its own OpenAPI: property-based, in process."""

import io
import random

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from cancernet.runs import run_folder
from cancernet.serving.application import make_application
from cancernet.serving.problems import Journal
from cancernet.serving.settings import ServeConfig
from tests.conftest import write_tiny_run
from tests.helpers.serving_examples import noisy, picture

# Bytes that fit the description need not be an image, so they may be refused.
LEFT_OUT = [positive_data_acceptance]
PATHS = [
    "/health",
    "/model",
    "/predict",
    "/predict/batch",
    "/generate_heatmap",
    "/preview",
    "/slide",
]
WITHOUT_PARAMETERS = ("/health", "/model")  # nothing to get wrong

schemathesis.openapi.format(
    "binary",
    strategies.one_of(
        strategies.builds(picture, strategies.tuples(*[strategies.integers(0, 255)] * 3)),
        strategies.binary(max_size=300),
        strategies.integers(0, 99).map(lambda n: noisy("JPEG")[: random.Random(n).randrange(900)]),
    ),
)


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    run = run_folder.open_run(write_tiny_run(tmp_path_factory.mktemp("described") / "tiny"))
    config = ServeConfig(allowed_hosts=("testserver",))
    app = make_application(run, config, Journal(io.StringIO()))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        (path, mode)
        for path in PATHS
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if mode is GenerationMode.POSITIVE or path not in WITHOUT_PARAMETERS
    ],
)
def test_nothing_it_describes_fails_and_every_answer_is_as_described(schema, path, mode):
    method = "GET" if path in WITHOUT_PARAMETERS else "POST"
    seen = set()

    @hypothesis.settings(
        max_examples=20,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=schema[path][method].as_strategy(generation_mode=mode))
    def check(case):
        response = case.call()
        assert response.status_code < 500
        case.validate_response(response, excluded_checks=LEFT_OUT)
        seen.add(response.status_code)

    check()
    assert (200 if mode is GenerationMode.POSITIVE and path != "/slide" else 422) in seen


def test_every_path_of_the_description_is_tested(schema):
    assert sorted(schema.raw_schema["paths"]) == sorted(PATHS)
