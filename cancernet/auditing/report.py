"""What an audit leaves: lines for the terminal, `audit.json`, and a page to look at."""

import os
from pathlib import Path
from typing import Any

from cancernet import __version__
from cancernet.auditing.audit import Audit
from cancernet.auditing.page import page
from cancernet.auditing.verdict import Check, Finding
from cancernet.base.errors import CancerNetError
from cancernet.base.files import json_text, write_bytes
from cancernet.base.words import counted

JSON, PAGE = "audit.json", "audit.html"
WIDEST = 100  # characters of a line on the terminal


def lines(audit: Audit) -> list[str]:
    """Returns the table for the terminal: verdict, check, sentence."""
    inventory = audit.inventory
    groups = f", {counted(len(inventory.groups), inventory.unit)}" if inventory.has_groups else ""
    text = [f"Audit of {inventory.folder}: {counted(len(inventory), 'image')}{groups}", ""]
    wide = max(len(check.name) for check in audit.checks)
    for check in audit.checks:
        text.append(f"{check.verdict:13}  {check.name:{wide}}  {check.sentence}")
    text.append("")
    leaks = len(audit.leaks)
    if leaks:
        text.append(
            f"LEAK: {counted(leaks, 'check')} found the same thing in more than one split; results "
            "on this set are too good to hold for new patients."
        )
    else:
        text.append("No leak was found. docs/AUDIT.md says what these checks cannot see.")
    return text


def write_report(audit: Audit, folder: Path) -> None:
    """Writes `audit.json` and `audit.html` into a folder of their own.

    Raises:
        CancerNetError: the folder holds something that is not a report.
    """
    if folder.exists() and not folder.is_dir():
        raise CancerNetError(f"{folder} is a file; name a folder with --report")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / JSON).is_file():
        raise CancerNetError(
            f"{folder} holds other files and no earlier report; name another folder with --report"
        )
    folder.mkdir(parents=True, exist_ok=True)
    content = json_text(as_json(audit), indent=1, ascii_only=True)
    write_bytes(folder / JSON, (content + "\n").encode())
    write_bytes(folder / PAGE, page(audit).encode("utf-8", errors="backslashreplace"))


def as_json(audit: Audit) -> dict[str, Any]:
    """The whole audit: every check, and every finding with its images."""
    inventory = audit.inventory
    return {
        "program": f"cancernet {__version__}, build_dataset.py --audit",
        "folder": os.fspath(inventory.folder),
        "title": inventory.title,
        "drawn": inventory.drawn,
        "fingerprint": inventory.fingerprint,
        "images": len(inventory),
        "unit": inventory.unit,
        "groups": len(inventory.groups),
        "grouping": inventory.grouping,
        "leaks": [f"{check.name}: {check.sentence}" for check in audit.leaks],
        "checks": [_check(audit, check) for check in audit.checks],
    }


def _check(audit: Audit, check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "verdict": check.verdict,
        "sentence": check.sentence,
        "numbers": check.numbers,
        "findings": [_finding(audit, finding) for finding in check.findings],
    }


def _finding(audit: Audit, finding: Finding) -> dict[str, Any]:
    inventory, places = audit.inventory, finding.places
    return {
        "words": finding.words,
        "paths": [inventory.paths[place] for place in places] + list(finding.paths),
        "splits": [inventory.split_name(place) for place in places],
        "labels": [inventory.label_name(place) for place in places],
        "groups": [inventory.group_name(place) for place in places],
    }
