"""The server, its page and Streamlit's under a path of their own, behind a real nginx."""

import contextlib
import http.client
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from cancernet.runs import run_folder
from tests.conftest import write_tiny_run
from tests.helpers.browsing import opened, upload
from tests.helpers.serving_examples import BLUE, picture
from tests.serving.test_serving_process import ROOT, get, serving

# Debian keeps it where only root's path leads.
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx here: apt-get install nginx-light")

# As in docs/DEPLOY.md: what ends in a slash takes the path off, the other leaves it.
CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  proxy_set_header Host $http_host;
  proxy_request_buffering off;
  server {{
    listen 127.0.0.1:{port};
    location /cancernet/ {{ proxy_pass {server}/; }}
    location /left {{ proxy_pass {left}; }}
    location /streamlit/ {{
      proxy_pass {streamlit};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
    }}
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def running(command, address):
    """Runs a server until the block ends; waits until it answers."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(address):
                    break
                assert process.poll() is None, process.stdout.read()
                time.sleep(0.1)
            yield
        finally:
            process.kill()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """The address of nginx before two servers and Streamlit."""
    folder = tmp_path_factory.mktemp("nginx")
    run = run_folder.open_run(write_tiny_run(folder / "tiny"))
    streamlit, port = free_port(), free_port()
    page = [
        sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(streamlit),
        "--server.address", "127.0.0.1", "--server.headless", "true",
        "--server.baseUrlPath", "streamlit", "--", "--run", str(run.folder),
    ]  # fmt: skip
    with contextlib.ExitStack() as stack:
        _, server, _ = stack.enter_context(serving(run, "--root-path", "/cancernet"))
        _, left, _ = stack.enter_context(serving(run, "--root-path", "/left"))
        (folder / "nginx.conf").write_text(
            CONFIGURATION.format(
                folder=folder, port=port, server=server, left=left,
                streamlit=f"http://127.0.0.1:{streamlit}",
            )
        )  # fmt: skip
        address = f"http://127.0.0.1:{port}"
        health = f"http://127.0.0.1:{streamlit}/streamlit/_stcore/health"
        stack.enter_context(running(page, health))
        nginx = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]
        stack.enter_context(running(nginx, f"{address}/cancernet/health"))
        yield address


@pytest.mark.parametrize("path", ["cancernet", "left"])
def test_the_page_and_its_files_are_found_and_an_image_is_scored(proxy, path):
    with urllib.request.urlopen(f"{proxy}/{path}") as answer:  # is led to the slash
        page, at = answer.read().decode(), answer.url
    assert at == f"{proxy}/{path}/" and "not for diagnosis" in page
    named = re.findall(r'(?:href|src)="([^"#]+)"', page)
    assert len(named) >= 4 and not [name for name in named if name.startswith("/")]
    for name in named:
        with urllib.request.urlopen(f"{at}{name}") as answer:
            assert answer.status == 200
    assert get(f"{at}openapi.json")["servers"] == [{"url": f"/{path}"}]
    for headers in ({}, {"Origin": proxy}):
        image = urllib.request.Request(f"{at}predict", picture(), headers)
        image.add_header("Content-Type", "image/png")
        assert get(image)["word"] == "IDC"


def test_a_browser_scores_an_image_there(proxy, browser):
    with opened(browser, f"{proxy}/cancernet/") as page:
        page.set_input_files("#files", [upload("a.png", picture(BLUE))])
        expect(page.locator(".card")).to_contain_text("IDC")


def test_streamlit_s_page_and_its_connection_are_found(proxy):
    with urllib.request.urlopen(f"{proxy}/streamlit/") as answer:
        page = answer.read().decode()
    script = re.search(r'src="(\./[^"]+\.js)"', page)[1]
    with urllib.request.urlopen(f"{proxy}/streamlit/{script}") as answer:
        assert answer.status == 200
    with contextlib.closing(http.client.HTTPConnection(proxy.partition("//")[2])) as client:
        headers = {
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": proxy,
        }  # fmt: skip
        client.request("GET", "/streamlit/_stcore/stream", headers=headers)
        assert client.getresponse().status == 101
