"""Requirements: each bound is given once, what is told exists, the container stays light."""

import importlib
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
TELLING = [
    *ROOT.glob("*.py"),
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("cancernet/**/*.py"),
    *ROOT.glob("tools/**/*.py"),
    ROOT / "Makefile",
]


def pipeline() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def names_in_the_container() -> list[str]:
    found = re.search(r"--constraint constraints.txt \\\n +([a-z -]+)", dockerfile())
    assert found is not None
    return found[1].split()


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text("utf-8")


def test_a_bound_is_given_once() -> None:
    extras = [Requirement(line) for lines in EXTRAS.values() for line in lines]
    bounded = [wanted.name for wanted in [*pipeline(), *extras] if wanted.specifier]
    assert len(bounded) == len(set(bounded))
    free = {wanted.name for wanted in extras if not wanted.specifier} - {"cancernet"}
    assert free <= set(bounded)


def test_an_extra_that_is_told_exists() -> None:
    told = {
        extra
        for path in TELLING
        for group in re.findall(r'"\.\[([a-z,]+)\]"', path.read_text("utf-8"))
        for extra in group.split(",")
    }
    assert {"serve", "slides", "tune", "cluster", "dev"} <= told <= set(EXTRAS)


def test_the_container_has_what_serving_needs_in_tested_versions() -> None:
    names = names_in_the_container()
    assert names == [Requirement(line).name for line in EXTRAS["serve"]]
    python = re.search(r"FROM python:(\d\.\d+)-slim", dockerfile())
    assert python is not None
    assert f"COPY constraints/python{python[1]}.txt constraints.txt" in dockerfile()
    pins = (ROOT / "constraints" / f"python{python[1]}.txt").read_text("utf-8")
    assert set(names) <= set(re.findall("^([^=#]+)==", pins, re.MULTILINE))


def test_no_package_of_the_container_brings_tensorflow() -> None:
    brought, left = set(), set(names_in_the_container())
    while left:
        name = left.pop()
        brought.add(name)
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # of another system
            pytest.skip(f"{name} is not installed")
        wanted = [Requirement(line) for line in lines]
        left |= {
            each.name
            for each in wanted
            if each.marker is None or each.marker.evaluate({"extra": ""})
        } - brought
    assert not brought & {"tensorflow", "keras", "torch"}


def test_a_wheel_holds_every_file_of_the_package() -> None:
    data = PROJECT["tool"]["setuptools"]["package-data"]
    held = {
        path
        for package, patterns in data.items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    files = {path for path in (ROOT / "cancernet").rglob("*") if path.is_file()}
    assert {path for path in files if path.suffix not in (".py", ".pyc")} == {
        path for path in held if path.is_file()
    }


def test_the_command_is_there_after_an_installation() -> None:
    module, _, name = PROJECT["project"]["scripts"]["cancernet"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))
