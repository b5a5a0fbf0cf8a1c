"""Patches judged with the neighbours that lie beside them: one number, however they are named."""

import csv
import dataclasses
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError
from cancernet.commands import predict as command
from cancernet.context.judge import places_of
from cancernet.measures.decisions import log_odds
from cancernet.runs.run_folder import open_run, read_run_file, write_run_file
from cancernet.runs.run_record import ContextRecord
from cancernet.scoring import in_context
from cancernet.scoring import predictor as predictor_file
from cancernet.scoring.in_context import PredictorInContext, judge_together
from cancernet.scoring.output import CsvFile
from cancernet.scoring.prediction import Failure
from cancernet.scoring.predictor import Predictor
from cancernet.scoring.words import as_text
from tests.conftest import write_tiny_run

ROOT = Path(__file__).parents[2]
GAIN, OFFSET, POINT = 0.8, 0.3, 0.55
SIDE = 50
EXACT = 1e-12


def add_context(folder):
    record = read_run_file(folder)
    point = dataclasses.replace(record.operating_point, threshold=POINT)
    context = ContextRecord(gain=GAIN, offset=OFFSET, slides=3, side=SIDE, operating_point=point)
    write_run_file(folder, dataclasses.replace(record, context=context))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return open_run(add_context(write_tiny_run(tmp_path_factory.mktemp("in_context") / "run")))


@pytest.fixture
def predictor(run):
    return PredictorInContext(Predictor(run))


