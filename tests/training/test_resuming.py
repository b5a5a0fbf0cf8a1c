"""Resuming a training of a part of its images."""

import pytest

from cancernet.base.errors import CancerNetError
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import read_dataset
from cancernet.planning import begin, resume
from cancernet.planning.plan import Plan, Resume, Training
from cancernet.runs import run_folder
from cancernet.runs.run_record import FirstWeights
from cancernet.training import train


def test_the_record_stays_that_of_the_images_trained_on(built, tmp_path, monkeypatch):
    """With a limit, run.json had the counts of all images after --insist."""
    run = tmp_path / "run"
    config = TrainConfig(limit=20)
    few = begin.open_dataset(read_dataset(built("idc")), config)
    plan = Plan(folder=run, data=few, config=config, recipe="x", command="x")
    begin.begin(Training(run, few, config), plan, FirstWeights(source="none"))
    monkeypatch.setattr(train, "open_batches", lambda *_: 1 / 0)
    longer = resume.plan_to_resume(run, resume=Resume(given={"epochs": 3}, insist=True))
    with pytest.raises(ZeroDivisionError):
        train.train(longer)
    content = run_folder.read_run_file(run)
    assert content.config["epochs"] == 3
    assert content.dataset.counts["training"].images == 20
    with pytest.raises(CancerNetError, match="data set 'idc'"):
        train.train(
            resume.plan_to_resume(run, resume=Resume(given={"dataset": "busi"}, insist=True))
        )
