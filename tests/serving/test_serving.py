"""The API: answers, limits, refusals, and what is never said."""

import asyncio
import base64
import contextlib
import io
import json
import tempfile
import threading
import time

import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request
from starlette.testclient import TestClient

from cancernet.base.errors import CancerNetError
from cancernet.explaining import maps as picture_colours
from cancernet.runs import run_folder
from cancernet.scoring.predictor import Predictor
from cancernet.serving import scorer, service
from cancernet.serving.answers import Batch, Health, HeatMap, ModelFacts, One, Problem, SlideMap
from cancernet.serving.application import PAGE, make_application
from cancernet.serving.guard import Guard
from cancernet.serving.problems import Journal, Refusal
from cancernet.serving.scorer import is_large
from cancernet.serving.settings import MEBIBYTE, ServeConfig
from cancernet.serving.slide_maps import step_of
from cancernet.serving.uploads import Body, Memory, safe_name
from cancernet.slides import cells
from tests.conftest import write_tiny_run
from tests.helpers.serving_examples import (
    BLUE,
    RED,
    damaged,
    noisy,
    picture,
    png_bomb,
    scan_bomb,
    tiled_tiff,
)

TOKEN = "a-token-of-enough-characters"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_folder.open_run(write_tiny_run(tmp_path_factory.mktemp("serving") / "tiny"))


class Server:
    """A client of one application, and the application's log."""

    def __init__(self, run, **settings):
        self.log = io.StringIO()
        self.journal = Journal(self.log)
        self.app = make_application(run, ServeConfig(**settings), self.journal)
        self.client = TestClient(self.app, base_url="http://localhost")

    def __enter__(self):
        self.client.__enter__()
        return self

    def __exit__(self, *error):
        self.client.__exit__(*error)

    def send(self, path, *files, field="image", **options):
        parts = [(field, file if isinstance(file, tuple) else ("a.png", file)) for file in files]
        return self.client.post(path, files=parts, **options)

    def lines(self):
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@pytest.fixture(scope="module")
def server(run):
    with Server(run) as server:
        yield server


def problem(response, status):
    assert response.status_code == status, response.text
    sentence = Problem.model_validate(response.json()).error
    assert 10 < len(sentence) < 300 and "\n" not in sentence
    for secret in ("/tmp", "site-packages", "Traceback", ".py", "0x"):
        assert secret not in response.text
    return sentence


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_an_answer_is_exactly_the_predictor_s(server, run, kind):
    content = noisy(kind)
    given = One.model_validate(server.send("/predict", content).json())
    expected = Predictor(run).predict(content)
    assert given.probabilities == expected.probabilities
    assert (given.label, given.word, given.positive) == (
        expected.label, expected.word, expected.positive,
    )  # fmt: skip
    assert "not for diagnosis" in given.notice


def test_a_batch_keeps_order_and_names_what_failed(server):
    colours = [BLUE if index % 3 else RED for index in range(70)]
    files = [(f"{index} ä.png", picture(colour)) for index, colour in enumerate(colours)]
    files.insert(5, ("C:\\fakepath\\bad.png", b"no image"))
    batch = Batch.model_validate(
        server.send("/predict/batch", *files, field="images").json()
    ).results
    assert batch[5].name == "bad.png" and "not a PNG" in batch[5].error
    del batch[5]
    assert [result.name for result in batch] == [f"{index} ä.png" for index in range(70)]
    assert [result.word for result in batch] == [
        "no IDC" if colour == RED else "IDC" for colour in colours
    ]


def test_a_batch_without_any_image_says_so_for_each(server):
    batch = Batch.model_validate(
        server.send("/predict/batch", b"", b"x", field="images").json()
    ).results
    assert "empty" in batch[0].error and "not a PNG" in batch[1].error


def test_the_seed_s_contract_for_heat_maps(server):
    answer = server.send("/generate_heatmap", noisy("PNG"), field="image_").json()
    found = HeatMap.model_validate(answer)
    image = Image.open(io.BytesIO(base64.b64decode(found.heatmap)))
    assert image.format == "JPEG" and image.mode == "L" and image.size == (48, 48)
    assert found.method == "occlusion" and found.explained == found.label
    assert not found.zero and image.getextrema()[1] > 200
    assert "damaged" in problem(
        server.send("/generate_heatmap", noisy("PNG")[:99], field="image_"), 422
    )


