"""No code decides by words: with every sentence changed, the programs do the same.

`tests/helpers/reworded.py` changes each sentence in the code and in the templates, in one process
that builds, audits, trains, evaluates, predicts and refuses. With the words changed back, exit
codes and files must be those of the records: every value, and every sentence in its place.
"""

import re
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.golden.refusals import REFUSALS, WITH_A_RUN
from tests.golden.test_golden import (
    ALTERED,
    AUDITS,
    BUILDS,
    EVALUATIONS,
    FORMS,
    RECORDS,
    ROOT,
    RUN,
    TRAINING,
    Folder,
    Records,
)  # fmt: skip
from tests.helpers.reworded import restored

# room of the records -> script and flags
BEFORE = {
    **{f"build-{name}": ("build_dataset.py", [*flags, "--output", f"datasets/{name}"])
       for name, flags in BUILDS.items()},
    **{f"audit-{name}": ("build_dataset.py", flags) for name, flags in AUDITS.items()},
}  # fmt: skip
AFTER = {
    "run": ("train_model.py", TRAINING),
    "evaluation-clinic": ("evaluate_model.py", [*RUN, *EVALUATIONS["clinic"]]),
    "predictions": ("predict.py", ["clinic", *RUN, "--csv", "clinic.csv"]),
}  # fmt: skip
# room -> what the programs wrote
FOLDERS = {
    **{f"build-{name}": f"datasets/{name}" for name in BUILDS},
    "audit-idc": "datasets/idc.audit",
    "audit-ultrasound": "ultrasound.audit",
    "run": "output/golden",
    "evaluation-clinic": "output/golden/evaluations/clinic",
}


class Reworded(Folder):
    """What the programs make of the pictures in other words."""

    runner = (str(ROOT / "tests" / "helpers" / "reworded.py"),)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.make_the_rest()
        with_a_run = {name: case for name, case in WITH_A_RUN.items() if name != ALTERED}
        self.outcomes = self.run_all({**BEFORE, **REFUSALS, **AFTER, **with_a_run})
        self.changed = 0
        for path in folder.rglob("*"):
            if path.suffix in FORMS and path.is_file():
                text = path.read_text(encoding="utf-8")
                path.write_text(restored(text), encoding="utf-8")
                self.changed += restored(text) != text

    def records(self, room: str) -> Records:
        """What was printed and written for a room, in the words of the records."""
        trained = not room.startswith(("build", "audit"))
        code, *printed = self.outcomes[room]
        out, err = map(restored, printed)
        files = self.records_of(self.folder / FOLDERS[room], trained=trained)
        return {"printed.txt": self.told((code, out, err), trained=trained), **files}


@pytest.fixture(scope="module")
def reworded(rewording: Future[Reworded]) -> Reworded:
    return rewording.result()


def words_of(text: str) -> list[str]:
    """Leaves out what follows from the length of words, and which of them begins a sentence."""
    return re.sub(r"[─-]+", " ", text).casefold().split()


def test_the_words_are_changed(reworded: Reworded) -> None:
    assert reworded.changed > 20
    _, printed, _ = reworded.outcomes["build-idc"]
    assert "The images" not in printed and "Left out" not in printed


@pytest.mark.parametrize("room", FOLDERS)
def test_the_rest_is_not(reworded: Reworded, room: str) -> None:
    found = reworded.records(room)
    for record in sorted((RECORDS / room).iterdir()):
        assert words_of(found[record.name]) == words_of(record.read_text("utf-8")), record.name


def test_exit_codes(reworded: Reworded) -> None:
    known = {}
    for room in ("refusals", "refusals-with-a-run"):
        text = (RECORDS / room / "refusals.txt").read_text(encoding="utf-8")
        known |= dict(re.findall(r"^=== (.*)\nexit code (\d)", text, re.MULTILINE))
    known["predictions"] = "1"  # one image of the clinic is damaged
    found = {name: str(code) for name, (code, _, _) in reworded.outcomes.items() if name in known}
    assert found == {name: code for name, code in known.items() if name != ALTERED}
