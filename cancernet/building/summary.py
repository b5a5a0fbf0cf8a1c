"""What a build says on the screen."""

import shlex
from collections.abc import Sequence

from cancernet.base.console import typed
from cancernet.base.words import aligned, counted, some
from cancernet.building.build import Outcome
from cancernet.building.settings import LEAVE_OUT
from cancernet.config import DATASETS, SPLITS
from cancernet.dataset.build_record import BuildRecord
from cancernet.dataset.manifest import LEFT_OUT, MANIFEST
from cancernet.dataset.notices import SplitCounts
from cancernet.images.formats import Oddity, say_oddities
from cancernet.recipes import first_start

DRAWN = "DRAWN SAMPLE: a program made these images; no result on them says anything about tissue."
NAMED = 20


def describe(outcome: Outcome) -> str:
    """Returns the closing text: the table, what was left out, what to do next."""
    facts = outcome.facts
    lines = [f"{facts.title}, split {facts.split_kind}", ""]
    lines += split_table(facts)
    if len(facts.classes) > 2:
        lines += ["", *class_table(facts)]
    lines += ["", *_left_out(facts), ""]
    if missing := facts.listed_without_images:
        names = some([shown(name) for name in missing])
        lines.append(
            f"On the lists, but without images: {counted(len(missing), 'patient')} ({names})"
        )
    if unlisted := facts.unlisted.patients:
        where = facts.settings["unlisted"]
        fate = "left out" if where == LEAVE_OUT else f"sent to {where}"
        lines.append(
            f"On none of the lists: {counted(unlisted, 'patient')} with "
            f"{counted(facts.unlisted.images, 'image')}, {fate} (--unlisted)"
        )
    if facts.bits:
        lines.append(
            f"Values of more than 8 bits: the largest needs {facts.bits} bits, so the upper 8 of "
            f"{facts.bits} are used"
        )
    odd = {Oddity[name.upper()]: count for name, count in facts.oddities.items()}
    lines += say_oddities({each: counted(count, "image") for each, count in odd.items()})
    remarks = [DRAWN if facts.drawn else "", facts.leak]
    lines += [f"Note: {remark}" for remark in remarks if remark]
    done = "Already built, nothing changed:" if outcome.unchanged else "Built:"
    lines.append(f"{done} {shown(str(outcome.output))} ({MANIFEST} {facts.fingerprint[:16]})")
    return "\n".join([*lines, *_next(outcome)])


def _next(outcome: Outcome) -> list[str]:
    facts, size = outcome.facts, outcome.facts.image_size
    start = first_start(facts.dataset, max(size.width, size.height))
    given = outcome.output != DATASETS / facts.dataset
    data = f"--data {shlex.quote(shown(str(outcome.output)))}" if given else ""
    command = " ".join(filter(None, [typed("train"), start.flags, data]))
    lines = [f"Next: `{command}`"]
    if start.chosen:
        side = start.config.image_size
        weights = "ImageNet weights" if start.config.weights == "imagenet" else "random numbers"
        lines.append(
            f"Its network starts from {weights} and takes your images (mostly {size.width} x "
            f"{size.height} pixels) at {side} x {side}; `--list-recipes` shows others."
        )
    return lines


def split_table(facts: BuildRecord) -> list[str]:
    """Returns split x patients, images, positives and prevalence as aligned lines."""
    words = dict(zip(facts.classes, facts.words, strict=True))
    several = len(facts.positive) > 1
    positive = "positive" if several else words[facts.positive[0]]
    unit = facts.unit + "s"
    rows: list[tuple[str, ...]] = [("split", unit, "images", positive, "prevalence")]
    rows += [_row(split, facts.counts[split]) for split in SPLITS]
    every = [facts.counts[split] for split in SPLITS]
    total = SplitCounts(
        patients=sum(one.patients for one in every),
        images=sum(one.images for one in every),
        positives=sum(one.positives for one in every),
        classes={},
    )
    # Where patients are in several splits, their sum would count them more than once.
    rows.append(_row("all", total, patients=not facts.leaks))
    return aligned(rows, numbers=True)


def class_table(facts: BuildRecord) -> list[str]:
    """Returns class x images of each split as aligned lines; positive classes have a +."""
    rows: list[tuple[str, ...]] = [("class", *SPLITS)]
    for index, name in enumerate(facts.classes):
        mark = " +" if name in facts.positive else ""
        counts = [facts.counts[split].classes[name] for split in SPLITS]
        rows.append((facts.called(index) + mark, *(f"{count:,}" for count in counts)))
    return aligned(rows, numbers=True)


def name_failed(failed: Sequence[tuple[str, str, str]]) -> list[str]:
    """Returns a line for each file with a defect (its row), and a count when they are many."""
    lines = [
        f"left out: {shown(source)}: {reason}" + (f" ({detail})" if detail else "")
        for source, reason, detail in failed[:NAMED]
    ]
    if len(failed) > NAMED:
        lines.append(f"left out: {len(failed) - NAMED:,} more, all in {LEFT_OUT}")
    return lines


def shown(name: str) -> str:
    """A name as it can be printed on one line of any terminal."""
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def _row(split: str, counts: SplitCounts, *, patients: bool = True) -> tuple[str, ...]:
    return (
        split,
        f"{counts.patients:,}" if patients else "",
        f"{counts.images:,}",
        f"{counts.positives:,}",
        f"{100 * counts.positives / counts.images:.1f} %" if counts.images else "-",
    )


def _left_out(facts: BuildRecord) -> list[str]:
    reasons = facts.left_out
    if not reasons:
        return ["Left out: nothing."]
    width = max(len(f"{count:,}") for count in reasons.values())
    lines = [f"Left out, each with its reason in {LEFT_OUT}:"]
    return lines + [f"  {f'{count:,}'.rjust(width)}  {reason}" for reason, count in reasons.items()]