def test_a_preview_is_the_image_as_a_png(server):
    answer = server.send("/preview", picture(BLUE, (1000, 250), "TIFF")).json()
    image = Image.open(io.BytesIO(base64.b64decode(answer["preview"])))
    assert image.format == "PNG" and image.size == (512, 128) and image.getpixel((9, 9)) == BLUE
    assert "not a PNG" in problem(server.send("/preview", b"text"), 422)


def test_a_slide_map_has_every_patch_in_its_place(server, run):
    files = [
        (f"8863_idx5_x{x}_y{y}_class0.png", picture(BLUE if x == 151 else RED))
        for x in (51, 101, 151) for y in (1, 51)
    ]  # fmt: skip
    files += [("plain.png", picture()), ("8863_idx5_x1_y1_class0.png", b"")]
    found = SlideMap.model_validate(server.send("/slide", *files, field="patches").json())
    assert (found.patient, found.step, found.left, found.top) == ("8863", 50, 51, 1)
    assert (found.width, found.height) == (150, 100)
    assert [(p.x, p.y) for p in found.patches if p.positive] == [(151, 1), (151, 51)]
    assert found.area_fraction == pytest.approx(1 / 3)
    expected = [Predictor(run).predict(content).positive_probability for _, content in files[:6]]
    assert found.score == pytest.approx(sum(expected) / 6)
    [outline] = found.geojson["features"]
    corners = {tuple(point) for point in outline["geometry"]["coordinates"][0]}
    assert corners == {(151, 1), (201, 1), (201, 101), (151, 101)}
    assert [unread.name for unread in found.left_out] == ["plain.png", "8863_idx5_x1_y1_class0.png"]
    assert "its name gives no position" in found.left_out[0].error


@pytest.mark.parametrize(
    "names, sentence",
    [
        (["a.png"], "name gives its position"),
        (["1_idx5_x1_y1_class0.png", "2_idx5_x51_y1_class0.png"], "of 2 patients"),
    ],
)
def test_slides_that_cannot_be_put_together(server, names, sentence):
    files = [(name, picture()) for name in names]
    assert sentence in problem(server.send("/slide", *files, field="patches"), 422)


def test_patches_off_a_grid_are_refused(server, monkeypatch):
    monkeypatch.setattr(cells, "MOST_CELLS", 100)
    files = [(f"1_idx5_x{7 * n}_y{7 * n}.png", picture(size=(5, 5))) for n in range(20)]
    assert "not lie on one grid" in problem(server.send("/slide", *files, field="patches"), 422)


def test_a_map_that_takes_too_long_is_504_and_maps_take_turns(run, monkeypatch):
    free, at_work = threading.Event(), []

    def endless(*_):
        at_work.append(1)
        free.wait(60)
        return {}

    with Server(run, time_limit=0.2) as server:
        monkeypatch.setattr(service, "slide_map", endless)
        patch = ("1_idx5_x1_y1.png", picture())
        for _ in range(3):
            assert "longer than 0.2" in problem(server.send("/slide", patch, field="patches"), 504)
        assert len(at_work) == 1  # the others gave up before their turn
        assert server.send("/predict", picture()).status_code == 200
        free.set()


def test_the_distance_of_patches_is_found():
    boxes = [(1, 1, 50, 50), (201, 1, 50, 50), (101, 1, 50, 50), (1, 301, 20, 50)]
    assert step_of(np.array(boxes)) == 100
    assert step_of(np.array([(7, 7, 30, 50)])) == 50


def test_model_and_health(server, run):
    facts = ModelFacts.model_validate(server.client.get("/model").json())
    assert [(c.name, c.word, c.positive) for c in facts.classes] == [
        ("0", "no IDC", False), ("1", "IDC", True),
    ]  # fmt: skip
    assert facts.operating_point == 0.4 and facts.drawn and "drawn" in facts.data
    assert Health.model_validate(server.client.get("/health").json()).run == run.name


