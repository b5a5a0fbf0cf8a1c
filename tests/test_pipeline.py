"""The whole way: draw, build, train, stop, resume, finish, predict, as a stranger would."""

import contextlib
import csv
import doctest
import io
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as reference

import cancernet
from cancernet import api, recipes
from cancernet.api import making
from cancernet.base.records import as_json, from_json
from cancernet.catalog import DATASETS, entry, paths
from cancernet.dataset.manifest import read_dataset
from cancernet.evaluation.evaluate_run import examine
from cancernet.evaluation.run_results import read_finished
from cancernet.evaluation.settings import EvaluationSettings
from cancernet.measures.decisions import Calibration
from cancernet.models import MODELS, mammogram_cnns
from cancernet.report.figures import curves
from cancernet.runs.metrics_file import metrics_of, read_metrics
from cancernet.sample import layouts
from cancernet.training import train
from cancernet.training.loop import callbacks
from tools import run_notebook

ROOT = Path(__file__).parents[1]
QUICK = ["--epochs", "2", "--batch-size", "16", "--seed", "3"]


def script(name, *arguments, **options):
    return subprocess.run(
        [sys.executable, str(ROOT / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=options.pop("cwd", ROOT),
        check=False,
        **options,
    )


def inside(name, *arguments):
    """The same in this process, where TensorFlow is loaded already."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    code, before = 0, sys.argv
    sys.argv = [name, *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            runpy.run_path(str(ROOT / name), run_name="__main__")
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    texts = []
    for stream in streams:
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return subprocess.CompletedProcess(arguments, code, *texts)


@pytest.fixture(scope="module")
def drawn(built):
    """A small drawn data set, built."""
    return built("idc")


@pytest.fixture(scope="module")
def trained(drawn, tmp_path_factory):
    """A finished run on it, and what was printed."""
    run = tmp_path_factory.mktemp("runs") / "first"
    done = inside("train_model.py", "--data", drawn, "--run", run, *QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    return run, done


def predictions(run, name="predictions.csv"):
    with open(run / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rounding(run, dataset):
    """How far 32 bits take a network's probabilities of the validation images from 64 bits'."""
    import keras

    from cancernet.training.data.batches import plain_batches

    def exact(part):
        dtype = {"dtype": "float64"} if isinstance(part, keras.layers.Layer) else {}
        return type(part).from_config({**part.get_config(), **dtype})

    model = keras.saving.load_model(run / "model.keras")
    twin = keras.models.clone_model(model, clone_function=exact)
    twin.set_weights(model.get_weights())
    pixels = plain_batches(dataset, "validation", recipes.recipe(recipes.DEFAULT_RECIPE)).pixels
    images = pixels[np.arange(len(pixels))].astype(np.float32)
    one, other = (np.asarray(each(images, training=False)) for each in (model, twin))
    assert other.dtype == np.float64
    return float(np.abs(one - other).max())


def test_the_run_folder_is_complete(trained, drawn):
    run, _ = trained
    expected = {
        "model.keras", "model.onnx", "run.json", "history.csv", "metrics.json",
        "predictions.csv", "figures", "report.html",
    }  # fmt: skip
    assert expected <= {p.name for p in run.iterdir()}
    assert not (run / "checkpoint").exists() and not list(run.glob("*.part*"))
    facts = json.loads((run / "run.json").read_text())
    assert facts["status"] == "finished" and facts["model"]["parameters"] == 1_235_133
    # 1e-5 where a network is hardly trained; the files of trained ones differ by about 1e-6.
    assert facts["model"]["onnx_difference"] < 5 * rounding(run, read_dataset(drawn))
    assert {"history.png", "confusion_matrix.png"} <= {p.name for p in (run / "figures").iterdir()}


def test_testing_patients_are_mapped_beside_their_labels(trained, drawn):
    run, _ = trained
    patients = set(read_dataset(drawn).split("testing").patients)
    assert {p.name for p in (run / "figures").glob("slide-*.png")} == {
        f"slide-{patient}.png" for patient in patients
    }
    report = (run / "report.html").read_text()
    assert "Slide maps of testing patients" in report and "data:image/jpeg" in report
    assert all(f"Patient {patient}, " in report for patient in patients)


def test_what_is_printed(trained):
    _, done = trained
    for words in ("Sensitivity", "recall of IDC", "recall of no IDC", "AUC", "never on testing",
                  "Report", "python predict.py image.png --run",
                  "not for diagnosis"):  # fmt: skip
        assert words in done.stdout, words
    assert "warning: the images are drawn" in done.stderr
    assert "Classification report" not in done.stdout  # that is for --verbose and the report
    assert "Traceback" not in done.stderr


def test_scikit_learn_gives_the_same_figures(trained, drawn):
    run, _ = trained
    metrics = json.loads((run / "metrics.json").read_text())
    rows = predictions(run)
    testing = read_dataset(drawn).split("testing")
    assert [row["path"] for row in rows] == testing.paths
    assert [int(row["label"]) for row in rows] == testing.labels.tolist()
    truth = np.array([int(row["label"]) for row in rows])
    for way, found in (("", metrics), ("alone_", metrics["alone"])):
        score = np.array([float(row[f"{way}probability_1"]) for row in rows])
        called = np.array([int(row[f"{way}predicted"]) for row in rows])
        amid = np.array(
            [way == "" and row["probability_1"] != row["alone_probability_1"] for row in rows]
        )
        points = [each["operating_point"]["threshold"] for each in (metrics["alone"], metrics)]
        assert np.array_equal(called, score >= np.choose(amid, points))
        check_figures(found["testing"], truth, score, called)


def check_figures(found, truth, score, called):
    tn, fp, fn, tp = reference.confusion_matrix(truth, called).ravel().tolist()
    assert found["confusion_matrix"] == {"tn": tn, "fp": fp, "fn": fn, "tp": tp}
    for name, value in {
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "accuracy": reference.accuracy_score(truth, called),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, called),
        "roc_auc": reference.roc_auc_score(truth, score),
        "pr_auc": reference.average_precision_score(truth, score),
        "brier": reference.brier_score_loss(truth, score),
        "mcc": reference.matthews_corrcoef(truth, called),
    }.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name


def test_an_evaluation_judges_in_context_as_the_training_did(trained):
    run, done = trained
    assert "judged in context" in done.stdout
    finished = read_finished(run)
    found = examine(finished, EvaluationSettings())
    assert found.assessment.operating_point == finished.run.record.context.operating_point
    written = json.loads((run / "metrics.json").read_text())
    again = json.loads(json.dumps(as_json(metrics_of(found.assessment, found.context))))
    assert again | {"training": written["training"]} == written
    columns = found.context.columns("testing")
    for number, row in enumerate(predictions(run)):
        assert {
            name: str(values[number]) for name, values in columns.items()
        }.items() <= row.items()


def test_the_operating_point_is_that_of_validation(trained):
    run, _ = trained
    metrics = json.loads((run / "metrics.json").read_text())
    rows = predictions(run, "validation_predictions.csv")
    truth = np.array([int(row["label"]) for row in rows])
    called = np.array([int(row["predicted"]) for row in rows])
    point = metrics["operating_point"]
    assert point["chosen_on"] == "validation"
    assert point["sensitivity"] == pytest.approx(called[truth == 1].mean())
    assert point["specificity"] == pytest.approx(1 - called[truth == 0].mean())


@pytest.mark.parametrize(
    ("flags", "way"), [(["--alone"], "alone_"), ([], "")], ids=["alone", "in context"]
)
def test_predict_gives_the_numbers_of_the_evaluation(flags, way, trained, drawn):
    run, _ = trained
    rows = predictions(run)[:200]
    images = [drawn / row["path"] for row in rows]
    done = inside("predict.py", *images, "--run", run, "--json", *flags)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for row, answer in zip(rows, found, strict=True):
        for name in ("0", "1"):
            difference = answer["probabilities"][name] - float(row[f"{way}probability_{name}"])
            assert abs(difference) < 1e-5
        assert answer["label"] == answer["call"] == row[f"{way}predicted"]


def test_plain_keras_loads_the_model_and_agrees(trained, drawn):
    """Its file names nothing of this package, so it loads where this is not (`tests/models`)."""
    import keras

    run, _ = trained
    with zipfile.ZipFile(run / "model.keras") as file:
        config = file.read("config.json").decode()
    assert set(re.findall(r'"module": "(\w+)', config)) == {"keras"}
    model = keras.saving.load_model(run / "model.keras")
    assert model.count_params() == 1_235_133
    rows = predictions(run)[:20]
    kind = json.loads((run / "run.json").read_text())["input"]["interpolation"].upper()
    size = (48, 48), Image.Resampling[kind]
    pixels = [np.asarray(Image.open(drawn / row["path"]).resize(*size)) for row in rows]
    scores = model.predict(np.stack(pixels).astype("float32"), verbose=0)
    # The files hold the network as trained; the run's calibration comes after it.
    content = json.loads((run / "run.json").read_text())
    calibration = from_json(Calibration, content["calibration"])
    training = content["dataset"]["counts"]["training"]
    share = training["positives"] / training["images"]
    assert calibration.shares == pytest.approx((1 - share, share))
    assert content["context"]["even"] == pytest.approx(np.log(share / (1 - share)))
    corrected = calibration.apply(scores)
    expected = [float(row["alone_probability_1"]) for row in rows]
    assert corrected[:, 1] == pytest.approx(expected, abs=1e-5)


def weights_of(run):
    import keras

    return keras.saving.load_model(run / "model.keras").get_weights()


@pytest.fixture
def ctrl_c(monkeypatch):
    """Ctrl-C right after the first epoch's checkpoint, whatever else the machine does."""
    # A shell that runs the tests in the background has it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    save = callbacks.save_checkpoint

    def save_and_stop(folder, model, state):
        save(folder, model, state)
        if state.epochs == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "save_checkpoint", save_and_stop)
        yield patch.undo
    signal.signal(signal.SIGINT, before)


def epochs_of(run):
    with open(run / "history.csv", encoding="utf-8", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_the_same_seed_gives_the_same_weights_also_through_a_stop(
    trained, drawn, tmp_path, ctrl_c, monkeypatch, capsys
):
    """Ctrl-C in the second epoch, then resumed in Python: as if nothing had happened."""
    first, _ = trained
    run = tmp_path / "stopped"
    stopped = inside("train_model.py", "--data", drawn, "--run", run, *QUICK)
    assert stopped.returncode == 130, stopped.stderr
    assert "Traceback" not in stopped.stderr and "--resume" in stopped.stderr
    assert len((run / "log.jsonl").read_text().splitlines()) < 3
    ctrl_c()
    # The pictures of the first run are the same.
    monkeypatch.setattr(train, "write_pictures_and_report", lambda *_: None)
    capsys.readouterr()
    resumed = cancernet.train(resume=True, run=run, data=drawn)
    assert capsys.readouterr() == ("", "")
    assert resumed.folder == run and resumed.metrics.testing == read_metrics(first).testing
    assert epochs_of(first) == epochs_of(run) and len(epochs_of(run)) == 2
    assert all(
        np.array_equal(a, b) for a, b in zip(weights_of(first), weights_of(run), strict=True)
    )
    assert predictions(first) == predictions(run)


@pytest.fixture
def workplace(trained, drawn, tmp_path, monkeypatch, undrawn):
    """A folder with a run, a data set, its source and an image; a training is there at once."""
    (tmp_path / "output").mkdir()
    shutil.copytree(trained[0], tmp_path / "output" / "idc-cancernet-001")
    (tmp_path / "original").symlink_to(drawn.parent / "idc-original")
    image = next((drawn / "testing" / "1").glob("*.png"))
    shutil.copy(image, tmp_path / "image.png")
    (tmp_path / "folder").symlink_to(image.parent)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "train", lambda **_: cancernet.load())
    monkeypatch.setattr(layouts, "PATIENTS", 12)


def test_the_notebook_runs(workplace):
    cells = json.loads((ROOT / "docs" / "python.ipynb").read_text(encoding="utf-8"))["cells"]
    shown = [value for _, value in run_notebook.shown_by(cells)]
    assert any("<img " in value._repr_html_() for value in shown if hasattr(value, "_repr_html_"))


def test_the_examples_in_docstrings_and_documents_run(workplace):
    names = {"cancernet": cancernet, "np": np}
    for described in (api, cancernet.build, making.train, cancernet.load, cancernet.Run):
        for example in doctest.DocTestFinder().find(described, globs=names):
            example.globs = names
            assert not doctest.DocTestRunner().run(example, clear_globs=False).failed
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = document.read_text(encoding="utf-8")
        for code in re.findall(r"```python\n(import cancernet\n.*?)```", text, re.DOTALL):
            exec(code, {})


def test_the_examples_for_contributors_run(tmp_path, monkeypatch, undrawn):
    """Each stands in the file that it is written for."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    codes = [textwrap.dedent(c) for c in re.findall(r" *```python\n(.*?)```", text, re.DOTALL)]
    rooms = (paths, paths, mammogram_cnns, recipes, curves, run_notebook)
    names = [vars(entry) | vars(each) for each in rooms]
    registries = (DATASETS, MODELS, recipes.RECIPES)
    try:
        for known, code in zip(names, codes, strict=True):
            exec(code, known)
        found = names[1]["identify_example"](entry.PurePosixPath("benign/train/7-1.png"))
        assert found == entry.Identity("7", "benign", part="training")
        assert sum("example" in "".join(registry) for registry in registries) == 3
        assert (tmp_path / "report.html").stat().st_size > 10_000
    finally:
        for registry in registries:
            for name in ("example", "example-net"):
                registry.pop(name, None)


def test_a_run_folder_is_never_overwritten(trained, drawn):
    run, _ = trained
    before = {p.name: p.stat().st_mtime_ns for p in run.iterdir()}
    done = inside("train_model.py", "--data", drawn, "--run", run, *QUICK)
    assert done.returncode == 2 and "finished run" in done.stderr
    done = inside("train_model.py", "--resume", "--run", run)
    assert done.returncode == 2 and "nothing to resume" in done.stderr
    assert before == {p.name: p.stat().st_mtime_ns for p in run.iterdir()}


def test_a_copied_run_folder_works_elsewhere(trained, drawn, tmp_path):
    run, _ = trained
    shutil.copytree(run, tmp_path / "elsewhere")
    image = drawn / predictions(run)[0]["path"]
    answers = [
        json.loads(script("predict.py", image, "--json", "--run", folder, cwd=tmp_path).stdout)
        for folder in (run, tmp_path / "elsewhere")
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--epochs", "0"], "--epochs is 0"),
        (["--batch-size", "-1"], "--batch-size is -1"),
        (["--learning-rate", "nan"], "--learning-rate is nan"),
        (["--finish"], "--finish goes with --resume"),
        (["--data", "no-such-folder"], "no data set in no-such-folder"),
        (["--dataset", "busy", "--data", "{drawn}"], "busy"),
        (["--run", "{file}", "--data", "{drawn}"], "is a file"),
        (["--run", "{used}", "--data", "{drawn}"], "holds other files"),
    ],
)
def test_bad_flags_end_in_one_sentence(drawn, tmp_path, flags, words):
    (tmp_path / "file").write_text("x")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    places = {"drawn": drawn, "file": tmp_path / "file", "used": tmp_path / "used"}
    done = inside("train_model.py", *[flag.format(**places) for flag in flags])
    assert done.returncode == 2, done.stdout
    assert words in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert (tmp_path / "used" / "notes.txt").read_text() == "mine"


def test_a_damaged_manifest_is_refused(drawn, tmp_path):
    shutil.copytree(drawn, tmp_path / "idc")
    with open(tmp_path / "idc" / "manifest.csv", "a") as file:
        file.write("x")
    done = inside("train_model.py", "--data", tmp_path / "idc", "--run", tmp_path / "run")
    assert done.returncode == 2 and "manifest.csv" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_missing_image_is_named_before_training(drawn, tmp_path):
    shutil.copytree(drawn, tmp_path / "idc")
    victim = read_dataset(drawn).split("testing").paths[0]
    (tmp_path / "idc" / victim).unlink()
    done = inside("train_model.py", "--data", tmp_path / "idc", "--run", tmp_path / "run")
    assert done.returncode == 2 and victim in done.stderr and "Traceback" not in done.stderr


def test_real_patches_from_the_folder_to_the_prediction(real_data, tmp_path, undrawn, untraced):
    """The main job on real IDC patches, of every eighth patient; `test_build.py` builds all."""
    source, built, run = tmp_path / "source", tmp_path / "idc", tmp_path / "run"
    for patient in sorted(each for each in (real_data / "idc").iterdir() if each.is_dir())[::8]:
        for patch in patient.glob("*/*.png"):
            place = source / patch.relative_to(real_data / "idc")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(patch)
    done = inside("build_dataset.py", "--source", source, "--output", built)
    assert done.returncode == 0, done.stderr
    done = inside(
        "train_model.py", "--data", built, "--run", run, "--epochs", "1", "--limit", "100"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "drawn" not in done.stdout + done.stderr
    rows = predictions(run)[::5]
    # Neighbours lie beside the images that --limit left out of the run's own figures.
    images = [built / row["path"] for row in rows]
    done = inside("predict.py", *images, "--run", run, "--json", "--alone")
    for row, line in zip(rows, done.stdout.splitlines(), strict=True):
        answer, alone = json.loads(line), float(row["alone_probability_1"])
        assert answer["probabilities"]["1"] == pytest.approx(alone, abs=1e-5)
    assert os.environ["CANCERNET_REAL_DATA"]
