"""No library tells its maker that it is used."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from PIL import Image

from tests.conftest import write_tiny_run

ROOT = Path(__file__).parents[1]


def test_onnx_runtime_leaves_no_identifier(tmp_path: Path) -> None:
    """Where it reports, it first writes a device's identifier below the home folder."""
    run = write_tiny_run(tmp_path / "run")
    Image.new("RGB", (50, 50)).save(tmp_path / "patch.png")
    home = tmp_path / "home"
    home.mkdir()
    # Without the variables of a CI, which silence it as well.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "predict.py", str(tmp_path / "patch.png"), "--run", str(run)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(home.rglob("*")) == []


def test_streamlit_gathers_no_statistics() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["browser"]["gatherUsageStats"] is False
