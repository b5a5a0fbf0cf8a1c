"""The rooms of docs/ARCHITECTURE.md: who may import whom, and what stays light."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cancernet.base.console import SCRIPTS
from tests.golden.refusals import RUNNER

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cancernet"
HEAVY = {
    "tensorflow", "keras", "sklearn", "matplotlib", "cv2", "scipy", "shapely", "tf2onnx", "jinja2",
}  # fmt: skip

# room -> rooms of this package it may import (base, images and the package itself: always)
MAY_IMPORT = {
    "base": set(),
    "images": set(),
    "config": set(),
    "recipes": {"catalog", "config", "networks"},
    "recipe_file": {"config", "recipes"},
    "__main__": {"commands"},
    "cancernet": {"models"},
    "catalog": set(),
    "dataset": {"catalog", "config"},
    "building": {"catalog", "config", "dataset", "lookalike", "recipes", "sample"},
    "lookalike": {"catalog", "dataset"},
    "auditing": {"building", "catalog", "config", "dataset", "lookalike", "report"},
    "sample": {"config"},
    "networks": set(),
    "models": {"networks"},
    "appearance": set(),
    "context": {"catalog", "config", "measures"},
    "runs": {"appearance", "config", "context", "dataset", "measures"},
    "measures": {"catalog", "config"},
    "report": {"config", "context", "measures"},
    "scoring": {"catalog", "config", "context", "measures", "models", "recipe_file", "runs"},
    "slides": {"catalog", "context", "report", "runs", "scoring"},
    "explaining": {"models", "runs", "scoring"},
    "evaluation": {
        "catalog", "config", "context", "dataset", "measures", "report", "runs", "scoring",
    },
    "planning": {"config", "context", "dataset", "measures", "networks", "recipes", "runs"},
    "training": {
        "appearance", "config", "context", "dataset", "evaluation", "measures", "models",
        "planning", "report", "runs", "scoring", "slides",
    },
    "cross_validation": {
        "config", "context", "dataset", "evaluation", "measures", "planning", "report", "runs",
        "training",
    },
    "tuning": {"config", "dataset", "planning", "recipe_file", "report", "training"},
    "serving": {"catalog", "explaining", "measures", "runs", "scoring", "slides"},
    "api": {
        "building", "commands", "config", "dataset", "evaluation", "explaining", "planning",
        "recipe_file", "recipes", "runs", "scoring", "training",
    },
    "commands": {
        "auditing", "building", "catalog", "config", "cross_validation", "dataset", "evaluation",
        "explaining", "planning", "recipe_file", "recipes", "report", "runs", "sample",
        "scoring", "serving", "slides", "training", "tuning",
    },
}  # fmt: skip
ALWAYS = {"base", "images", ""}


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
    always = ALWAYS - {"images"} if room == "base" else ALWAYS
    assert used <= MAY_IMPORT[room] | always | {room}


def test_the_document_has_the_same_rooms():
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)(?:/|\.py)` \| .+ \| (.+) \|$", text, re.MULTILINE)
    written = {room: set() if rest == "nothing" else set(rest.split(", ")) for room, rest in rows}
    rooms = {room: allowed for room, allowed in MAY_IMPORT.items() if room != "__main__"}
    assert written.pop("commands") == {"all"} and rooms.pop("commands")
    assert written == rooms


# `base` and `commands` import it inside single functions.
WITH_TENSORFLOW = ("base", "commands", "explaining", "models", "training", "tuning")
WITHOUT_TENSORFLOW = sorted(
    path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name not in WITH_TENSORFLOW
)
# Other people's Keras models need Keras.
KERAS_FILES = {
    PACKAGE / "scoring" / f"{name}.py" for name in ("keras_2", "other_models", "model_file")
}


@pytest.mark.parametrize("room", WITHOUT_TENSORFLOW)
def test_rooms_without_tensorflow(room):
    for path in set((PACKAGE / room).rglob("*.py")) - KERAS_FILES:
        assert not {m.split(".")[0] for m in imported_modules(path)} & {"tensorflow", "keras"}, path


PROGRAMS = (
    *sorted(path.name for path in ROOT.glob("*.py")),
    *(f"cancernet {name}".strip() for name in ("", *SCRIPTS, "doctor")),
)
NOWHERE = (
    "train_model.py --data nowhere",
    "train_model.py --data nowhere --folds 3",
    "train_model.py --resume --run nowhere",
    "tune_model.py --data nowhere",
    "predict.py image.png --run nowhere",
    "evaluate_model.py --run nowhere",
    "serve.py --run nowhere",
)


def run_one_after_another(lines, folder):
    """Runs programs in one process; returns what became of each, and what heavy is loaded then."""
    cases = {}
    for line in lines:
        script, *words = line.split()
        cases[line] = (script if script.endswith(".py") else "cancernet/__main__.py", words)
    loaded = f"print(json.dumps(sorted({HEAVY!r} & sys.modules.keys())))"
    done = subprocess.run(
        [sys.executable, "-c", RUNNER + loaded, str(ROOT)], input=json.dumps(cases),
        capture_output=True, text=True, cwd=folder, check=True,
    )  # fmt: skip
    outcomes, heavy = map(json.loads, done.stdout.splitlines()[-2:])
    return outcomes, heavy


def test_help_loads_nothing_heavy():
    outcomes, heavy = run_one_after_another([f"{name} --help" for name in PROGRAMS], ROOT)
    assert heavy == [] and len(outcomes) == len(PROGRAMS)
    for program, (code, out, err) in zip(PROGRAMS, outcomes.values(), strict=True):
        assert code == 0, err
        assert out.startswith("usage: ") and f"{program} " in out
        assert "not for diagnosis" in " ".join(out.split())


def test_what_is_not_there_is_said_before_tensorflow_loads(tmp_path):
    outcomes, heavy = run_one_after_another(NOWHERE, tmp_path)
    assert not {"tensorflow", "keras"} & set(heavy)
    for command, (code, _, err) in outcomes.items():
        assert code == 2 and "error: " in err, command
