"""Versions, machine and commit as a run records them."""

import os
import platform
import subprocess

import numpy as np
import pytest

from cancernet.runs import provenance
from cancernet.runs.run_record import Machine


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A Git checkout with a tag that the program is taken to lie in; the work is elsewhere."""
    program = tmp_path / "checkout" / "package" / "provenance.py"
    program.parent.mkdir(parents=True)
    program.write_text("one")
    git(program.parent, "init", "--quiet")
    git(program.parent, "add", ".")
    git(program.parent, "commit", "--quiet", "-m", "One")
    git(program.parent, "tag", "v1", "-m", "One")
    monkeypatch.setattr(provenance, "__file__", str(program))
    monkeypatch.chdir(tmp_path)
    return program


def git(folder, *arguments):
    name = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *name, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_the_commit_is_its_whole_hash_and_says_whether_files_changed(checkout):
    found = git(checkout.parent, "rev-parse", "HEAD")
    assert provenance.commit() == found and len(found) == 40
    checkout.write_text("two")
    assert provenance.commit() == f"{found}-dirty"


def test_no_commit_outside_git_without_git_or_while_git_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit() == ""

    def hangs(*arguments, timeout=None, **options):
        raise subprocess.TimeoutExpired("git", timeout) if timeout else AssertionError("waits")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", hangs)
        assert provenance.commit() == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit() == ""


def test_versions_name_what_is_installed_and_what_is_not(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package"))
    assert provenance.versions() == {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "no-such-package": "not installed",
    }


def test_the_machine_is_described_by_the_first_source_that_knows(monkeypatch):
    facts = {"model name": "Chip 9"}
    monkeypatch.setattr(provenance, "processor_fact", lambda name: facts.get(name, ""))
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    system = f"{platform.system()} {platform.release()}"
    assert provenance.machine() == Machine(system=system, processor="Chip 9", cores=6)
    facts.clear()
    monkeypatch.setattr(platform, "machine", lambda: "arch")
    monkeypatch.setattr(platform, "processor", lambda: "kind")
    assert provenance.machine().processor == "kind"
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert provenance.machine() == Machine(system=system, processor="arch", cores=1)
