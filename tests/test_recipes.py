"""Every recipe by name: listed with the right figures, and taken the whole way."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from cancernet.base.errors import CancerNetError
from cancernet.catalog import DATASETS
from cancernet.commands.predict import PredictFlags
from cancernet.commands.predict_images import predict_images
from cancernet.commands.train import tell
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import read_dataset
from cancernet.models import MODELS, model_facts
from cancernet.planning.begin import limited
from cancernet.recipes import RECIPES, describe_recipes, first_start, recipe
from cancernet.runs.run_folder import open_run
from cancernet.scoring.described import ModelDescription
from cancernet.scoring.other_models import open_keras_model
from cancernet.training import train as training
from cancernet.training.network import first_network
from tests.helpers.training_runs import fitted, trained
from tests.models.test_models_counts import PUBLISHED

# The smallest input at which each network can be built: the way is the point here. Others
# are tried at 32.
SMALL = {
    "cancernet": 16,
    "simple-cnn": 16,
    "shufflenet": 32,
    "densenet121": 32,
    "densenet121-dense-head": 32,
    "efficientnetv2b0": 32,
    "vgg16": 32,
    "vgg16-dense-head": 32,
    "alexnet": 67,
    "kernel-cnn": 32,
}
LIMIT = 8
# Pictures cost more than the rest together, and they do not depend on the network.
WITH_PICTURES = "mammography-kernel-cnn"
# Of many layers or weights: an ONNX file takes ten seconds each, so it is written when asked
# for only.
DEEP = {
    "densenet121",
    "efficientnet-lite0",
    "densenet121-dense-head",
    "shufflenet",
    "efficientnetv2b0",
    "vgg16",
    "vgg16-dense-head",
    "alexnet",
}
# Another recipe takes the same network this way, or `test_pipeline.py` the recipe.
TWINS = (
    "idc-cancernet",
    "mammography-densenet121",
    "busi-lite0",
    "mammography-lite0",
    "ultrasound-lite0",
)
ALL = "CANCERNET_ALL_RECIPES" in os.environ

# (network, input, classes) -> parameters; models/test_models_counts.py holds them to what is built.
COUNTED = {tuple(row[:3]): tuple(row[3:]) for row in PUBLISHED}


@pytest.mark.parametrize("name", RECIPES)
def test_the_listed_figures_are_those_of_the_network(name):
    entry = RECIPES[name]
    config = entry.settings
    built = config.model, config.image_size, len(DATASETS[config.dataset].classes)
    total, trainable = COUNTED.get(built) or counted_anew(*built)
    assert (entry.total, entry.trainable) == (total, trainable)
    assert entry.loss == ("binary" if MODELS[config.model].sigmoid else "categorical")
    told = next(each for each in describe_recipes().split("\n\n") if each.split()[0] == name)
    size = f"{config.image_size}x{config.image_size},"
    for word in (f"{total:,}", f"{trainable:,}", size, f"{config.model},", config.optimizer):
        assert word in told.split()
    assert max(map(len, told.splitlines())) <= 79
    # A backbone that is published frozen is started from weights that are worth keeping.
    assert config.weights == "imagenet" or not MODELS[config.model].frozen


def sample_of(dataset, built):
    try:
        return built(dataset)
    except CancerNetError as error:
        if "no drawn sample" not in str(error):
            raise
        pytest.skip(str(error))


def counted_anew(model, size, classes):
    facts = model_facts(model, (size, size, 3), classes)
    return facts.total, facts.trainable


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_from_the_drawn_sample_to_the_prediction(
    name, built, tmp_path, capsys, monkeypatch, request, untraced
):
    config = dataclasses.replace(
        recipe(name),
        epochs=1,
        images_seen=0,
        limit=LIMIT,
        batch_size=LIMIT,
        image_size=SMALL.get(recipe(name).model, 32),
        weights="none",
        precision="float32",
        cache=False,
    )
    if name in TWINS and not ALL:
        pytest.skip("another recipe tests its network: set CANCERNET_ALL_RECIPES=1")
    if not ALL:
        request.getfixturevalue("shallow")
    if name != WITH_PICTURES:
        monkeypatch.setattr(training, "write_pictures_and_report", lambda *_: None)
    data = sample_of(config.dataset, built)
    image = data / read_dataset(data).split("testing").paths[0]
    take = ask_keras_file if config.model in DEEP and not ALL else ask_run
    take(name, config, data, tmp_path / "run", image, capsys)
    answer = json.loads(capsys.readouterr().out.splitlines()[0])
    classes = DATASETS[config.dataset].classes
    assert answer["label"] in classes
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert list(answer["probabilities"]) == list(classes)


def ask_run(name, config, data, run, image, capsys):
    """The whole way, with the ONNX file."""
    tell(trained(run, data, config, recipe=name), verbose=False)
    printed = "".join(capsys.readouterr())
    frozen = MODELS[config.model].frozen
    assert ("random numbers: it has learnt nothing" in printed) == frozen
    assert ("computed once for every image" in printed) == (name == "busi-densenet121")
    assert "a trial, not a result" in printed
    found = open_run(run)
    assert found.classes == DATASETS[config.dataset].classes
    assert found.record.recipe == name and found.record.weights.source == "none"
    assert found.record.model.onnx_difference < 1e-5
    assert len((run / "predictions.csv").read_text().splitlines()) <= 1 + LIMIT
    assert predict_images([image], PredictFlags(json=True), found) == (1, 0)


def ask_keras_file(name, config, data, run, image, capsys):
    """Trained, saved, and predicted by the Keras file, as `predict.py --run FILE --recipe`."""
    network, _ = first_network(config, len(DATASETS[config.dataset].classes))
    before = network.get_weights()
    few = limited(read_dataset(data), LIMIT, seed=config.seed)
    model, state = fitted(few, config, run, network)
    assert state.epochs == 1
    assert any(not np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))
    model.save(run / "model.keras")
    capsys.readouterr()
    with open_keras_model(
        run / "model.keras", ModelDescription(recipe=name, image_size=config.image_size)
    ) as predictor:
        asked = predict_images([image], PredictFlags(json=True), predictor.run, predictor)
    assert asked == (1, 0)


@pytest.mark.usefixtures("shallow")
def test_sigmoid_networks_are_named_rightly():
    from cancernet.models import build_model

    for name, size in SMALL.items():
        if name.endswith("dense-head"):
            model = build_model(name, (size, size, 3), 2)
            has_sigmoid = any(layer.name == "head_sigmoid" for layer in model.layers)
            assert has_sigmoid == MODELS[name].sigmoid


def test_weights_that_cannot_be_had_leave_no_run_behind(built, tmp_path):
    config = TrainConfig(dataset="busi", model="simple-cnn", image_size=16)
    for weights, words in (("imagenet", "no ImageNet weights"), ("no.h5", "no weights file")):
        asked = dataclasses.replace(config, weights=weights)
        with pytest.raises(CancerNetError, match=words):
            trained(tmp_path / "run", built("busi"), asked)
    asked = dataclasses.replace(config, fine_tune_epochs=1)
    with pytest.raises(CancerNetError, match="no pretrained backbone"):
        trained(tmp_path / "run", built("busi"), asked)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("entry", DATASETS.values(), ids=lambda entry: entry.name)
def test_the_recipe_of_a_data_set_is_for_it(entry):
    assert not entry.recipe or recipe(entry.recipe).dataset == entry.name


@pytest.mark.parametrize(
    ("dataset", "side", "with_package", "without", "sizes"),
    [
        ("idc", 50, "", "", (48, 48)),
        ("busi", 500, "--recipe busi-densenet121", "--recipe busi-densenet121", (256, 256)),
        ("folder", 50, "--recipe idc-lite0 --dataset folder", "--dataset folder", (80, 48)),
        ("folder", 96, "--recipe idc-lite0 --dataset folder --image-size 96",
         "--dataset folder --image-size 96", (96, 96)),
        ("folder", 500, "--recipe busi-lite0 --dataset folder",
         "--dataset folder --image-size 128", (224, 128)),
        ("mammography-csv", 224, "--recipe busi-lite0 --dataset mammography-csv",
         "--dataset mammography-csv --image-size 128", (224, 128)),
    ],
)  # fmt: skip
def test_a_start_suits_the_data_set_or_its_images(
    dataset, side, with_package, without, sizes, monkeypatch
):
    cases = ((Path("weights"), with_package), (None, without))
    for (package, flags), size in zip(cases, sizes, strict=True):
        monkeypatch.setattr("cancernet.recipes.packaged_weights", lambda found=package: found)
        start = first_start(dataset, side)
        assert start.flags == flags and start.config.dataset == dataset
        assert start.chosen == ("--dataset" in flags)
        assert start.config.image_size == size
        if start.chosen:
            assert start.config.weights == ("imagenet" if package else "none")
