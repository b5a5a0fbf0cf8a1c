"""Whether a run was trained on what it is now to be judged on."""

from pathlib import Path

from cancernet.errors import CancerNetError
from cancernet.examining.labelled import Labelled
from cancernet.files import sha256_of
from cancernet.manifest import MANIFEST, manifest_rows, read_build
from cancernet.runs import Run
from cancernet.wording import counted, some

NAMED = 5


def trained_on(labelled: Labelled, run: Run) -> str:
    """Returns a sentence on what was in the run's training or validation; empty for nothing.

    Patients are compared by name where both are of one published data set, and files by
    their bytes where the run's data set still lies where it was trained.
    """
    own = _own_patients(run)
    seen = sorted(set(labelled.patients) & own) if labelled.patients_known else []
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


def _own_patients(run: Run) -> set[str]:
    patients = run.content["dataset"].get("patients") or {}
    return {*patients.get("training", ()), *patients.get("validation", ())}


def own_folder(run: Run) -> Path | None:
    """Returns the folder of the run's own data set where it still lies there as it was."""
    folder = Path(str(run.content["dataset"].get("folder", "")))
    try:
        same = read_build(folder)["fingerprint"] == run.content["dataset"]["fingerprint"]
    except (CancerNetError, KeyError, OSError):
        return None
    return folder if same else None


def _own_bytes(run: Run) -> set[str]:
    folder = own_folder(run)
    if folder is None:
        return set()
    try:
        rows = manifest_rows(folder / MANIFEST)
        return {row[5] for row in rows if row[4] in ("training", "validation")}
    except (OSError, ValueError):
        return set()  # the data have moved on; names are all there is
