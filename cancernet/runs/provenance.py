"""What a reader needs to repeat a training: versions, machine, commit."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from cancernet.runs.run_record import Machine

PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "scikit-learn",
    "opencv-python-headless",
    "pillow",
    "onnx",
    "onnxruntime",
    "tf2onnx",
)


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that shape the numbers."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> Machine:
    """Returns the system, the processor and its cores."""
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        cores=os.cpu_count() or 1,
    )


def commit() -> str:
    """Returns the Git commit of this program, marked if changed; empty outside Git."""
    folder = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
