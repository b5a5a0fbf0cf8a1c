"""Tells whether a run was trained on the images or patients that it is judged on."""

from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.files import sha256_of
from cancernet.base.patch_name import patient_key
from cancernet.base.verdicts import CheckVerdict
from cancernet.base.words import counted, some
from cancernet.dataset.build_record import read_audit, read_fingerprint
from cancernet.dataset.manifest import MANIFEST, manifest_rows
from cancernet.evaluation.labelled_images import Labelled
from cancernet.runs.run_folder import Run

NAMED = 5
LEARNT_FROM = ("training", "validation")


def trained_on(labelled: Labelled, run: Run) -> str:
    """Returns a sentence on what was in the run's training or validation; empty for nothing.

    Patients are compared by name where they are known, and files by their bytes where the
    run's data set is still to be found (`own_folder`).
    """
    own = {patient_key(name) for name in _own_patients(run)}
    seen = sorted(name for name in set(labelled.patients) if patient_key(name) in own)
    if seen:
        were = counted(len(set(labelled.patients)), "patient was", "patients were")
        return (
            f"LEAK: {len(seen)} of {were} in the run's "
            f"training or validation ({some(seen, NAMED)}), if the names mean the "
            "same patients; the figures are then better than new patients would give."
        )
    bytes_seen = _own_bytes(run)
    if bytes_seen:
        same = sum(sha256_of(labelled.folder / path) in bytes_seen for path in labelled.paths)
        if same:
            return (
                f"LEAK: {same:,} of {len(labelled.paths):,} images are, byte for byte, images of "
                "the run's training or validation; the figures are better than new images "
                "would give."
            )
    return ""


def unchecked(labelled: Labelled, run: Run) -> str:
    """Returns a sentence where bytes cannot be compared; empty where they can, or need not."""
    if not fingerprints(run):
        return (
            "What this model was trained on is not known: if it has seen these images, or others "
            "of these patients, the figures are too good."
        )
    if labelled.fingerprint and labelled.fingerprint in fingerprints(run):
        return ""
    if own_folder(run) is not None:
        return ""
    could = (
        "could be checked only by patients' names"
        if labelled.patients_known
        else ("could not be checked")
    )
    return (
        f"Whether the run was trained on some of these images {could}: its own data set is no "
        "longer where it was."
    )


def leak_of(run: Run) -> str:
    """Returns what leaks in the run's own data set, as built or as an audit found since."""
    return run.leak or " ".join(
        f"LEAK: the audit of the data set found {check.name}: {check.sentence}"
        for check in own_audit(run)
        if check.leaks
    )


def own_audit(run: Run) -> list[CheckVerdict]:
    """Returns the verdicts on the run's own data set; none for a fold, which divides it again."""
    folder = None if run.record.dataset.whole else own_folder(run)
    return read_audit(folder) if folder is not None else []


def own_folder(run: Run) -> Path | None:
    """Returns the folder of the run's own data set where it is still to be found as it was.

    A relative folder is looked for from here and from each folder above the run: people start a
    training in the folder that has both.
    """
    named = Path(run.record.dataset.folder)
    above = [] if named.is_absolute() else [p / named for p in run.folder.resolve().parents]
    for folder in (named, *above):
        try:
            if read_fingerprint(folder) in fingerprints(run):
                return folder
        except (CancerNetError, OSError):
            continue
    return None


def fingerprints(run: Run) -> set[str]:
    """Returns the fingerprint of the run's data set and, for a fold, of the set it divides."""
    facts = run.record.dataset
    return {facts.fingerprint, facts.whole} - {""}


def _own_patients(run: Run) -> set[str]:
    patients = run.record.dataset.patients
    return {name for split in LEARNT_FROM for name in patients.get(split, ())}


def _own_bytes(run: Run) -> set[str]:
    folder = own_folder(run)
    if folder is None:
        return set()
    is_fold = bool(run.record.dataset.whole)
    patients = _own_patients(run)
    try:
        return {
            row[5]
            for row in manifest_rows(folder / MANIFEST)
            # The manifest's splits are not those of a fold.
            if (row[2] in patients if is_fold else row[4] in LEARNT_FROM)
        }
    except (OSError, ValueError):
        return set()  # the data have moved on; names are all there is
