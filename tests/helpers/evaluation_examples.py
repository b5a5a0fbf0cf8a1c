"""Scored images for the tests of evaluation: drawn numbers, no network."""

import dataclasses

import numpy as np

from cancernet.config import TrainConfig
from cancernet.measures.assess import Assessment, assess_at, choose_point
from cancernet.measures.calls import Calls
from cancernet.measures.decisions import NONE, Calibration, Rule, rule_of
from cancernet.measures.intervals import RESAMPLES
from cancernet.measures.operating_point import choose_operating_point
from cancernet.measures.scored import Classes, Scored, write_scored
from cancernet.report.content import (
    Asked,
    FlowStep,
    Network,
    ReportContent,
    TrainingFacts,
)
from cancernet.runs import run_folder
from cancernet.runs.run_folder import PREDICTIONS, VALIDATION_PREDICTIONS
from tests.conftest import write_tiny_run

TABLES = (PREDICTIONS, VALIDATION_PREDICTIONS)
NAMES = tuple(
    f"Density{number}{kind}" for number in range(1, 5) for kind in ("Benign", "Malignant")
)


def scored(seed: int, *, classes: int = 2, patients: int = 12, images: int = 240) -> Scored:
    """Scored images of which float32 probabilities come from a network, so to speak."""
    generator = np.random.default_rng(seed)
    patient = generator.integers(0, patients, images)
    truth = generator.integers(0, classes, images)
    odds = generator.normal(0, 1, (images, classes))
    odds[np.arange(images), truth] += 1.5
    probabilities = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    return Scored(
        paths=[
            f"testing/{label}/p{who}_{k}.png"
            for k, (label, who) in enumerate(zip(truth, patient, strict=True))
        ],
        patients=[str(10_000 + who) for who in patient],
        truth=truth,
        probabilities=probabilities.astype(np.float32),
    )


def assess(
    validation: Scored,
    testing: Scored,
    classes: Classes,
    *,
    config: TrainConfig,
    calibration=NONE,
    resamples: int = RESAMPLES,
) -> Assessment:
    """Chooses the operating point on validation and judges both splits at it."""
    rule = rule_of(vars(config))
    scores = choose_point(validation, testing, classes, rule=rule, calibration=calibration)
    return assess_at(scores, seed=config.seed, resamples=resamples)


def assessed(classes: int = 2, **config) -> tuple[Scored, Scored, Assessment]:
    """Validation, testing and their assessment."""
    validation, testing = scored(1, classes=classes), scored(2, classes=classes)
    names = ("0", "1") if classes == 2 else NAMES[:classes]
    words = ("no IDC", "IDC") if classes == 2 else tuple(name.lower() for name in names)
    positive = ("1",) if classes == 2 else tuple(name for name in names if "Malignant" in name)
    found = assess(
        validation,
        testing,
        Classes(classes=names, words=words, positive=positive),
        config=TrainConfig(**config),
        resamples=200,
    )
    return validation, testing, found


def report_content(classes: int = 2, **changes) -> ReportContent:
    """What a report is made from."""
    *_, assessment = assessed(classes)
    content = {
        "title": "a run",
        "assessment": assessment,
        "asked": Asked(
            data_set="idc: IDC",
            recipe="idc-cancernet",
            network=Network(name="cancernet", width=48, height=48),
        ),
        "flow": [
            FlowStep(name="found", patients=24, images=6724),
            FlowStep(name="testing", patients=12, images=240, positives=120, note="scored once"),
        ],
        "left_out": {"not an image": 3},
        "split_method": "By patient: no patient is in two splits.",
        "leak": "",
        "drawn": False,
        "history": {"loss": [0.7, 0.5], "val_loss": [0.8, 0.6], "accuracy": [0.6, 0.7]},
        "best_epoch": 2,
        "training": TrainingFacts(seconds=12.5),
        "command": "python train_model.py --data datasets/idc",
        "seed": 7,
        "fingerprint": "ab" * 32,
        "settings": {"epochs": 2},
        "versions": {"python": "3.12"},
        "commit": "",
        "created": "2026-01-02T03:04:05+00:00",
    }
    return ReportContent(**{**content, **changes})


def finished_run(folder, /, *, seeds=(1, 2), temperature=1.5, fingerprint="ab", **dataset):
    """A finished run with stored predictions, its network judging by colour."""
    write_tiny_run(folder)
    for name, seed in zip(TABLES, seeds, strict=True):
        images = scored(seed)
        predicted = (images.probabilities[:, 1] >= 0.4).astype(int)
        write_scored(folder / name, images, classes=("0", "1"), predicted=predicted)
    record = run_folder.read_run_file(folder)
    validation = scored(seeds[1])
    point = choose_operating_point(
        Calls(validation.truth, validation.probabilities[:, 1]), Rule("fixed", threshold=0.4)
    )
    record = dataclasses.replace(
        record,
        operating_point=point,
        calibration=Calibration(method="temperature", temperature=temperature),
        dataset=dataclasses.replace(
            record.dataset, fingerprint=fingerprint, drawn=False, **dataset
        ),
        files=run_folder.vouch_for(folder, [run_folder.MODEL_ONNX, *TABLES]),
    )
    run_folder.write_run_file(folder, record)
    return folder
