"""The audit as one page: verdicts first, then the images side by side."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from cancernet.auditing import words
from cancernet.auditing.audit import Audit
from cancernet.auditing.checks import Check
from cancernet.auditing.inventory import Inventory
from cancernet.base.notice import NOTICE
from cancernet.base.verdicts import CheckVerdict
from cancernet.report.page import DRAWN_ALERT
from cancernet.report.pictures import Picture, small_picture
from cancernet.report.rendering import render

SHOWN = 24  # findings of a check whose images are shown
LISTED = 60  # findings without images that are listed
LONGEST, SHORTEST = 160, 96  # pixels of the longer side of an image on the page


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownImage:
    """An image of a finding.

    Attributes:
        path: relative to the folder.
        name: of the file alone.
        split: by name.
        label: likewise.
        group: likewise; None where no image has one.
        picture: None where the file cannot be read.
    """

    path: str
    name: str
    split: str
    label: str
    group: str | None
    picture: Picture | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """A finding with its images."""

    words: str
    images: list[ShownImage]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """A check with what it found.

    Attributes:
        check: its name, verdict and sentence.
        numbers: its figures by name.
        table: heading and rows, for a check that has one.
        cards: findings whose images are shown.
        more_cards: how many more there are.
        files: paths and words of findings about files that are not in the inventory.
        more_files: how many more there are.
    """

    check: CheckVerdict
    numbers: Mapping[str, float]
    table: tuple[list[str], list[list[Any]]] | None
    cards: list[Card]
    more_cards: int
    files: list[tuple[tuple[str, ...], str]]
    more_files: int


def page(audit: Audit) -> str:
    """Returns the page as one HTML document that fetches nothing."""
    inventory, alerts = audit.inventory, [DRAWN_ALERT] * audit.inventory.drawn
    told = [words.say_check(check, inventory) for check in audit.checks]
    if audit.leaks:
        names = ", ".join(one.name for one in told if one.leaks)
        alerts.append(f"LEAK ({names}): {words.TOO_GOOD}.")
    return render(
        "audit.html.j2",
        title=f"Audit of {inventory.title}",
        notice=NOTICE,
        alerts=alerts,
        inventory=inventory,
        grouping=words.say_grouping(inventory),
        checks=told,
        sections=[
            _section(inventory, check, verdict)
            for check, verdict in zip(audit.checks, told, strict=True)
            if check.findings or check.shares or check.numbers
        ],
    )


def _section(inventory: Inventory, check: Check, told: CheckVerdict) -> Section:
    with_images = [finding for finding in check.findings if finding.places]
    files = [finding for finding in check.findings if not finding.places]
    cards = [
        Card(
            words=words.say_fault(finding.fault),
            images=[_image(inventory, place) for place in finding.places],
        )
        for finding in with_images[:SHOWN]
    ]
    return Section(
        check=told,
        numbers=check.numbers,
        table=words.tabulate(check, inventory),
        cards=cards,
        more_cards=len(with_images) - len(cards),
        files=[(finding.paths, words.say_fault(finding.fault)) for finding in files[:LISTED]],
        more_files=max(0, len(files) - LISTED),
    )


def _image(inventory: Inventory, place: int) -> ShownImage:
    path = inventory.paths[place]
    return ShownImage(
        path=path,
        name=path.rpartition("/")[2],
        split=inventory.split_name(place),
        label=inventory.label_name(place),
        group=inventory.group_name(place) if inventory.has_groups else None,
        picture=small_picture(inventory.folder / path, longest=LONGEST, shortest=SHORTEST),
    )
