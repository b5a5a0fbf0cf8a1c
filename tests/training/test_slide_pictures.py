"""Slide maps that a training leaves: of patches on a grid, and never at the cost of the run."""

import dataclasses
import types

import numpy as np
import pytest
from PIL import Image

from cancernet.base.records import from_json
from cancernet.context.judge import put_in_context
from cancernet.dataset.manifest import read_dataset
from cancernet.measures.assess import ScoreSet
from cancernet.measures.scored import Scored
from cancernet.runs.run_record import ContextRecord
from cancernet.slides import cells
from cancernet.training.report import begin_slide_pictures, write_slide_pictures
from tests.conftest import CONTEXT


def finished_with(dataset, context=None):
    part = dataset.split("testing")
    score = np.where(part.labels == 1, 0.8, 0.1)
    testing = Scored(
        paths=part.paths,
        patients=part.patients,
        truth=part.labels,
        probabilities=np.stack([1 - score, score], axis=1),
    )
    assessment = ScoreSet(
        classes=("0", "1"),
        words=("no IDC", "IDC"),
        positive=("1",),
        scored={"testing": testing},
        operating_point=types.SimpleNamespace(threshold=0.4),
    )
    training = types.SimpleNamespace(dataset=dataset)
    record = types.SimpleNamespace(context=context)
    return types.SimpleNamespace(
        training=training, assessment=assessment, alone=assessment, record=record
    )


def pictures_in(folder, finished, footer="drawn"):
    return write_slide_pictures(finished, begin_slide_pictures(finished, footer=footer), folder)


def test_every_testing_patient_has_a_map(built, tmp_path):
    dataset = read_dataset(built("idc"))
    pictures = pictures_in(tmp_path, finished_with(dataset))
    names = {f"slide-{name}.png" for name in dataset.split("testing").patients}
    assert {picture.path.name for picture in pictures} == names
    part = dataset.split("testing")
    for picture in pictures:
        name = picture.path.stem.removeprefix("slide-")
        share = np.mean([x for x, p in zip(part.labels, part.patients, strict=True) if p == name])
        assert picture.patient == name and picture.labelled == pytest.approx(share, abs=0.002)
        assert picture.called_alone is None


def test_maps_in_context_have_both_panels_and_both_shares(built, tmp_path):
    """The map in context is that of the run's figures in context."""
    dataset = read_dataset(built("idc"))
    context = from_json(ContextRecord, CONTEXT)
    finished = finished_with(dataset, context)
    (tmp_path / "alone").mkdir()
    alone = pictures_in(tmp_path / "alone", finished_with(dataset))
    pictures = pictures_in(tmp_path, finished)
    testing = finished.assessment.scored["testing"]
    judged = put_in_context(finished.alone, context, context.operating_point, side=context.side)
    called = judged.scores.calls("testing").called
    for before, picture in zip(alone, pictures, strict=True):
        own = np.array(testing.patients) == picture.patient
        assert picture.called == pytest.approx(called[own].mean(), abs=0.002)
        assert picture.called_alone == before.called
        with Image.open(before.path) as one, Image.open(picture.path) as both:
            assert both.height > one.height  # the two probabilities have a row of their own


def test_patches_off_a_grid_have_none_and_the_run_goes_on(built, tmp_path, monkeypatch, caplog):
    dataset = read_dataset(built("idc"))
    part = dataset.split("testing")
    places = np.random.default_rng(1).permutation(100_000)[: len(part.x)]
    odd = dataclasses.replace(part, x=places, y=places[::-1].copy())
    dataset = dataclasses.replace(dataset, parts={**dataset.parts, "testing": odd})
    monkeypatch.setattr(cells, "MOST_CELLS", 1000)
    assert pictures_in(tmp_path, finished_with(dataset)) == []
    assert "do not lie on one grid" in caplog.text
