"""What a reader needs to repeat a training: versions, machine, commit."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from cancernet.base.processor import processor_fact
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
    packages = {name: version_of(name) or "not installed" for name in PACKAGES}
    return {"python": platform.python_version(), **packages}


def version_of(package: str) -> str | None:
    """Returns the version that is installed of a package; None where it is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def machine() -> Machine:
    """Returns the system, the processor and its cores."""
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        processor=processor_fact("model name") or platform.processor() or platform.machine(),
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