FORM = "multipart/form-data; boundary=b"
TEXT_FIELD = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n--b--'


def raw(server, path, content, kind="image/png"):
    return server.client.post(path, content=content, headers={"content-type": kind})


@pytest.mark.parametrize("field", ["image", "image_", "file", "files", "patches"])
@pytest.mark.parametrize("path", ["/predict", "/predict/", "/generate_heatmap", "/preview/"])
def test_one_file_is_taken_whatever_its_field_is_called(server, path, field):
    given = server.send(path, noisy("PNG"), field=field).json()
    assert given == raw(server, path, noisy("PNG")).json() and "error" not in given


def test_the_field_of_the_description_is_taken_first(server, run):
    parts = [("mask", ("m.png", picture(RED))), ("image", ("a.png", picture(BLUE)))]
    assert One.model_validate(server.client.post("/predict", files=parts).json()).word == "IDC"


def test_a_batch_takes_files_of_any_field_and_one_image_by_itself(server):
    named = [(name, picture()) for name in ("a.png", "b.png")]
    for path in ("/predict/batch", "/predict/batch/"):
        sent = server.send(path, *named, field="file[]").json()
        assert [found["name"] for found in sent["results"]] == ["a.png", "b.png"]
    [alone] = raw(server, "/predict/batch", noisy("JPEG"), "IMAGE/JPEG; x=y").json()["results"]
    assert alone["name"] == "" and alone["label"] in "01"


@pytest.mark.parametrize("given", ["/cancernet", "cancernet/"])
def test_under_a_path_it_is_served_whether_or_not_the_proxy_takes_the_path_off(run, given):
    with Server(run, token=TOKEN, root_path=given) as server:
        good = {"authorization": f"Bearer {TOKEN}"}
        for before in ("", "/cancernet"):
            for path in ("/", "/health", "/health/", "/page/api.js", "/openapi.json"):
                assert server.client.get(before + path).status_code == 200
            assert server.client.get(f"{before}/model").status_code == 401
            assert server.send(f"{before}/predict/", picture(), headers=good).status_code == 200
            description = server.client.get(f"{before}/docs")
            assert description.url.path == "/cancernet/openapi.json"
            assert description.json()["servers"] == [{"url": "/cancernet"}]
        page = server.client.get("/cancernet", follow_redirects=False)
        assert page.headers["location"] == "/cancernet/" and "page is at" in problem(page, 308)
        problem(server.client.get("/cancernetx"), 401)
        assert {line.get("route") for line in server.lines()} >= {"/predict", "/health"}


@pytest.mark.parametrize("path", ["/a b", "/a?b", "/a\nb", "http://e"])
def test_a_path_that_no_address_has_is_refused(path):
    with pytest.raises(CancerNetError, match="--root-path is"):
        ServeConfig(root_path=path)


