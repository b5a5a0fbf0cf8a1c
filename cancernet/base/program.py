"""How a person starts a command: as a script of a checkout, or as a word of `cancernet`."""

import sys
from pathlib import Path

PROGRAM = "cancernet"
SCRIPTS = {
    "build": "build_dataset.py",
    "train": "train_model.py",
    "predict": "predict.py",
    "evaluate": "evaluate_model.py",
    "tune": "tune_model.py",
    "serve": "serve.py",
}
_ROOT = Path(__file__).resolve().parents[2]


def started_as_command() -> bool:
    """Tells whether this process was started by `cancernet`, which names itself so."""
    return sys.argv[0].startswith(f"{PROGRAM} ")


def typed(command: str) -> str:
    """Returns what to type for a command: `python train_model.py`, or `cancernet train`.

    The latter where this process was started so, and where there is no such script.
    """
    script = SCRIPTS.get(command)
    if script is None or started_as_command() or not (_ROOT / script).is_file():
        return f"{PROGRAM} {command}"
    return f"python {script}"


def install_extra(extra: str) -> str:
    """Returns what to type for the packages of an extra: in a checkout, or away from one."""
    here = (_ROOT / "pyproject.toml").is_file()
    return f'`pip install {"-e " if here else ""}"{"." if here else PROGRAM}[{extra}]"`'
