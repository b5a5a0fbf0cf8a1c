"""predict.py from the outside: text, JSON, CSV, bad input, exit codes, no TensorFlow."""

import csv
import dataclasses
import json
import re
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError, RunError
from cancernet.base.records import from_json
from cancernet.commands.predict import main, parse_arguments
from cancernet.measures.decisions import Calibration
from cancernet.runs import run_folder
from cancernet.scoring.output import CsvFile
from cancernet.scoring.prediction import Failure, Prediction, Score, interpret
from cancernet.scoring.predictor import Predictor
from tests.conftest import write_tiny_onnx, write_tiny_run

ROOT = Path(__file__).parents[2]


def predict(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, str(ROOT / "predict.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


@pytest.fixture
def images(tmp_path):
    """Two good images, red (class 0) and blue (class 1), in a folder with other files."""
    folder = tmp_path / "bilder größer"
    folder.mkdir()
    Image.new("RGB", (50, 50), (200, 0, 0)).save(folder / "a red.png")
    Image.new("RGB", (50, 50), (0, 0, 200)).save(folder / "b blau ä.png")
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.png").write_bytes(b"x")
    return folder


def test_one_image_in_words(tiny_run, images):
    done = predict(images / "b blau ä.png", "--run", tiny_run)
    assert done.returncode == 0, done.stderr
    assert "b blau ä.png: IDC (class 1)" in done.stdout
    assert "probability of IDC 0.982, at or above the operating point 0.400" in done.stdout
    assert str(tiny_run) in done.stdout and "not for diagnosis" in done.stdout
    assert "drawn" in done.stdout
    assert done.stderr == ""


def test_json_lines_agree_with_the_arithmetic(tiny_run, images):
    done = predict(images, "--run", tiny_run, "--json")
    assert done.returncode == 0
    red, blue = map(json.loads, done.stdout.splitlines())
    expected = 1 / (1 + np.exp(-0.02 * 200))
    assert blue["label"] == "1" and blue["positive"] is True
    assert blue["probabilities"]["1"] == pytest.approx(expected, abs=1e-6)
    assert blue["probability"] == blue["positive_probability"] == blue["probabilities"]["1"]
    assert red["label"] == "0" and red["positive"] is False
    assert red["probability"] == pytest.approx(expected, abs=1e-6)
    assert red["positive_probability"] == pytest.approx(1 - expected, abs=1e-6)
    assert {"path", "operating_point"} <= set(red)
    assert "1 file that is not an image skipped" in done.stderr


def test_the_operating_point_decides_not_one_half(tiny_run):
    run = run_folder.open_run(tiny_run)

    def called(row):
        return interpret(run, "x", Score(np.array(row, np.float32)), run.threshold)

    found = called([0.55, 0.45])
    assert found.label == "1" and found.positive and found.probability == pytest.approx(0.45)
    assert called([0.61, 0.39]).label == "0"


def test_a_model_with_other_classes_than_its_run_is_refused(tiny_run):
    content = json.loads((tiny_run / run_folder.RUN_FILE).read_text())
    write_tiny_onnx(tiny_run / run_folder.MODEL_ONNX, classes=3)
    content["files"] = run_folder.vouch_for(tiny_run, [run_folder.MODEL_ONNX])
    run_folder.write_run_file(tiny_run, content)
    with pytest.raises(RunError, match=r"3 outputs, but run\.json names 2 classes"):
        Predictor(run_folder.open_run(tiny_run))


def test_bad_images_are_named_and_the_rest_done(tiny_run, images):
    (images / "empty.png").write_bytes(b"")
    (images / "text.png").write_text("no image")
    (images / "cut.png").write_bytes((images / "a red.png").read_bytes()[:60])
    done = predict(images, images / "missing.png", "--run", tiny_run, "--json")
    assert done.returncode == 1
    rows = {Path(row["path"]).name: row for row in map(json.loads, done.stdout.splitlines())}
    assert set(rows) == {
        "a red.png", "b blau ä.png", "empty.png", "text.png", "cut.png", "missing.png",
    }  # fmt: skip
    assert "empty" in rows["empty.png"]["error"]
    assert "no such file" in rows["missing.png"]["error"]
    assert "Traceback" not in done.stderr and "empty.png" in done.stderr


@pytest.mark.parametrize("what", ["empty folder", "only bad", "no run"])
def test_when_nothing_can_be_done_the_code_is_2(tiny_run, tmp_path, what):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.png").write_text("x")
    done = {
        "empty folder": lambda: predict(tmp_path / "empty", "--run", tiny_run),
        "only bad": lambda: predict(tmp_path / "bad.png", "--run", tiny_run),
        "no run": lambda: predict(tmp_path / "bad.png", cwd=tmp_path / "empty"),
    }[what]()
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
    if what == "no run":
        assert "python train_model.py" in done.stderr


def test_tensorflow_is_never_imported(tiny_run, images):
    code = (
        "import runpy, sys, atexit\n"
        "atexit.register(lambda: print('HEAVY', sorted({'tensorflow', 'keras', 'cv2', 'sklearn',"
        " 'matplotlib', 'shapely'} & set(sys.modules))))\n"
        f"sys.argv = ['predict.py', {str(images / 'a red.png')!r}, '--run', {str(tiny_run)!r}]\n"
        f"runpy.run_path({str(ROOT / 'predict.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert "HEAVY []" in done.stdout, done.stdout + done.stderr


def test_the_csv_has_every_image_once(tiny_run, images, tmp_path):
    (images / "empty.png").write_bytes(b"")
    target = tmp_path / "out" / "p.csv"
    done = predict(images, "--run", tiny_run, "--csv", target)
    assert done.returncode == 1, done.stderr
    with open(target, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["path"]).name for row in rows] == ["a red.png", "b blau ä.png", "empty.png"]
    assert float(rows[1]["probability_1"]) > 0.9 and rows[2]["error"]
    assert sorted(p.name for p in target.parent.iterdir()) == ["p.csv"]
    again = predict(images, "--run", tiny_run, "--csv", target)
    assert again.returncode == 2 and "exists already; replace it with --overwrite" in again.stderr
    before = target.stat().st_ino
    (images / "empty.png").unlink()
    again = predict(images, "--run", tiny_run, "--csv", target, "--overwrite")
    assert again.returncode == 0 and target.stat().st_ino != before
    assert len(target.read_text(encoding="utf-8").splitlines()) == 3


def test_a_folder_without_images_leaves_no_table(tiny_run, tmp_path):
    (tmp_path / "empty").mkdir()
    done = predict(tmp_path / "empty", "--run", tiny_run, "--csv", tmp_path / "p.csv")
    assert done.returncode == 2 and "in what was named" in done.stderr
    assert not list(tmp_path.glob("p.csv*"))


def results(count):
    return [
        Prediction(
            path=f'folder/with "quotes", and\nnewline {index}.png',
            label="1",
            word="IDC",
            probability=0.75,
            probabilities={"0": 0.25, "1": 0.75},
            positive_probability=0.75,
            positive=True,
            operating_point=0.4,
            call="1",
        )
        if index % 3
        else Failure(f"bad {index}.png", "the file is empty (0 bytes)")
        for index in range(count)
    ]


def test_a_list_is_scored_in_its_order_and_counted(tiny_run, images, tmp_path):
    below = tmp_path / "data"
    below.mkdir()
    images.rename(below / "test")
    Image.new("RGB", (50, 50), (0, 0, 200)).save(below / "not listed.png")
    (tmp_path / "Testing_set.csv").write_text(
        "filename\r\nb blau ä.png\r\ntest/a red.png\r\n", encoding="utf-8"
    )
    flags = "--run", tiny_run, "--list", tmp_path / "Testing_set.csv"
    done = predict(below, *flags, "--csv", tmp_path / "p.csv")
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "p.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(Path(row["path"]).name, row["word"]) for row in rows] == [
        ("b blau ä.png", "IDC"), ("a red.png", "no IDC"),
    ]  # fmt: skip
    assert "no IDC         1   50.0 %" in done.stdout and "IDC            1   50.0 %" in done.stdout
    (tmp_path / "Testing_set.csv").write_text("filename\ngone.png\na red.png\n")
    done = predict(below, *flags)
    assert done.returncode == 1 and "gone.png: there is no such file" in done.stderr
    Image.new("RGB", (50, 50)).save(below / "a red.png")
    (tmp_path / "other.csv").write_text("name\na.png\n")
    for table, words in ((tmp_path / "other.csv", "has no column for the image"),
                         (tmp_path / "none.csv", "there is no table")):  # fmt: skip
        done = predict(below, "--run", tiny_run, "--list", table)
        assert done.returncode == 2 and words in done.stderr


def test_an_interrupted_csv_goes_on_wherever_it_was_cut(tiny_run, tmp_path):
    run = run_folder.open_run(tiny_run)
    whole = tmp_path / "whole.csv"
    list(CsvFile(whole, run).write(results(7)))
    content = whole.read_bytes()
    for cut in range(0, len(content), 11):
        target = tmp_path / f"cut-{cut}.csv"
        CsvFile(target, run)  # begins
        (tmp_path / f"cut-{cut}.csv.part").write_bytes(content[:cut])
        table = CsvFile(target, run)
        rest = [result for result in results(7) if result.path not in table.done]
        list(table.write(rest))
        assert target.read_bytes() == content, cut


def test_an_unfinished_csv_of_another_run_is_not_touched(tiny_run, tmp_path):
    other = run_folder.open_run(write_tiny_run(tmp_path / "other", finished="2027"))
    CsvFile(tmp_path / "p.csv", other)
    before = (tmp_path / "p.csv.part").read_bytes()
    with pytest.raises(CancerNetError, match="another run"):
        CsvFile(tmp_path / "p.csv", run_folder.open_run(tiny_run))
    assert (tmp_path / "p.csv.part").read_bytes() == before


def test_what_could_not_be_read_before_a_stop_counts_after_it(tiny_run, images, tmp_path):
    (images / "a empty.png").write_bytes(b"")
    target = tmp_path / "p.csv"
    results = Predictor(run_folder.open_run(tiny_run)).predict_many(sorted(images.glob("a*.png")))
    begun = CsvFile(target, run_folder.open_run(tiny_run), [images]).write(results)
    assert isinstance(next(begun), Failure)
    begun.close()
    done = predict(images, "--run", tiny_run, "--csv", target)
    assert done.returncode == 1, done.stderr
    assert "0 images scored before, 1 could not be read; continuing" in done.stderr
    assert "p.csv: 2 scored, 1 could not be read" in done.stdout


def test_a_csv_begun_for_other_images_is_not_continued(tiny_run, images, tmp_path, monkeypatch):
    run = run_folder.open_run(tiny_run)
    target = tmp_path / "p.csv"
    CsvFile(target, run, [images])
    before = (tmp_path / "p.csv.part").read_bytes()
    monkeypatch.chdir(images.parent)
    # The same folder spelled otherwise would be scored a second time beside its own rows.
    for named in ([images / "a red.png"], [images, tmp_path], [Path(images.name)], []):
        with pytest.raises(CancerNetError, match=r"was begun for .*größer; name the same"):
            CsvFile(target, run, named)
    assert (tmp_path / "p.csv.part").read_bytes() == before
    CsvFile(target, run, [images])


def test_json_lines_stay_json_beside_a_table(tiny_run, images, tmp_path):
    done = predict(images, "--run", tiny_run, "--json", "--csv", tmp_path / "p.csv")
    assert done.returncode == 0 and len(list(map(json.loads, done.stdout.splitlines()))) == 2
    assert "p.csv: 2 scored, 0 could not be read" in done.stderr


def test_a_figure_overwrites_nothing(tiny_run, images):
    image = images / "a red.png"
    before = image.read_bytes()
    done = predict(image, "--run", tiny_run, "--figure", image)
    assert done.returncode == 2 and image.read_bytes() == before
    assert f"--figure {image} exists already; move it away" in done.stderr


@pytest.mark.parametrize(
    "flags, sentence",
    [
        (["x.png", "--output", "maps"], "--output goes with --slide"),
        (["x.png", "--patch-size", "0"], "--patch-size goes with --slide"),
        (["--slide", "x", "--figure", "a.png"], "--figure does not go with --slide"),
        (["--slide", "x", "--workers", "2"], "--workers does not go with --slide"),
        (["--slide", "x", "--scheduler", "a:1"], "--scheduler does not go with --slide"),
        (["--slide", "x", "--method", "grad-cam"], "--method does not go with --slide"),
        (["--slide", "x", "--explain", "why"], "--explain does not go with --slide"),
        (["x.png", "--layer", "a"], "--layer goes with --explain"),
        (["x.png", "--class", "1"], "--class goes with --explain"),
        (["--slide", "x", "--json"], "--json does not go with --slide"),
        (["x.png", "--overwrite"], "--overwrite goes with --csv"),
        (["x.png", "--link", "hard"], "--link goes with --sort-into"),
        (["x.png", "--csv", "a.csv", "--sort-into", "a"], "--csv can continue after a stop"),
        (["x.png", "--csv", "a.csv", "--explain", "why"], "--csv can continue after a stop"),
        (["x.png", "--csv", "a.csv", "--workers", "2"], ""),
        (["--slide", "x", "--patch-size", "0", "--output", "maps", "--workers", "0"], ""),
    ],
)
def test_flags_that_say_nothing_together_are_refused(monkeypatch, flags, sentence):
    monkeypatch.setattr(sys, "argv", ["predict.py", *flags])
    if sentence:
        with pytest.raises(CancerNetError, match=sentence):
            parse_arguments()
    else:
        parse_arguments()


def test_a_killed_csv_is_continued_by_the_same_command(tiny_run, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(3000):
        colour = (index % 256, 0, 255 - index % 256)
        Image.new("RGB", (50, 50), colour).save(folder / f"{index:04d}.png", compress_level=0)
    target = tmp_path / "p.csv"
    command = [
        sys.executable, str(ROOT / "predict.py"), str(folder), "--run", str(tiny_run),
        "--csv", str(target),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    part = tmp_path / "p.csv.part"
    while process.poll() is None and not (part.exists() and part.stat().st_size > 50_000):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    done = predict(folder, "--run", tiny_run, "--csv", target)
    assert done.returncode == 0 and "scored before" in done.stderr
    with open(target, encoding="utf-8", newline="") as file:
        assert [Path(row["path"]).name for row in csv.DictReader(file)] == [
            f"{index:04d}.png" for index in range(3000)
        ]


def test_symbolic_link_loops_do_not_hang(tiny_run, images):
    (images / "loop").symlink_to(images, target_is_directory=True)
    done = predict(images, "--run", tiny_run, "--json")
    assert len(done.stdout.splitlines()) == 2


def with_calibration(folder, calibration):
    record = dataclasses.replace(
        run_folder.read_run_file(folder), calibration=from_json(Calibration, calibration)
    )
    run_folder.write_run_file(folder, record)
    return Predictor(run_folder.open_run(folder))


def test_a_temperature_of_the_run_is_applied(tiny_run, images):
    """Odds to the power of 1/T; a run from before there was a calibration is read as ever."""
    file = images / "a red.png"
    before = Predictor(run_folder.open_run(tiny_run)).predict(file).probabilities
    after = with_calibration(tiny_run, {"method": "temperature", "temperature": 2.0}).predict(file)
    odds = before["1"] / before["0"]
    assert after.probabilities["1"] / after.probabilities["0"] == pytest.approx(odds**0.5)
    assert after.positive_probability == after.probabilities["1"]
    assert sum(after.probabilities.values()) == pytest.approx(1)


def test_an_isotonic_line_of_the_run_is_applied(tiny_run, images):
    line = {"method": "isotonic", "positive": 1, "knots": [[0.0, 0.1], [1.0, 0.3]]}
    predictor = with_calibration(tiny_run, line)
    for image in sorted(images.glob("[ab]*.png")):
        assert 0.1 <= predictor.predict(image).probabilities["1"] <= 0.3


def test_a_garbled_calibration_is_refused(tiny_run):
    content = json.loads((tiny_run / run_folder.RUN_FILE).read_text())
    calibration = {"method": "temperature", "temperature": -1}
    run_folder.write_run_file(tiny_run, {**content, "calibration": calibration})
    with pytest.raises(RunError, match=r"`calibration`: the temperature -1\.0 is not above 0"):
        run_folder.open_run(tiny_run)


def test_a_model_that_names_another_file_reads_none(tiny_run, images, tmp_path):
    import onnx

    from cancernet.scoring.predictor import _model

    sound = tiny_run / "model.onnx"
    assert _model(sound) == str(sound)
    model = onnx.load(sound)
    onnx.save_model(
        model,
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    assert isinstance(_model(tmp_path / "model.onnx"), bytes)


def test_a_score_just_below_the_point_does_not_read_as_the_point(tiny_run):
    from cancernet.runs.run_folder import open_run
    from cancernet.scoring.words import point_text

    near = types.SimpleNamespace(
        positive_probability=0.34383, operating_point=0.3443, positive=False, in_context=False
    )
    text = point_text(near, open_run(tiny_run))
    assert text == "probability of IDC 0.34383, below the operating point 0.3443"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model.json", "is an architecture without weights"),
        ("model.yaml", "is an architecture without weights"),
        ("run.json", "is the record of a run; name its folder, --run "),
        ("m.tflite", "python -m tf2onnx.convert --tflite m.tflite --output m.onnx` makes an ONNX"),
        ("model.pt", "is neither a run folder nor a model (.keras, .h5, .hdf5, .json, .onnx)"),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--dataset", "busi"]])
def test_a_file_that_is_no_model_is_called_what_it_is(monkeypatch, tmp_path, name, said, flags):
    (tmp_path / name).write_text("{}")
    command = ["predict.py", "image.png", "--run", str(tmp_path / name), *flags]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(CancerNetError, match=re.escape(said)):
        main()


def test_a_run_that_is_not_there_is_said_before_flags_of_a_bare_model(monkeypatch, tmp_path):
    missing = ["--run", str(tmp_path / "none"), "--dataset", "busi"]
    monkeypatch.setattr(sys, "argv", ["predict.py", "image.png", *missing])
    with pytest.raises(CancerNetError, match="there is no run folder"):
        main()
