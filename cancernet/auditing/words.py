"""What an audit found, in words: the terminal, `audit.json` and the page take them from here."""

from collections.abc import Callable, Sequence
from typing import Any

from cancernet.auditing.checks import (
    LEAK,
    OK,
    WARNING,
    Check,
    CheckKind,
    Copies,
    Family,
    Fault,
    MaskBy,
    Missing,
    Outlier,
    Straddling,
    Unreadable,
)
from cancernet.auditing.inventory import Grouping, GroupsFrom, Inventory
from cancernet.auditing.picture_checks import FEWEST_GROUPS, FEWEST_IMAGES
from cancernet.base.verdicts import CheckVerdict
from cancernet.base.words import counted, joined, some
from cancernet.config import SPLITS
from cancernet.lookalike.near_duplicates import Change, Pair

TOO_GOOD = "results on this set will be too optimistic for new patients"
LIMITS = "docs/AUDIT.md says what these checks cannot see."


def say_check(check: Check, inventory: Inventory) -> CheckVerdict:
    """Names a check, and says in one sentence what came of it."""
    say = _FOUND[check.kind][0] if check.missing is None else _say_missing
    name = check.kind.value.format(unit=inventory.unit)
    return CheckVerdict(name, check.verdict, say(check, inventory))


def conclude(checks: Sequence[Check], inventory: Inventory) -> str:
    """Says what the checks come to, as the last line of the audit."""
    leaks, warnings = (
        joined([_name_found(check, inventory) for check in checks if check.verdict is verdict])
        for verdict in (LEAK, WARNING)
    )
    if leaks:
        also = f" Other findings: {warnings}." if warnings else ""
        return f"LEAK: {leaks} in more than one split; {TOO_GOOD}.{also}"
    if not inventory.has_splits:
        text = "Nothing is divided into splits yet, so nothing can leak"
        text += f"; to resolve before dividing: {warnings}" if warnings else ""
    else:
        text = "No leak was found"
        if not inventory.has_groups:
            text += f"; {inventory.unit}s could not be checked"
        text += f"; other findings: {warnings}" if warnings else ""
    return f"{text}. {LIMITS}"


def _name_found(check: Check, inventory: Inventory) -> str:
    """Names what a check found, with its number where every finding is one."""
    _, one, several = _FOUND[check.kind]
    found = counted(len(check.findings), one, several) if one else several
    return found.format(unit=inventory.unit)


def say_grouping(inventory: Inventory) -> str:
    """Says how the groups are known, or what would tell them."""
    grouping, total = inventory.grouping, len(inventory)
    if not inventory.has_groups:
        return f"nothing in the names says which images belong together; {_advice(grouping)}."
    text = {
        GroupsFrom.MANIFEST: "as recorded in the manifest.",
        GroupsFrom.PATTERN: f"by --group-by {grouping.given}.",
        GroupsFrom.CATALOGUE: f"as the catalogue reads the names of {grouping.given}.",
        GroupsFrom.KNOWN_NAMES: "from file names in a known form.",
    }[grouping.source]
    if grouping.unnamed:
        text += f" {grouping.unnamed:,} of {total:,} names tell no {inventory.unit}."
    return text


def _advice(grouping: Grouping) -> str:
    """Says which flag would help, given those in use."""
    pattern = "name the part of a path that does with --group-by"
    if grouping.source is GroupsFrom.PATTERN:
        return "give --group-by a pattern that matches the paths"
    if grouping.source is GroupsFrom.CATALOGUE:
        return pattern
    return f"name the data set with --dataset, or {pattern.removeprefix('name ')}"


def say_fault(fault: Fault) -> str:
    """Says what is wrong with the images of a finding."""
    match fault:
        case Straddling(name, images):
            shares = zip(images, SPLITS, strict=True)
            return f"{name}: " + ", ".join(
                f"{count:,} in {split}" for count, split in shares if count
            )
        case Copies(images, across):
            return f"{images} images with the same pixels" + ", in more than one split" * across
        case Pair():
            changes = [
                f"cropped to {100 * fault.crop:.0f} % of the side" if one is Change.CROPPED else one
                for one in fault.changes
            ]
            told = f"; correlation {1 - fault.distance:.2f}" if fault.distance else ""
            return ", ".join(changes) + told
        case Outlier(name):
            return f"{name}: {_say_outlier(fault)}"
        case MaskBy.NAME:
            return "a mask by its name"
        case MaskBy.LOOKS:
            return "black and white only"
        case Unreadable(reason):
            return reason
        case Family(name):
            return name


