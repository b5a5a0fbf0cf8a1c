"""`cancernet doctor`: checks what the programs need, and for which feature.

Every check is one line with a verdict: `ok`, `note` (works, but worth knowing) or
`WRONG` (something will fail). Where only the server's packages are installed, the
pipeline's packages count as not needed rather than missing.
"""

import contextlib
import dataclasses
import platform
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from cancernet import __version__
from cancernet.base.console import (
    PROGRAM,
    RED,
    coloured,
    fitted,
    import_tensorflow_quietly,
    typed,
)
from cancernet.base.errors import EXIT_OK, EXIT_SOME_FAILED
from cancernet.base.processor import BFLOAT16_FLAGS, processor_flags, processors
from cancernet.base.words import NOTICE
from cancernet.commands.command_line import Parser
from cancernet.config import DATASETS, OUTPUT
from cancernet.runs.provenance import version_of

ROOT = Path(__file__).resolve().parents[2]
OK, NOTE, WRONG = "ok", "note", "WRONG"
# What a server needs of those that the pipeline does not.
SERVER = ("fastapi", "uvicorn")
LITTLE_SPACE = 5_000_000_000  # bytes; the whole IDC set with its cache takes about this


@dataclasses.dataclass(frozen=True)
class Check:
    """One line: what was checked, the verdict, and a sentence."""

    name: str
    verdict: str
    says: str


@dataclasses.dataclass(frozen=True)
class _Feature:
    """A feature that needs packages, how pip installs them, and their versions on this system."""

    name: str
    source: str
    requirements: list[Any]
    optional: bool


def main() -> int:
    """Checks this machine and prints what it finds; 1 when something is wrong."""
    parser = Parser(typed("doctor"), f"{__doc__}\n{NOTICE}")
    parser.parse_args()
    return EXIT_OK if print_checks(checks()) else EXIT_SOME_FAILED


def checks() -> Iterator[Check]:
    """Yields every check in turn; the last, for a GPU, takes some seconds."""
    yield Check("CancerNet", OK, __version__)
    yield _python()
    yield from _packages()
    yield _tested_set()
    yield _processor()
    for folder in (DATASETS, OUTPUT):
        yield _folder(folder)
    yield _graphics()


def print_checks(found: Iterator[Check]) -> bool:
    """Prints the checks as they come; returns whether nothing is wrong."""
    sound = True
    for check in found:
        line = fitted(f"{check.verdict:<6} {check.name:<23}  {check.says}")
        bad = check.verdict == WRONG
        print(coloured(WRONG, RED) + line.removeprefix(WRONG) if bad else line, flush=True)
        sound &= check.verdict != WRONG
    return sound


def _python() -> Check:
    version = platform.python_version()
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Check("Python", WRONG, f"{version}; use 3.11, 3.12 or 3.13")
    return Check("Python", OK, f"{version} on {platform.system()} {platform.machine()}")


def only_serves() -> bool:
    """Whether this environment is for `serve.py` alone, as that of the Dockerfile is."""
    return version_of("tensorflow") is None and all(version_of(name) for name in SERVER)


def _packages() -> Iterator[Check]:
    """Yields a check of requirements.txt, which everything needs, and one of each extra."""
    features = list(_features())
    if not features:
        says = f"not checked: there is no requirements.txt or pyproject.toml in {ROOT}"
        yield Check("packages", NOTE, says)
    for feature in features:
        wanted = feature.requirements
        found = [(each.name, each.specifier, version_of(each.name)) for each in wanted]
        missing = [name for name, _, version in found if version is None]
        unfit = [
            f"{name} {version} (wanted {range_})"
            for name, range_, version in found
            if version is not None and not range_.contains(version, prereleases=True)
        ]
        name = f"packages for {feature.name}"
        if missing:
            names, advice = ", ".join(missing), f"`python -m pip install {feature.source}`"
            if feature.optional or not only_serves():
                verdict = NOTE if feature.optional else WRONG
                yield Check(name, verdict, f"not installed: {names}; {advice}")
            else:
                says = f"not needed to serve: {names}; to build, train or evaluate: {advice}"
                yield Check(name, NOTE, says)
        if unfit:
            yield Check(name, WRONG, f"outside the allowed range: {', '.join(unfit)}")
        if not missing and not unfit:
            yield Check(name, OK, ", ".join(f"{name} {version}" for name, _, version in found))