@pytest.mark.parametrize(
    "send, status, sentence",
    [
        (lambda s: s.send("/predict", b""), 422, "the file is empty"),
        (lambda s: s.send("/predict", b"text"), 422, "not a PNG, JPEG, TIFF"),
        (lambda s: s.send("/predict", noisy("JPEG")[:700]), 422, "damaged"),
        (lambda s: s.send("/predict", png_bomb(60_000, 60_000)), 422, "pixels"),
        (lambda s: s.send("/predict", scan_bomb()), 422, "more than 100 scans"),
        (lambda s: raw(s, "/predict", TEXT_FIELD, FORM), 422, "its field 'image'"),
        (lambda s: s.send("/predict", picture(), picture()), 422, "/predict/batch takes several"),
        (lambda s: s.send("/predict", bytes(17 * MEBIBYTE)), 413, "limit of 16 MiB"),
        (
            lambda s: s.send("/predict/batch", picture(), ("b.png", bytes(17 * MEBIBYTE))),
            413,
            "b.png is larger than the limit of 16 MiB",
        ),
        (lambda s: s.client.post("/predict", content=b"x"), 415, "such as image/png"),
        (lambda s: raw(s, "/predict", b""), 422, "the file is empty"),
        (lambda s: raw(s, "/predict", bytes(17 * MEBIBYTE)), 413, "limit of 16 MiB"),
        (lambda s: raw(s, "/predict/batch", bytes(17 * MEBIBYTE)), 413, "limit of 16 MiB"),
        (lambda s: s.client.post("/predict", data={"image": "text"}), 415, "multipart"),
        (lambda s: s.client.get("/predict"), 405, "does not take this method"),
        (lambda s: s.client.get("/page/../settings.py"), 404, "nothing at this address"),
        (lambda s: s.client.get("/page/%2e%2e/settings.py"), 404, "nothing at this address"),
        (lambda s: s.client.get("/nowhere"), 404, "nothing at this address"),
        (lambda s: s.client.get("/", headers={"host": "evil.example"}), 400, "another host"),
        (lambda s: s.client.get("/", headers={"host": "localhost.evil.example"}), 400, "another"),
        (lambda s: s.send("/predict", picture(), headers={"origin": "http://e"}), 403, "other"),
        (lambda s: s.send("/predict", picture(), headers={"origin": "null"}), 403, "other sites"),
        (
            lambda s: s.send("/predict", picture(), headers={"sec-fetch-site": "cross-site"}),
            403,
            "other sites",
        ),
    ],
)  # fmt: skip
def test_refusals_are_one_sentence(server, send, status, sentence):
    response = send(server)
    assert sentence in problem(response, status)
    assert "default-src 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    "body",
    [b"", b"--b--", b"--b\r\n\r\nx", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
     b"--b\r\n" + b"X: y" * 5000 + b"\r\n\r\nx\r\n--b--\r\n", b"\0" * 999],
)  # fmt: skip
def test_malformed_forms(server, body):
    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = server.client.post("/predict", content=body, headers=headers)
    problem(response, 422 if body == b"--b--" else 400)


def read_form(content_type, body, *, piece=10**9, most=3):
    """Reads a form that arrives in pieces."""
    pieces = [body[start : start + piece] for start in range(0, len(body), piece)]

    async def receive():
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    headers = [(b"content-type", content_type.encode())]
    request = Request({"type": "http", "headers": headers}, receive)
    body = Body(request, Memory(10**9), limit=10**9)
    return asyncio.run(body.uploads(most=most, seconds=60))


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 10**9])
def test_forms_are_taken_apart_to_the_byte(piece):
    content = b"\r\n--bo\r\n--\x00boundar\r\n\r\n--"
    body = (
        b"\r\n--boundary\r\nContent-Disposition: form-data; name=note\r\n\r\nx"
        b'\r\n--boundary  \r\ncontent-disposition: form-data; filename="a;\\"\xc3\xa4.png";'
        b' name="i"\r\n'
        b"Content-Type: image/png\r\n\r\n" + content + b"\r\n--boundary--\r\nepilogue"
    )
    [upload] = read_form('multipart/form-data; boundary="boundary"', body, piece=piece)
    assert upload.content == content and upload.field == "i" and upload.name.endswith("ä.png")


@pytest.mark.parametrize(
    "charset", ["utf-8", "latin-1", "idna", "punycode", "undefined", "base64", "no-such", "x" * 999]
)
def test_whatever_charset_a_form_names_it_is_read_or_malformed(charset):
    body = b'--b\r\nContent-Disposition: form-data; name="i"; filename="\xff.png"\r\n\r\nx\r\n--b--'
    with contextlib.suppress(Refusal):
        [upload] = read_form(f"multipart/form-data; boundary=b; charset={charset}", body)
        assert upload.content == b"x"


def test_the_number_of_parts_is_limited_while_they_arrive():
    part = b'--b\r\nContent-Disposition: form-data; name="i"; filename="a"\r\n\r\n\r\n'
    form = "multipart/form-data; boundary=b"
    assert len(read_form(form, 3 * part + b"--b--", most=3)) == 3
    for files in (4, 200):
        with pytest.raises(Refusal, match="more than the limit of 3 images"):
            read_form(form, files * part + b"--b--", most=3)
    with pytest.raises(Refusal, match="more than the limit of 3 images"):
        read_form(form, 104 * part, most=3)  # the end is not waited for


