"""What an audit leaves: lines for the terminal, `audit.json`, and a page to look at."""

import dataclasses
import os
from pathlib import Path
from typing import Any

from cancernet import __version__
from cancernet.auditing import words
from cancernet.auditing.audit import Audit
from cancernet.auditing.checks import Finding
from cancernet.auditing.inventory import Inventory
from cancernet.base.errors import CancerNetError
from cancernet.base.files import json_text, write_bytes
from cancernet.base.words import NOTICE, counted
from cancernet.report.page import DRAWN_ALERT
from cancernet.report.pictures import Picture, small_picture
from cancernet.report.rendering import page_bytes, render

JSON, PAGE = "audit.json", "audit.html"
SHOWN = 24  # findings of a check whose images are shown on the page
LISTED = 60  # findings about other files that are listed
LONGEST, SHORTEST = 160, 96  # pixels of the longer side of an image on the page


def lines(audit: Audit) -> list[str]:
    """Returns the table for the terminal, verdict, check and sentence, and what it comes to."""
    inventory = audit.inventory
    groups = f", {counted(len(inventory.groups), inventory.unit)}" if inventory.has_groups else ""
    told = [words.say_check(check, inventory) for check in audit.checks]
    wide = max(len(one.name) for one in told)
    return [
        f"Audit of {inventory.folder}: {counted(len(inventory), 'image')}{groups}",
        "",
        *(f"{one.verdict:13}  {one.name:{wide}}  {one.sentence}" for one in told),
        "",
        words.conclude(audit.checks, inventory),
    ]


def write_report(audit: Audit, folder: Path) -> None:
    """Writes `audit.json` and `audit.html` into a folder of their own.

    Raises:
        CancerNetError: the folder holds something other than an earlier report.
    """
    if folder.exists() and not folder.is_dir():
        raise CancerNetError(f"{folder} is a file; name a folder with --report")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / JSON).is_file():
        raise CancerNetError(
            f"{folder} holds other files than an earlier report; name another with --report"
        )
    folder.mkdir(parents=True, exist_ok=True)
    content = json_text(as_json(audit), indent=1, ascii_only=True)
    write_bytes(folder / JSON, (content + "\n").encode())
    write_bytes(folder / PAGE, page_bytes(page(audit)))


def as_json(audit: Audit) -> dict[str, Any]:
    """The whole audit: every check, and every finding with its images."""
    inventory = audit.inventory
    leaks = [words.say_check(check, inventory) for check in audit.leaks]
    return {
        "program": f"cancernet {__version__}, build_dataset.py --audit",
        "folder": os.fspath(inventory.folder),
        "title": inventory.title,
        "drawn": inventory.drawn,
        "fingerprint": inventory.fingerprint,
        "images": len(inventory),
        "unit": inventory.unit,
        "groups": len(inventory.groups),
        "grouping": words.say_grouping(inventory),
        "leaks": [f"{one.name}: {one.sentence}" for one in leaks],
        "checks": [
            {
                **dataclasses.asdict(words.say_check(check, inventory)),
                "numbers": check.numbers,
                "findings": [_finding(inventory, finding) for finding in check.findings],
            }
            for check in audit.checks
        ],
    }


def page(audit: Audit) -> str:
    """Returns the page as one HTML document that fetches nothing."""
    inventory, alerts = audit.inventory, [DRAWN_ALERT] * audit.inventory.drawn
    told = [words.say_check(check, inventory) for check in audit.checks]
    if audit.leaks:
        names = ", ".join(one.name for one in told if one.leaks)
        alerts.append(f"LEAK ({names}): {words.TOO_GOOD}.")

    def picture(path: str) -> Picture | None:
        return small_picture(inventory.folder / path, longest=LONGEST, shortest=SHORTEST)

    return render(
        "audit.html.j2",
        title=f"Audit of {inventory.title}",
        notice=NOTICE,
        alerts=alerts,
        inventory=inventory,
        grouping=words.say_grouping(inventory),
        verdicts=told,
        checks=[
            (check, verdict, words.tabulate(check, inventory))
            for check, verdict in zip(audit.checks, told, strict=True)
            if check.findings or check.shares or check.numbers
        ],
        say=words.say_fault,
        picture=picture,
        shown=SHOWN,
        listed=LISTED,
    )


def _finding(inventory: Inventory, finding: Finding) -> dict[str, Any]:
    places = finding.places
    return {
        "words": words.say_fault(finding.fault),
        "paths": [*(inventory.paths[place] for place in places), *finding.paths],
        "splits": [inventory.split_name(place) for place in places],
        "labels": [inventory.label_name(place) for place in places],
        "groups": [inventory.group_name(place) for place in places],
    }