def _features() -> Iterator[_Feature]:
    file, project = ROOT / "requirements.txt", ROOT / "pyproject.toml"
    if file.is_file():
        yield _Feature("everything", f"-r {file.name}", _read(file), optional=False)
    if project.is_file():
        content = tomllib.loads(project.read_text("utf-8"))["project"]
        for extra, lines in sorted(content.get("optional-dependencies", {}).items()):
            others = [line for line in lines if not line.startswith(f"{content['name']}[")]
            yield _Feature(extra, f'-e ".[{extra}]"', _parse(others), optional=True)
    if not file.is_file() and not project.is_file():
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield from _features_of_wheel()


def _features_of_wheel() -> Iterator[_Feature]:
    """Yields the features that an installed package declares, which has no such files."""
    from packaging.requirements import Requirement

    about = metadata.metadata(PROGRAM)
    wanted = [Requirement(line) for line in about.get_all("Requires-Dist") or ()]

    def with_extra(extra: str) -> list[Any]:
        # An extra may bring others of this package, which have lines of their own.
        needed = (each for each in wanted if each.name != PROGRAM)
        return [
            each for each in needed if each.marker is None or each.marker.evaluate({"extra": extra})
        ]

    everything = with_extra("")
    yield _Feature("everything", PROGRAM, everything, optional=False)
    for extra in sorted(about.get_all("Provides-Extra") or ()):
        others = [each for each in with_extra(extra) if each not in everything]
        yield _Feature(extra, f'"{PROGRAM}[{extra}]"', others, optional=True)


def _tested_set() -> Check:
    """Compares the installed versions with the sets in constraints/; packages may be missing."""
    differing: dict[str, list[str]] = {}
    for path in sorted((ROOT / "constraints").glob("*.txt")):
        pins = {wanted.name: str(wanted.specifier).removeprefix("==") for wanted in _read(path)}
        found = {name: version_of(name) for name in pins}
        differing[path.name] = [
            name for name, pin in pins.items() if found[name] not in (None, pin)
        ]
        if not differing[path.name] and any(found.values()):
            return Check("tested set", OK, f"exactly {path.name}, which passed the tests")
    if not differing:
        return Check(
            "tested set",
            NOTE,
            "there is no list of tested versions here; a checkout has constraints/",
        )
    nearest = min(differing, key=lambda name: len(differing[name]))
    names = ", ".join(differing[nearest][:5]) + " ..." * (len(differing[nearest]) > 5)
    return Check(
        "tested set",
        NOTE,
        f"none exactly; closest to {nearest}, except {names}: run `make test`",
    )


def _read(path: Path) -> list[Any]:
    """Returns the requirements of a file."""
    lines = [line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines()]
    return _parse([line for line in lines if line and not line.startswith("-")])


def _parse(lines: list[str]) -> list[Any]:
    """Returns the requirements that apply to this Python and system."""
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in lines]
    return [each for each in wanted if each.marker is None or each.marker.evaluate()]


def _processor() -> Check:
    flags = processor_flags()
    wanted = [name for name in ("avx2", "avx512f", *BFLOAT16_FLAGS) if name in flags]
    half = "trains in bfloat16" if flags & {*BFLOAT16_FLAGS} else "trains in float32"
    return Check(
        "processor", OK, f"{processors()} cores, {' '.join(wanted) or 'no known flags'}; {half}"
    )


def _folder(folder: Path) -> Check:
    """Writes a small file into the folder, or where it would be created, and removes it."""
    place = folder
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return Check(f"folder {folder}", WRONG, f"cannot be written to ({error.strerror})")
    free = shutil.disk_usage(place).free
    verdict = NOTE if free < LITTLE_SPACE else OK
    return Check(f"folder {folder}", verdict, f"writable, {free / 1e9:.1f} GB free")


def _graphics() -> Check:
    if only_serves():
        says = "not needed to serve: TensorFlow is not installed; heat maps are made by occlusion"
        return Check("GPU", NOTE, says)
    if version_of("tensorflow") is None:
        return Check("GPU", WRONG, "TensorFlow is not installed, so nothing can be trained")
    try:
        import_tensorflow_quietly()
        import tensorflow as tf

        devices = tf.config.list_physical_devices("GPU")
    except Exception as error:  # a broken installation fails in many ways
        return Check("GPU", WRONG, f"TensorFlow cannot be imported ({type(error).__name__})")
    if not devices:
        return Check("GPU", NOTE, "TensorFlow finds none; training runs on the processor")
    names = [
        str(tf.config.experimental.get_device_details(device).get("device_name", device.name))
        for device in devices
    ]
    return Check("GPU", OK, ", ".join(names))