def test_uploads_never_touch_the_disk(run, monkeypatch):
    def rolled(self):
        pytest.fail("an upload was written to a temporary file")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rolled)
    large = picture(size=(2300, 2300), kind="BMP")
    assert len(large) > 15 * MEBIBYTE
    with Server(run) as server:
        assert server.send("/predict", large).status_code == 200


def test_names_lose_folders_and_control_characters():
    assert safe_name("../../etc/pass\x1bwd\n") == "pass\ufffdwd\ufffd"
    assert len(safe_name("x" * 999)) == 255


def test_the_log_says_what_happened_and_nothing_of_the_image(run):
    with Server(run) as server:
        server.send("/predict", ("Jane Doe 1960.png", picture()))
        server.client.get("/Jane-Doe?name=Jane")
        server.send("/predict", ("Jane.png", b"Jane"))
    *_, answered, unknown, refused = [line for line in server.lines() if line["event"] == "request"]
    assert answered["route"] == "/predict" and answered["status"] == 200
    assert answered["milliseconds"] > 0 and answered["bytes"] > 100
    assert unknown["status"] == 404 and refused["status"] == 422
    assert "Jane" not in server.log.getvalue()


def test_an_unexpected_error_is_logged_without_its_message(run, monkeypatch):
    def fail(*_, **__):
        raise ValueError("/secret/path of patient Jane")

    with Server(run) as server:
        monkeypatch.setattr(Predictor, "probabilities", fail)
        assert "failed" in problem(server.send("/predict", picture()), 500)
        monkeypatch.undo()
        assert server.send("/predict", picture()).status_code == 200
    [failure] = [line for line in server.lines() if line["event"] == "failure"]
    assert failure["kind"] == "ValueError" and any("test_serving" in at for at in failure["at"])
    assert "Jane" not in server.log.getvalue()


def test_the_token_opens_all_and_the_page_is_open_without(run):
    with Server(run, token=TOKEN) as server:
        for path in ("/", "/health", "/page/index.html", "/openapi.json"):
            assert server.client.get(path).status_code == 200
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}):
            response = server.client.get("/model", headers=headers)
            assert "token" in problem(response, 401)
            assert response.headers["www-authenticate"] == "Bearer"
            problem(server.send("/predict", picture(), headers=headers), 401)
        good = {"authorization": f"Bearer {TOKEN}"}
        assert server.client.get("/model", headers=good).status_code == 200
        assert server.send("/predict", picture(), headers=good).status_code == 200
        assert TOKEN not in server.log.getvalue()
    assert TOKEN not in repr(ServeConfig(token=TOKEN))


@pytest.mark.parametrize("address", ["/docs", "/redoc"])
def test_where_interactive_pages_are_expected_there_is_the_description(run, address):
    with Server(run, token=TOKEN) as server:
        answer = server.client.get(address)
        assert answer.url.path == "/openapi.json" and "/predict" in answer.json()["paths"]


def test_a_link_from_elsewhere_leads_to_the_page_but_a_form_does_not_send_to_it(server):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert server.client.get("/", headers=headers).status_code == 200
    problem(server.send("/predict", picture(), headers=headers), 403)


def test_an_allowed_name_is_served(run):
    with Server(run, allowed_hosts=("research.example",)) as server:
        name = {"host": "research.example:443"}
        assert server.client.get("/health", headers=name).status_code == 200
        same = {**name, "origin": "https://research.example:443"}
        assert server.send("/predict", picture(), headers=same).status_code == 200


def slow_down(monkeypatch, seconds):
    real = Predictor.probabilities

    def slow(self, pixels, **threads):
        time.sleep(seconds)
        return real(self, pixels, **threads)

    monkeypatch.setattr(Predictor, "probabilities", slow)