def tabulate(check: Check, inventory: Inventory) -> tuple[list[str], list[list[Any]]] | None:
    """Returns the heading and rows of the table of a check that has one."""
    if check.shares:
        return ["split", "images", *inventory.labels], [
            [split, images, *(f"{100 * share:.1f} %" for share in shares)]
            for split, (images, shares) in check.shares.items()
        ]
    if check.kind is CheckKind.STAIN and check.findings:
        return [inventory.unit, "split", "images", "how"], [
            [fault.name, inventory.split_name(one.places[0]), fault.images, _say_outlier(fault)]
            for one in check.findings
            if isinstance(fault := one.fault, Outlier)
        ]
    return None


def _say_outlier(outlier: Outlier) -> str:
    side = "above" if outlier.deviations > 0 else "below"
    return f"{outlier.colour} {abs(outlier.deviations):.1f} deviations {side} the rest"


_MISSING = {
    Missing.SPLITS: "there are fewer than two splits to compare.",
    Missing.PATIENTS: "a {unit} always has one label, and the patients are not known.",
    Missing.SECOND_LABEL: "there is only one label.",
    Missing.LABELLED_GROUPS: "this needs images of two classes with known {unit}s.",
    Missing.LABELLED_SPLITS: "this needs two splits with images in class folders.",
    Missing.LARGER_GROUPS: "most {unit}s have a single image.",
}


def _say_missing(check: Check, inventory: Inventory) -> str:
    if check.missing is Missing.GROUPS:
        return say_grouping(inventory)
    if check.missing in _MISSING:
        return _MISSING[check.missing].format(unit=inventory.unit)
    large = int(check.numbers["groups"])
    return (
        f"this needs {FEWEST_GROUPS} {inventory.unit}s with at least {FEWEST_IMAGES} images each; "
        f"there {'is' if large == 1 else 'are'} {large}."
    )


def _groups(check: Check, inventory: Inventory) -> str:
    total = counted(int(check.numbers["groups"]), inventory.unit)
    if check.verdict is OK:
        return f"each of {total} is in one split only, {say_grouping(inventory)}"
    straddling = counted(len(check.findings), f"of {total} is", f"of {total} are")
    return f"{straddling} in more than one split: {some(_names_of(check))}."


def _identical(check: Check, inventory: Inventory) -> str:
    plain = int(check.numbers["copies too plain to tell"])
    blank = f"; {plain:,} more are nearly blank, which proves nothing" if plain else ""
    if check.verdict is OK:
        return f"no two images have the same pixels{blank}."
    if check.verdict is LEAK:
        across = int(check.numbers["groups in more than one split"])
        images = counted(across, "image is", "images are")
        return f"{images} in more than one split with identical pixels{blank}."
    repeats = counted(int(check.numbers["copies"]) - plain, "image repeats", "images repeat")
    where = " of the same split" if inventory.has_splits else ""
    return f"{repeats} another{where}{blank}."


def _near(check: Check, inventory: Inventory) -> str:
    plain = int(check.numbers["too plain to compare"])
    aside = f" ({counted(plain, 'nearly blank image')} cannot be compared)" if plain else ""
    pairs, one, several = len(check.findings), "pair of images", "pairs of images"
    if check.verdict is LEAK:
        images = len({place for finding in check.findings for place in finding.places})
        apart = "in different splits"
        show = counted(pairs, f"{one} {apart} shows", f"{several} {apart} show")
        return f"{show} the same thing, altered ({images:,} images){aside}."
    if check.verdict is WARNING:
        resemble = counted(pairs, f"{one} resembles", f"{several} resemble")
        return f"{resemble} each other: each pair must go to one split{aside}."
    if inventory.has_splits:
        return f"no altered copy of an image was found in another split{aside}."
    return f"no two images resemble each other{aside}."


def _families(check: Check, inventory: Inventory) -> str:
    families = counted(int(check.numbers["families"]), "family", "families")
    if not check.numbers["families"]:
        return "no file is named like an augmented copy."
    if check.verdict is LEAK:
        straddling = counted(
            len(check.findings), f"of {families} of copies is", f"of {families} of copies are"
        )
        return f"{straddling} in more than one split ({some(_names_of(check), 3)})."
    there = counted(int(check.numbers["images"]), "image forms", "images form")
    there += f" {families} of copies by name"
    if not inventory.has_splits:
        return f"{there} ({some(check.names, 3)}): each must stay in one split."
    tested = int(check.numbers["copies in validation or testing"])
    if not tested:
        return f"{there}, all of them in training."
    copies = counted(tested, "copy is", "copies are")
    return (
        f"{there}, each in one split; {copies} in validation or testing, where one image "
        "counts several times."
    )