def patch(folder, patient, column, row, blue, label="0"):
    """Draws a patch that scores the higher the bluer it is."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{patient}_idx5_x{column * SIDE + 1}_y{row * SIDE + 1}_class{label}.png"
    Image.new("RGB", (SIDE, SIDE), (90, 0, blue)).save(path)
    return path


def draw_slide(root, patient, *, seed, columns=9, rows=8, holes=0.2):
    """Draws a slide with holes in two class folders; returns its patches."""
    random = np.random.default_rng(seed)
    return [
        patch(root / label, patient, column, row, int(random.integers(20, 190)), label)
        for column in range(columns)
        for row in range(rows)
        if random.random() > holes
        for label in [str(random.integers(2))]
    ]


@pytest.fixture
def tree(tmp_path):
    """Two patients in the published layout, three in that of a built set."""
    for number, patient in enumerate(("8863", "8864")):
        draw_slide(tmp_path / "original" / patient, patient, seed=number)
    for number, patient in enumerate(("9", "90", "a_b")):
        draw_slide(tmp_path / "testing", patient, seed=10 + number)
    return tmp_path


def images_of(folder):
    return sorted(folder.rglob("*.png"))


def answers(predictor, paths):
    return {Path(found.path): found for found in predictor.predict_many(paths)}


@pytest.mark.parametrize(
    ("without", "cancer"),
    [
        ("No-Cancer", "Cancer"),
        ("negative", "positive"),
        ("Non-IDC", "IDC"),
        ("benign", "MALIGNANT"),
    ],
)
def test_neighbours_lie_in_class_folders_of_any_name(predictor, tmp_path, without, cancer):
    """Neighbours from the folder of one class alone would tell the label."""
    draw_slide(tmp_path, "8863", seed=3)
    expected = {path.name: each for path, each in answers(predictor, images_of(tmp_path)).items()}
    (tmp_path / "0").rename(tmp_path / without)
    (tmp_path / "1").rename(tmp_path / cancer)
    (tmp_path / "other").mkdir()
    found = answers(predictor, images_of(tmp_path / cancer))
    assert found
    for path, each in found.items():
        assert each.probabilities == expected[path.name].probabilities
        assert each.neighbours == expected[path.name].neighbours


def same(first, second):
    assert first.keys() == second.keys()
    for path, found in first.items():
        other = second[path]
        assert found.positive_probability == pytest.approx(other.positive_probability, abs=EXACT)
        assert (found.label, found.neighbours, found.operating_point) == (
            other.label, other.neighbours, other.operating_point,
        )  # fmt: skip


def test_a_patch_amid_its_neighbours_by_hand(tmp_path, predictor, run):
    """Mean of the log odds, weighted by a Gaussian of 1.5 patches, within three patches."""
    blue = {(0, 0): 90, (1, 0): 150, (1, 1): 160, (3, 3): 30, (4, 0): 190, (0, -2): 120}
    files = {
        place: patch(tmp_path / "s", "7", 5 + place[0], 5 + place[1], value)
        for place, value in blue.items()
    }
    weights = {
        place: math.exp(-(place[0] ** 2 + place[1] ** 2) / (2 * 1.5**2))
        for place in blue
        if place != (4, 0)  # out of reach
    }
    full = (
        sum(math.exp(-(x * x + y * y) / (2 * 1.5**2)) for x in range(-3, 4) for y in range(-3, 4))
        - 1
    )
    alone = {place: Predictor(run).predict(file).positive_probability
             for place, file in files.items()}  # fmt: skip
    scores = {place: float(log_odds(np.array(alone[place]))) for place in weights}
    mean = sum(weights[place] * scores[place] for place in weights) / sum(weights.values())
    share = (sum(weights.values()) - 1) / full
    expected = 1 / (1 + math.exp(OFFSET * share - (1 + GAIN * share) * mean))
    [found] = predictor.predict_many([files[0, 0]])
    assert found.positive_probability == pytest.approx(expected, abs=EXACT)
    assert found.alone_probabilities["1"] == alone[0, 0]
    assert found.neighbours == 2 and found.operating_point == POINT
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.in_context


@pytest.mark.parametrize("layout", ["original", "testing"])
def test_one_image_and_its_folder_give_one_number(tree, predictor, run, layout):
    paths = images_of(tree / layout)
    whole = answers(predictor, paths)
    assert list(whole) == paths
    some = paths[::7]
    same({path: whole[path] for path in some}, answers(PredictorInContext(Predictor(run)), some))
    for path in paths[::25]:
        same({path: whole[path]}, answers(PredictorInContext(Predictor(run)), [path]))


def test_the_numbers_are_those_of_the_arrays(tree, predictor, run):
    paths = images_of(tree / "testing")
    found = list(predictor.predict_many(paths))
    slides = [path.name.partition("_idx")[0] for path in paths]
    judged = run.record.context.judge(
        np.array([each.positive_probability for each in Predictor(run).predict_many(paths)]),
        places_of([path.as_posix() for path in paths], slides, run.record.context.side),
    )
    assert [each.positive_probability for each in found] == pytest.approx(
        judged.probability.tolist(), abs=EXACT
    )
    assert [each.neighbours for each in found] == judged.neighbours.tolist()
    assert [each.operating_point for each in found] == [0.4 if a else POINT for a in judged.alone]


def test_rounds_and_forgotten_slides_change_nothing(tree, predictor, run, monkeypatch):
    paths = images_of(tree / "testing")[::2]
    paths += paths[:3]  # three are named twice
    order = np.random.default_rng(5).permutation(len(paths))
    expected = answers(predictor, paths)
    for sizes in ((1, 1, 1), (10, 2, 100), (7, 16, 500_000)):
        for name, size in zip(("ROUND", "ROUNDS", "KEPT_PATCHES"), sizes, strict=True):
            monkeypatch.setattr(in_context, name, size)
        shuffled = [paths[place] for place in order]
        found = list(PredictorInContext(Predictor(run)).predict_many(shuffled))
        assert [each.path for each in found] == list(map(str, shuffled))
        same({Path(each.path): each for each in found}, expected)


def test_every_patch_is_decoded_once_and_only_within_reach(tree, run, monkeypatch):
    read = []
    read_file = predictor_file.read_file
    monkeypatch.setattr(
        predictor_file, "read_file", lambda path: read.append(Path(path)) or read_file(path)
    )
    paths = images_of(tree / "testing")
    answers(PredictorInContext(Predictor(run, threads=1)), paths)
    assert sorted(read) == paths
    read.clear()
    one = next(path for path in paths if path.name.startswith("9_idx5_x1_y1_"))
    answers(PredictorInContext(Predictor(run, threads=1)), [one])
    assert one in read and len(read) == len(set(read)) <= 16
    assert all(path.name.startswith(("9_idx5_x1_", "9_idx5_x51_", "9_idx5_x101_", "9_idx5_x151_"))
               for path in read)  # fmt: skip


def test_a_whole_slide_has_its_own_operating_point(tmp_path, run):
    """Named as a folder, in two rounds, or sent together; a patch named alone cannot have it."""
    context = dataclasses.replace(run.record.context, spread=2.0, slide_points=True)
    own = dataclasses.replace(run, record=dataclasses.replace(run.record, context=context))
    draw_slide(tmp_path / "testing", "7", seed=3, columns=24, rows=24, holes=0.05)
    paths = images_of(tmp_path)
    expected = answers(PredictorInContext(Predictor(own)), paths)
    [point] = {found.operating_point for found in expected.values()}
    assert point != POINT and all(found.slide_point for found in expected.values())
    assert "of this slide" in as_text(expected[paths[0]], own)
    predictor = PredictorInContext(Predictor(own))
    assert answers(predictor, paths[:20]) == {path: expected[path] for path in paths[:20]}
    alone = list(Predictor(own).predict_many(paths))
    sent = judge_together(own, [path.name for path in paths], alone)
    assert {found.operating_point for found in sent} == {point}
    same({Path(found.path): found for found in sent}, expected)
    [one] = PredictorInContext(Predictor(own)).predict_many(paths[300:301])
    assert one.positive_probability == pytest.approx(
        expected[paths[300]].positive_probability, abs=EXACT
    )
    assert (one.operating_point, one.slide_point) == (POINT, False)
    assert {
        found.slide_point for found in PredictorInContext(Predictor(run)).predict_many(paths)
    } == {False}


def test_patches_of_others_are_no_neighbours(tmp_path, predictor):
    own = patch(tmp_path / "testing" / "0", "7", 5, 5, 90)
    others = [("testing/1", "70"), ("testing/0", "x7")]
    others += [(folder, "7") for folder in ("training/1", "testing/2", "testing", "testing/1/1")]
    for folder, patient in others:
        patch(tmp_path / folder, patient, 5, 6, 180)
    [found] = predictor.predict_many([own])
    assert found.neighbours == 0 and not found.in_context
    assert found.probabilities == found.alone_probabilities and found.operating_point == 0.4
    patch(tmp_path / "testing" / "1", "007", 4, 5, 180, "1")  # the same patient
    [found] = PredictorInContext(Predictor(predictor.run)).predict_many([own])
    assert found.neighbours == 1 and found.probabilities["1"] > found.alone_probabilities["1"]


def test_in_a_folder_of_no_class_only_that_folder_counts(tmp_path, predictor):
    own = patch(tmp_path / "clinic", "7", 5, 5, 90)
    patch(tmp_path / "clinic", "7", 5, 6, 180)
    patch(tmp_path / "other", "7", 5, 4, 180)
    [found] = predictor.predict_many([own])
    assert found.neighbours == 1


def test_labels_are_never_used(tree, predictor, run):
    """Class folders and classes in names are swapped: the numbers stay."""
    before = answers(predictor, images_of(tree / "original"))
    for path in images_of(tree / "original"):
        label = str(1 - int(path.parent.name))
        target = tree / "swapped" / path.parents[1].name / label / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target.with_name(f"{path.name.partition('_class')[0]}_class{label}.png"))

    def by_place(found):
        return {Path(path.name.partition("_class")[0]): each for path, each in found.items()}

    after = answers(PredictorInContext(Predictor(run)), images_of(tree / "swapped"))
    same(by_place(before), by_place(after))


def test_the_current_folder_may_be_a_class_folder(tree, predictor, run, monkeypatch):
    path = images_of(tree / "original" / "8863" / "1")[5]
    expected = answers(predictor, [path])[path]
    monkeypatch.chdir(path.parent)
    named = Path(path.name)
    same({named: expected}, answers(PredictorInContext(Predictor(run)), [named]))


def test_damaged_files_and_names_without_a_place(tmp_path, predictor):
    folder = tmp_path / "clinic"
    own, damaged = (patch(folder, "7", 5, row, 90) for row in (5, 6))
    patch(folder, "7", 4, 5, 90)
    damaged.write_bytes(b"no image")
    plain = folder / "scan.png"
    shutil.copy(own, plain)
    shutil.copy(own, folder / "7_idx5_none.png")
    missing = folder / "7_idx5_x1_y1_class0.png"
    found = answers(predictor, [damaged, own, plain, folder / "7_idx5_none.png"])
    assert isinstance(found[damaged], Failure) and "not a PNG" in found[damaged].error
    assert found[own].neighbours == 1
    for path in (plain, folder / "7_idx5_none.png"):
        assert found[path].neighbours is None and found[path].operating_point == 0.4
        assert found[path].probabilities == found[path].alone_probabilities
    [lost] = predictor.predict_many([missing])
    assert isinstance(lost, Failure) and lost.path == str(missing)


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, arguments)])
    return command.main()


def test_table_list_json_and_words_agree(tree, predictor, run, monkeypatch, capsys):
    folder = tree / "testing"
    expected = answers(predictor, images_of(folder))
    flags = ("--run", run.folder)
    assert call(monkeypatch, folder, *flags, "--csv", tree / "all.csv") == 0
    rows = rows_of(tree / "all.csv")
    assert [*rows[0]][-9:] == [
        "operating_point", "call", "unlike_training", "named_like_mask", "neighbours",
        "alone_probability_0", "alone_probability_1", "slide_point", "error",
    ]  # fmt: skip
    assert [Path(row["path"]) for row in rows] == list(expected)
    for row in rows:
        found = expected[Path(row["path"])]
        assert float(row["probability_1"]) == pytest.approx(found.positive_probability, abs=EXACT)
        assert row["call"] == found.call == found.label
        for name, probability in found.alone_probabilities.items():
            assert float(row[f"alone_probability_{name}"]) == probability
        assert int(row["neighbours"]) == found.neighbours
    named = list(expected)[::9]
    (tree / "list.csv").write_text("filename\n" + "\n".join(p.name for p in named) + "\n")
    capsys.readouterr()
    assert call(monkeypatch, folder, *flags, "--list", tree / "list.csv", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(line["path"]) for line in lines] == named
    for line in lines:
        found = expected[Path(line["path"])]
        assert line["positive_probability"] == pytest.approx(found.positive_probability, abs=EXACT)
        assert line["neighbours"] == found.neighbours
        assert line["probabilities"]["1"] == line["positive_probability"]
    inner = next(path for path, found in expected.items() if found.neighbours == 8)
    assert call(monkeypatch, inner, *flags) == 0
    said = capsys.readouterr().out
    assert "judged with 8 of 8 neighbours; alone: probability " in said
    assert "probability of IDC in context " in said and "the operating point 0.550" in said


def test_the_workers_give_the_same_numbers(tree, predictor, run):
    from cancernet.scoring.distributed import SpreadPredictor

    paths = images_of(tree)
    with SpreadPredictor(run, workers=2) as spread:
        same(answers(predictor, paths), answers(PredictorInContext(spread), paths))


def test_a_continued_table_is_the_table(tree, run, monkeypatch, capsys):
    folder, whole = tree / "testing", tree / "whole.csv"
    assert call(monkeypatch, folder, "--run", run.folder, "--csv", whole) == 0
    content = whole.read_bytes()
    for cut in range(0, len(content), len(content) // 6):
        target = tree / f"cut-{cut}.csv"
        CsvFile(target, run, [folder], in_context=True)  # begins
        target.with_name(target.name + ".part").write_bytes(content[:cut])
        assert call(monkeypatch, folder, "--run", run.folder, "--csv", target) == 0
        assert target.read_bytes() == content
    CsvFile(tree / "alone.csv", run, [folder])
    with pytest.raises(CancerNetError, match="was begun with --alone; repeat that command"):
        call(monkeypatch, folder, "--run", run.folder, "--csv", tree / "alone.csv")
    assert call(monkeypatch, folder, "--run", run.folder, "--csv", tree / "alone.csv",
                "--alone") == 0  # fmt: skip


def test_alone_is_what_a_run_without_context_says(tree, run, monkeypatch, capsys):
    plain = write_tiny_run(tree / "output" / "run")
    folder, table = tree / "original" / "8863", tree / "answers.csv"

    def said(*flags):
        assert call(monkeypatch, folder, *flags, "--csv", table) == 0
        content = table.read_text()
        table.unlink()
        assert call(monkeypatch, folder, *flags) == call(monkeypatch, folder, *flags, "--json") == 0
        printed = capsys.readouterr()
        return content, printed.out.replace(str(flags[1]), "RUN"), printed.err

    alone = said("--run", run.folder, "--alone")
    assert alone == said("--run", plain)
    assert "neighbours" not in alone[0] + alone[1]


def test_heat_map_and_figure_say_what_they_show(tree, run, monkeypatch, capsys):
    path = images_of(tree / "original" / "8863" / "1")[5]
    flags = ("--run", run.folder, "--explain", tree / "why", "--method", "occlusion")
    assert call(monkeypatch, path, *flags, "--figure", tree / "a.svg") == 0
    assert "each map is of the patch alone" in capsys.readouterr().out
    assert (tree / "a.svg").exists()
    [line] = map(json.loads, (tree / "why" / "explanations.jsonl").read_text().splitlines())
    [found] = PredictorInContext(Predictor(run)).predict_many([path])
    assert line["probability"] == pytest.approx(found.probability, abs=EXACT)
    assert line["alone_probability"] == found.alone_probabilities[found.label]


def test_nothing_heavy_is_loaded(tree, run):
    path = images_of(tree / "original" / "8863" / "1")[5]
    code = (
        "import runpy, sys, atexit\n"
        "atexit.register(lambda: print('HEAVY', sorted({'tensorflow', 'keras', 'cv2', 'sklearn',"
        " 'scipy', 'matplotlib', 'shapely'} & set(sys.modules))))\n"
        f"sys.argv = ['predict.py', {str(path)!r}, '--run', {str(run.folder)!r}]\n"
        f"runpy.run_path({str(ROOT / 'predict.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert "judged with" in done.stdout and "HEAVY []" in done.stdout, done.stdout + done.stderr