def test_more_than_the_queue_is_answered_503_and_the_rest_served(run, monkeypatch):
    import httpx

    slow_down(monkeypatch, 0.2)
    with Server(run, queue=4, workers=1) as server:

        async def crowd():
            transport = httpx.ASGITransport(server.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as many:
                files = {"image": ("a.png", picture())}
                return await asyncio.gather(*(many.post("/predict", files=files) for _ in range(9)))

        answers = server.client.portal.call(crowd)
        assert sorted(answer.status_code for answer in answers) == [200] * 4 + [503] * 5
        busy = next(answer for answer in answers if answer.status_code == 503)
        assert busy.headers["retry-after"] == "1" and "try again" in problem(busy, 503)
        assert server.send("/predict", picture()).status_code == 200


def test_uploads_beyond_the_memory_limit_are_answered_503(run):
    settings = {"memory_megabytes": 1, "maximum_request_megabytes": 1}
    with Server(run, **settings) as server:
        problem(server.send("/predict", bytes(3 * MEBIBYTE // 2)), 503)
        third = picture(size=(340, 340), kind="BMP")
        for _ in range(9):  # what a request held is given back
            assert server.send("/predict", third).status_code == 200


def test_an_answer_that_takes_too_long_is_504_and_the_queue_moves_on(run, monkeypatch):
    slow_down(monkeypatch, 1.0)
    with Server(run, time_limit=0.4, workers=1) as server:
        assert "took longer than 0.4" in problem(server.send("/predict", picture()), 504)
        monkeypatch.undo()
        for _ in range(40):
            if server.send("/predict", picture()).status_code == 200:
                break
        else:
            pytest.fail("the queue did not move on")


def test_what_is_cut_off_when_the_server_stops_is_answered_503():
    sent = []

    async def never(*_):
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    async def ask():
        scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"[::1]")]}
        guard = Guard(never, ServeConfig(), Journal(io.StringIO()))
        task = asyncio.create_task(guard(scope, never, send))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())
    assert sent[0]["status"] == 503 and b"the server stopped" in sent[1]["body"]


def test_damaged_uploads_are_each_refused_and_the_server_still_answers(server):
    for name, content in damaged(100, seed=1):
        problem(server.send("/predict", (name, content)), 400 if len(name) > 8000 else 422)
    assert server.send("/predict", picture()).status_code == 200


@pytest.mark.parametrize("model", [Problem, One, HeatMap])
def test_the_examples_of_the_description_are_answers(server, model):
    schemas = server.client.get("/openapi.json").json()["components"]["schemas"]
    for example in schemas[model.__name__]["examples"]:
        model.model_validate(example)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_large_images_are_known_before_they_are_decoded(kind):
    assert not is_large(picture(size=(2000, 1999), kind=kind))
    assert is_large(picture(size=(2001, 2000), kind=kind))
    assert not is_large(picture(kind=kind)[:20])


def test_an_image_in_a_large_tile_is_large(monkeypatch):
    monkeypatch.setattr(scorer, "LARGE", 4000)
    assert not is_large(tiled_tiff(50, 63))
    assert is_large(tiled_tiff(50, 64))


def test_forms_cut_anywhere_are_refused(server):
    whole = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + picture()
    headers = {"content-type": "multipart/form-data; boundary=b"}
    for cut in range(0, len(whole), 7):
        problem(server.client.post("/predict", content=whole[:cut], headers=headers), 400)
    ended = whole + b"\r\n--b--"
    assert server.client.post("/predict", content=ended, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "settings",
    [{"port": 70000}, {"queue": 0}, {"time_limit": 0.0}, {"token": "short"},
     {"token": "x" * 20 + " "}, {"memory_megabytes": 1}],
)  # fmt: skip
def test_settings_outside_their_bounds_are_refused(settings):
    with pytest.raises(CancerNetError, match=r"^(--port|--queue|--time-limit|the token|--memory)"):
        ServeConfig(**settings)


def test_the_page_colours_heat_maps_as_the_pictures_do():
    script = (PAGE / "scale.js").read_text().partition("const SCALE = [")[2].partition("];")[0]
    assert json.loads(f"[{script.strip().rstrip(',')}]") == picture_colours.SCALE.tolist()
