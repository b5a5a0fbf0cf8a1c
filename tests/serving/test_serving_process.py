"""serve.py as a process, and the process that makes its heat maps."""

import asyncio
import contextlib
import dataclasses
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from cancernet.runs import run_folder
from cancernet.serving.heat_maps import HeatMaps
from cancernet.serving.server import say_where
from cancernet.serving.settings import ServeConfig
from tests.conftest import write_tiny_run
from tests.helpers.serving_examples import noisy, picture
from tests.serving.test_serving import Server, problem

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_folder.open_run(write_tiny_run(tmp_path_factory.mktemp("process") / "tiny"))


@contextlib.contextmanager
def serving(run, *arguments, **environment):
    """Runs serve.py; gives the process, its address and what it said first."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "serve.py"), "--run", str(run.folder), "--port", "0",
         *arguments],
        cwd=run.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    said = ""
    while "not for diagnosis" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    try:
        yield process, re.search(r"http://\S+", said)[0], said
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def address(run):
    """A server for tests that leave it as it was."""
    with serving(run) as (_, address, _):
        yield address


@pytest.fixture(scope="module")
def slow(run):
    """A server that waits one second for an upload."""
    with serving(run, "--time-limit", "1") as (_, address, _):
        yield address


def get(address):
    with urllib.request.urlopen(address, timeout=60) as response:
        return json.loads(response.read())


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_ends_cleanly(run, kind):
    with serving(run) as (process, address, said):
        assert get(f"{address}/health")["status"] == "ok"
        assert "drawn pictures" in said and "warning" not in said
        process.send_signal(kind)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and err == ""
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events == ["started", "request", "stopped"]


def test_a_killed_server_leaves_its_run_as_it_was_and_its_address_free(run):
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    with serving(run) as (process, address, _):
        get(f"{address}/health")
        process.kill()
        process.wait(10)
    port = address.rpartition(":")[2]
    with serving(run, "--port", port) as (_, again, _):
        assert again == address and get(f"{again}/health")["status"] == "ok"
    assert before == {path.name: path.read_bytes() for path in run.folder.iterdir()}


def test_what_is_in_work_is_finished_first(run):
    with serving(run) as (process, address, _):
        host, port = re.search(r"//(.*):(\d+)", address).groups()
        body = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        body += picture() + b"\r\n--b--\r\n"
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(
                b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; "
                b"boundary=b\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:200]
            )
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            client.sendall(body[200:])
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    "begin, piece",
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X-Header: " + b"y" * 1000 + b"\r\n"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"y" * 1000),
        (b"GET /", b"y" * 1000),
        (
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\nx\r\n0\r\nX: ",
            b"y" * 1000,
        ),
    ],
    ids=["many headers", "one header", "address", "trailer"],
)
def test_headers_without_end_are_cut_off(address, begin, piece):
    host, port = re.search(r"//(.*):(\d+)", address).groups()
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(begin)
        with contextlib.suppress(OSError):
            for _ in range(20_000):  # 20 MB, were they taken
                client.sendall(piece)
            pytest.fail("20 MB of headers were taken")
    assert get(f"{address}/health")["status"] == "ok"


@pytest.mark.parametrize(
    "head, status",
    [
        (b"POST /predict HTTP/1.1\r\nHost: evil.example\r\n", b"400"),
        (b"POST /predict HTTP/1.1\r\nHost: localhost\r\nOrigin: http://e\r\n", b"403"),
        (b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\n", b"404"),
        (b"POST /predict HTTP/1.1\r\nHost: localhost\r\n", b"408"),
    ],
)
def test_a_refusal_ends_a_request_that_does_not(slow, head, status):
    host, port = re.search(r"//(.*):(\d+)", slow).groups()
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(head + b"Content-Length: 1000000\r\n\r\nx")
        answer = b""
        while piece := client.recv(1000):  # without an end, were the connection kept
            answer += piece
            with contextlib.suppress(OSError):
                client.send(b"x")
    assert answer.startswith(b"HTTP/1.1 " + status) and b"connection: close" in answer
    assert answer.endswith(b'"}')


def test_a_request_that_was_read_keeps_its_connection(slow):
    with contextlib.closing(http.client.HTTPConnection(slow.partition("//")[2])) as client:
        client.connect()
        first = client.sock
        for method, path, status in (
            ("POST", "/predict", 415),
            ("GET", "/nowhere", 404),
            ("GET", "/health", 200),
        ):
            client.request(method, path, b"x" * 10 if method == "POST" else None)
            answer = client.getresponse()
            answer.read()
            assert answer.status == status and client.sock is first


def test_head_is_answered_without_a_body(address):
    with contextlib.closing(http.client.HTTPConnection(address.partition("//")[2])) as client:
        for path in ("/", "/health", "/"):  # a body would be taken for the next answer
            client.request("HEAD", path)
            answer = client.getresponse()
            assert answer.status == 200 and int(answer.headers["content-length"]) > 10
            assert answer.read() == b""


def test_what_is_not_http_is_answered_in_a_sentence(address):
    host, port = re.search(r"//(.*):(\d+)", address).groups()
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400") and b"not a valid HTTP request" in answer


@pytest.mark.parametrize(
    "host, token, words",
    [
        ("0.0.0.0", None, "no token is set"),
        ("::", "x" * 20, "unencrypted"),
        ("127.0.0.1", None, ""),
    ],
)
def test_an_open_address_is_warned_of(run, capsys, host, token, words):
    say_where(run, ServeConfig(host=host, token=token), 8000)
    said = capsys.readouterr().err
    assert words in said and ("warning" in said) == bool(words) and "x" * 20 not in said


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--port", "PORT"], r"cannot listen on 127\.0\.0\.1 port \d+ \(Address already in use\)"),
        (["--host", "no.such.host.invalid"], r"cannot listen on no\.such\.host\.invalid"),
        (["--token", "short"], "the token must be at least 16"),
        (["--queue", "0"], "--queue is 0, but must be at least 1"),
        (["--run", "/nowhere"], "there is no run folder"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_sentence(run, arguments, sentence):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "serve.py", "--run", str(run.folder),
             *[port if argument == "PORT" else argument for argument in arguments]],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2 and done.stdout == ""
    assert re.match(f"error: {sentence}", done.stderr) and "Traceback" not in done.stderr


def heat_maps_of(server) -> HeatMaps:
    return server.app._app.state.service.heat_maps


def test_a_heat_map_process_that_dies_is_replaced(run):
    with Server(run) as server:
        assert server.send("/generate_heatmap", noisy("PNG"), field="image_").status_code == 200
        child = heat_maps_of(server)._child
        os.kill(child.pid, signal.SIGSTOP)  # it must not notice before it is asked
        os.kill(child.pid, signal.SIGKILL)
        for _ in range(2):
            response = server.send("/generate_heatmap", noisy("PNG"), field="image_")
            if response.status_code == 200:
                break
            assert response.headers["retry-after"] and problem(response, 503)
        assert response.status_code == 200
        assert heat_maps_of(server)._child.pid != child.pid


def test_the_heat_map_of_another_run_is_refused(tmp_path):
    folder = write_tiny_run(tmp_path / "own")
    with Server(run_folder.open_run(folder)) as server:
        record = run_folder.read_run_file(folder)
        before = (folder / run_folder.RUN_FILE).read_bytes()
        run_folder.write_run_file(folder, dataclasses.replace(record, finished="2031"))
        for _ in range(2):
            response = server.send("/generate_heatmap", noisy("PNG"), field="image_")
            assert "the run folder was changed" in problem(response, 503)
        (folder / run_folder.RUN_FILE).write_bytes(before)
        response = server.send("/generate_heatmap", noisy("PNG"), field="image_")
        assert response.status_code == 200


def test_a_heat_map_that_takes_too_long_ends_and_its_process_with_it(run, monkeypatch):
    async def never(*_):
        await asyncio.sleep(60)

    with Server(run, heat_map_time_limit=0.2) as server:
        monkeypatch.setattr(HeatMaps, "_exchange", never)
        response = server.send("/generate_heatmap", noisy("PNG"), field="image_")
        assert "took longer than 0.2 s" in problem(response, 504)
        assert heat_maps_of(server)._child is None
        assert server.send("/predict", picture()).status_code == 200


def test_waiting_heat_maps_are_bounded(run, monkeypatch):
    import httpx

    async def slow(*_):
        await asyncio.sleep(0.2)
        return {"heatmap": "", "explained": "1", "method": "", "layer": "", "zero": True}

    with Server(run, heat_map_queue=2) as server:
        monkeypatch.setattr(HeatMaps, "_ask", slow)

        async def crowd():
            transport = httpx.ASGITransport(server.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as many:
                files = {"image_": ("a.png", picture())}
                posts = [many.post("/generate_heatmap", files=files) for _ in range(5)]
                return [answer.status_code for answer in await asyncio.gather(*posts)]

        assert sorted(server.client.portal.call(crowd)) == [200, 200, 503, 503, 503]


def test_grad_cam_through_the_api(tmp_path):
    """With TensorFlow and model.keras the map is Grad-CAM of the predicted class."""
    import base64
    import io

    import keras
    import numpy as np
    from PIL import Image

    folder = write_tiny_run(tmp_path / "both")
    model = keras.Sequential(
        [
            keras.layers.Input((48, 48, 3)),
            # Passes blue on, so that what speaks for class 1 is where blue is.
            keras.layers.Conv2D(1, 1, use_bias=False, name="blue"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, use_bias=False, activation="softmax"),
        ]
    )
    model.set_weights(
        [np.array([0, 0, 1.0]).reshape(1, 1, 3, 1), np.array([[-0.01, 0.01]], np.float32)]
    )
    model.save(folder / run_folder.MODEL_KERAS)
    content = json.loads((folder / run_folder.RUN_FILE).read_text())
    content["files"] = run_folder.vouch_for(folder, [run_folder.MODEL_ONNX, run_folder.MODEL_KERAS])
    run_folder.write_run_file(folder, content)
    half = Image.new("RGB", (48, 48))
    half.paste((0, 0, 255), (24, 0, 48, 48))
    file = io.BytesIO()
    half.save(file, "PNG")
    with Server(run_folder.open_run(folder), heat_map_time_limit=600.0) as server:
        found = server.send("/generate_heatmap", file.getvalue(), field="image_").json()
    assert (found["method"], found["layer"], found["explained"]) == ("grad-cam", "blue", "1")
    values = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["heatmap"]))))
    assert values[:, 30:].min() > 240 and values[:, :18].max() < 15