def _labels(check: Check, inventory: Inventory) -> str:
    if check.verdict is OK:
        return "no image was found under two labels."
    show = counted(len(check.findings), "pair shows", "pairs show")
    return (
        f"{show} one image under two labels, {check.numbers['identical']:,} of them with "
        "identical pixels: one of the labels is wrong."
    )


def _masks(check: Check, inventory: Inventory) -> str:
    if check.verdict is OK:
        return "no image is named like a mask or looks like one."
    named = counted(int(check.numbers["by name"]), "file is a mask", "files are masks")
    return (
        f"{named} by name and {check.numbers['by looks']:,} more by appearance, first "
        f"{_first_path(check, inventory)}: they are not images to classify."
    )


def _readable(check: Check, inventory: Inventory) -> str:
    if check.verdict is OK:
        return f"all {len(inventory):,} images can be read."
    return (
        f"{counted(len(check.findings), 'image')} cannot be read, first "
        f"{_first_path(check, inventory)}: {say_fault(check.findings[0].fault)}."
    )


def _confounding(check: Check, inventory: Inventory) -> str:
    unit, numbers = inventory.unit, check.numbers
    groups = int(numbers["groups"])
    total = counted(groups, unit)
    single = counted(int(numbers["groups of one class"]), f"of {total} has", f"of {total} have")
    share = 100 * numbers["share of images in them"]
    by_group = 100 * numbers["labelled right by group alone"]
    by_class = 100 * numbers["labelled right by the commonest class"]
    sentence = (
        f"{single} images of one class only ({share:.0f} % of the images); knowing the {unit} "
        f"alone would label {by_group:.0f} % correctly, always naming the most common class "
        f"{by_class:.0f} %"
    )
    if check.verdict is OK:
        return f"{sentence}."
    few = [f"{one} in {count} of {groups}" for one, count in check.having.items() if count < groups]
    return (
        f"{sentence}: a network may learn to tell the {unit}s apart instead of the classes "
        f"({some(few, 3)})."
    )


def _stain(check: Check, inventory: Inventory) -> str:
    groups = f"{check.numbers['groups']:,} {inventory.unit}s"
    if check.verdict is OK:
        return f"the colours of the {groups} are alike."
    differ = counted(len(check.findings), f"of {groups} differs", f"of {groups} differ")
    return (
        f"{differ} in colour from the rest ({some(_names_of(check))}): make sure that no class "
        "and no split consists of them alone."
    )


def _prevalence(check: Check, inventory: Inventory) -> str:
    none = [
        f"{split} has no image of {label}"
        for split, (_, shares) in check.shares.items()
        for label, share in zip(inventory.labels, shares, strict=True)
        if not share
    ]
    if none:
        return f"{some(none, 3)}."
    if check.verdict is OK:
        most = 100 * check.numbers["largest difference"]
        return f"the shares of the classes differ by at most {most:.1f} points."
    place = inventory.labels.index(check.names[0])
    shares = [100 * shares[place] for _, shares in check.shares.values()]
    return (
        f"class {check.names[0]} makes up {min(shares):.1f} to {max(shares):.1f} % of a split: "
        "predictive values and an operating point do not carry over between them."
    )


# What came of a check as a sentence; one finding and several, nothing for one where findings are
# not counted.
_FOUND: dict[CheckKind, tuple[Callable[[Check, Inventory], str], str, str]] = {
    CheckKind.GROUPS: (_groups, "{unit}", "{unit}s"),
    CheckKind.IDENTICAL: (_identical, "image with exact copies", "images with exact copies"),
    CheckKind.NEAR: (_near, "look-alike pair", "look-alike pairs"),
    CheckKind.FAMILIES: (_families, "", "augmented copies by name"),
    CheckKind.LABELS: (_labels, "pair with two labels", "pairs with two labels"),
    CheckKind.MASKS: (_masks, "mask", "masks"),
    CheckKind.READABLE: (_readable, "unreadable file", "unreadable files"),
    CheckKind.CONFOUNDING: (_confounding, "", "classes that only some {unit}s have"),
    CheckKind.STAIN: (_stain, "{unit} of another colour", "{unit}s of another colour"),
    CheckKind.PREVALENCE: (_prevalence, "", "splits of different prevalence"),
}


def _names_of(check: Check) -> list[str]:
    return [one.fault.name for one in check.findings if isinstance(one.fault, Straddling | Outlier)]


def _first_path(check: Check, inventory: Inventory) -> str:
    first = check.findings[0]
    return first.paths[0] if first.paths else inventory.paths[first.places[0]]
