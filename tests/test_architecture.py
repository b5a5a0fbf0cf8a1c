"""The rooms of docs/ARCHITECTURE.md: who may import whom, and what stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cancernet"
HEAVY = {"tensorflow", "keras", "sklearn", "matplotlib", "cv2", "scipy", "tf2onnx"}

# room -> rooms of this package it may import (errors, files and the package itself: always)
MAY_IMPORT = {
    "errors": set(),
    "notice": set(),
    "files": set(),
    "locks": set(),
    "wording": set(),
    "quiet": set(),
    "images": {"tiff"},
    "tiff": set(),
    "archives": set(),
    "cluster": set(),
    "config": set(),
    "catalog": set(),
    "calibration": {"config"},
    "recipes": {"config"},
    "command_line": {"config"},
    "manifest": {"config"},
    "runs": {"calibration", "config"},
    "status": {"runs"},
    "processor": set(),
    "doctor": {"config", "processor", "quiet"},
    "__main__": {"command_line", "doctor"},
    "recipe_file": {"config"},
    "folds": {"building", "manifest"},
    "building": {"catalog", "config", "images", "manifest", "recipes"},
    "auditing": {
        "building", "catalog", "cluster", "command_line", "config", "evaluation", "images",
        "manifest",
    },
    "models": {"archives", "quiet"},
    "cancernet": {"models"},
    "evaluation": {"calibration", "config", "command_line", "images", "runs"},
    "tuning": {
        "command_line", "config", "evaluation", "folds", "manifest", "recipe_file", "training",
    },
    "bare": {
        "archives", "calibration", "catalog", "inference", "models", "quiet", "recipe_file",
        "recipes", "runs",
    },
    "inference": {"calibration", "cluster", "runs", "images"},
    "examining": {
        "catalog", "command_line", "config", "evaluation", "inference", "manifest", "runs",
    },
    "explaining": {"inference", "runs", "images", "quiet"},
    "slides": {"command_line", "inference", "runs", "images"},
    "cross_validation": {
        "building", "command_line", "config", "evaluation", "examining", "folds", "manifest",
        "runs", "training",
    },
    "serving": {
        "catalog", "command_line", "config", "explaining", "images", "inference", "runs", "slides",
    },
    "training": {
        "archives", "calibration", "command_line", "config", "evaluation", "examining", "folds",
        "images", "inference", "manifest", "models", "processor", "quiet", "recipes", "runs",
        "slides",
    },
}  # fmt: skip
ALWAYS = {"errors", "files", "locks", "notice", "wording", ""}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "cancernet":
                found |= {f"cancernet.{alias.name}" for alias in node.names}
    return found


SOURCES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    room = room_of(path)
    assert room in MAY_IMPORT, f"a new room {room}: enter it here and in docs/ARCHITECTURE.md"
    used = {m.split(".")[1] if "." in m else "" for m in imported_modules(path)
            if m.split(".")[0] == "cancernet"}  # fmt: skip
    used -= {"__version__"}
    assert used <= MAY_IMPORT[room] | ALWAYS | {room}


@pytest.mark.parametrize("room", ["building", "evaluation", "examining", "inference", "serving"])
def test_rooms_without_tensorflow(room):
    for path in (PACKAGE / room).rglob("*.py"):
        assert not {m.split(".")[0] for m in imported_modules(path)} & {"tensorflow", "keras"}, path


@pytest.mark.parametrize("script", sorted(p.name for p in ROOT.glob("*.py")))
def test_help_is_complete_and_loads_nothing_heavy(script):
    code = (
        "import sys, runpy, atexit\n"
        f"atexit.register(lambda: print('LOADED', sorted({HEAVY!r} & set(sys.modules))))\n"
        f"sys.argv = [{script!r}, '--help']\n"
        f"runpy.run_path({str(ROOT / script)!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "LOADED []" in done.stdout
    assert "--" in done.stdout and "not for diagnosis" in done.stdout
