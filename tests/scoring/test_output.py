"""Tables of predictions that grow and go on, and the figure of one image."""

import dataclasses
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError
from cancernet.base.files import is_locked
from cancernet.runs import run_folder
from cancernet.scoring import output
from cancernet.scoring.output import CsvFile, check_target, distribution, write_figure
from cancernet.scoring.prediction import Failure, Prediction, Score, interpret
from tests.conftest import write_tiny_run

SURE = Prediction(
    path="a, b.png", label="1", word="IDC", probability=0.75,
    probabilities={"0": 0.25, "1": 0.75}, positive_probability=0.75, positive=True,
    operating_point=0.4, call="1", unlike_training=False,
)  # fmt: skip
RESULTS = [
    SURE,
    Failure("bad\nname.png", "the file is empty (0 bytes)"),
    dataclasses.replace(SURE, path="\udcff.png", label="0", word="no IDC", positive=None,
                        operating_point=None, call=None, unlike_training=None),
]  # fmt: skip
HEADING = (
    b"path,label,word,probability_0,probability_1,positive,operating_point,call,unlike_training,"
    b"named_like_mask,error\r\n"
)
ROWS = [
    b'"a, b.png",1,IDC,0.25,0.75,True,0.4,1,False,False,\r\n',
    b'"bad\nname.png",,,,,,,,,,the file is empty (0 bytes)\r\n',
    b"\xff.png,0,no IDC,0.25,0.75,,,,,False,\r\n",
]


@pytest.fixture
def run(tiny_run):
    return run_folder.open_run(tiny_run)


def begun_with(folder, run, content, named=()):
    """An unfinished table of this content, opened again."""
    target = folder / "deep" / "p.csv"
    CsvFile(target, run, named)
    (folder / "deep" / "p.csv.part").write_bytes(content)
    return CsvFile(target, run, named)


def test_a_table_byte_by_byte_and_nothing_beside_it(run, tmp_path):
    table = CsvFile(tmp_path / "new" / "p.csv", run)
    assert (table.done, table.failed) == (set(), 0)
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"p.csv.part", "p.csv.part.json", "p.csv.part.lock"}
    assert (tmp_path / "new" / "p.csv.part").read_bytes() == HEADING
    assert list(table.write(RESULTS)) == RESULTS
    assert (tmp_path / "new" / "p.csv").read_bytes() == HEADING + b"".join(ROWS)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["p.csv"]


def test_what_is_written_can_be_seen_after_so_many_rows(run, tmp_path, monkeypatch):
    monkeypatch.setattr(output, "FLUSH_EVERY", 2)
    sizes = []
    for _ in CsvFile(tmp_path / "p.csv", run).write([SURE] * 4):
        sizes.append((tmp_path / "p.csv.part").stat().st_size - len(HEADING))
    row = len(ROWS[0])
    assert sizes == [0, 2 * row, 2 * row, 4 * row]


@pytest.mark.parametrize("cut", [0, 3, len(HEADING) - 1])
def test_a_table_without_a_whole_heading_begins_again(run, tmp_path, cut):
    table = begun_with(tmp_path, run, HEADING[:cut])
    assert table.done == set() and (tmp_path / "deep" / "p.csv.part").read_bytes() == HEADING


@pytest.mark.parametrize("rest", [b"", b'"a, b', ROWS[0][:-1], ROWS[1][:10], b"a,b\r\n", b'"\r\n'])
def test_a_table_goes_on_after_its_last_whole_row(run, tmp_path, rest):
    table = begun_with(tmp_path, run, HEADING + b"".join(ROWS) + rest)
    assert table.done == {result.path for result in RESULTS} and table.failed == 1
    assert (tmp_path / "deep" / "p.csv.part").read_bytes() == HEADING + b"".join(ROWS)
    assert list(table.write([SURE])) == [SURE]
    assert (tmp_path / "deep" / "p.csv").read_bytes() == HEADING + b"".join([*ROWS, ROWS[0]])


def test_who_fills_a_table_is_written_beside_it(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = [Path(name) for name in ("a", "b", "c", "d")]
    table = CsvFile(Path("p.csv"), run, named)
    typed = "\0".join(part for each in named for part in (str(each), str(tmp_path / each)))
    assert json.loads(Path("p.csv.part.json").read_text()) == {
        "run": "tiny",
        "checksum": run.record.checksum,
        "images": hashlib.sha256(typed.encode()).hexdigest(),
        "named": "a, b, c and 1 more",
        "in_context": False,
    }
    assert is_locked(tmp_path / "p.csv.part.lock")
    with pytest.raises(CancerNetError, match=r"another process is filling p\.csv; wait for it"):
        CsvFile(Path("p.csv"), run, named)
    del table
    with pytest.raises(CancerNetError, match="was begun for a, b, c and 1 more; name the same"):
        CsvFile(Path("p.csv"), run, named[:3])
    assert CsvFile(Path("p.csv"), run, named).done == set()


@pytest.mark.parametrize("content", [None, "{", "{}", '{"run": "tiny", "checksum": "other"}'])
def test_a_table_whose_owner_is_not_known_is_not_continued(run, tmp_path, content):
    CsvFile(tmp_path / "p.csv", run)
    (tmp_path / "p.csv.part.json").unlink()
    if content is not None:
        (tmp_path / "p.csv.part.json").write_text(content)
    with pytest.raises(CancerNetError, match="was begun with another run; move it away"):
        CsvFile(tmp_path / "p.csv", run)
    assert (tmp_path / "p.csv.part").read_bytes() == HEADING


def test_a_run_of_another_name_is_another_run(run, tmp_path):
    CsvFile(tmp_path / "p.csv", run)
    moved = tmp_path / "output" / "moved"
    run.folder.rename(moved)
    with pytest.raises(CancerNetError, match="another run"):
        CsvFile(tmp_path / "p.csv", run_folder.open_run(moved))


def test_a_table_that_is_there_is_kept(run, tmp_path):
    (tmp_path / "p.csv").write_text("mine")
    with pytest.raises(CancerNetError, match=r"p\.csv exists already; replace it with --over"):
        CsvFile(tmp_path / "p.csv", run)
    assert (tmp_path / "p.csv").read_text() == "mine"


def test_how_many_images_each_class_has(run, tmp_path):
    path = tmp_path / "p.csv"
    list(CsvFile(path, run).write([*RESULTS, *[SURE] * 2000]))
    assert distribution(path, run) == [
        "  no IDC         1    0.0 %",
        "  IDC        2,001  100.0 %",
    ]
    path.write_bytes(HEADING + ROWS[1])
    assert distribution(path, run) == []


def of_three(run):
    record = dataclasses.replace(
        run.record, classes=("a", "b", "c"), words=("A", "B", "C"), positive=("c", "a")
    )
    return dataclasses.replace(run, record=record)


def test_of_more_classes_the_calls_are_counted_first(run, tmp_path):
    three, path = of_three(run), tmp_path / "p.csv"
    rows = ([0.3, 0.45, 0.25], [0.1, 0.8, 0.1], [0.1, 0.5, 0.4])
    list(
        CsvFile(path, three).write(
            [interpret(three, "x", Score(np.array(row)), 0.4) for row in rows]
        )
    )
    assert distribution(path, three) == [
        "  called at the operating point:",
        "  positive         2   66.7 %",
        "  negative         1   33.3 %",
        "  most probable class:",
        "  A         0    0.0 %",
        "  B         3  100.0 %",
        "  C         0    0.0 %",
        "  2 calls are not on the side of the most probable class",
    ]


def test_the_figure_of_more_classes_has_the_call_for_its_title(run, tmp_path, patch_image):
    three, path = of_three(run), tmp_path / "x.png"
    patch_image.save(path)
    found = interpret(three, str(path), Score(np.array([0.3, 0.45, 0.25])), 0.4)
    write_figure(tmp_path / "figure.svg", found, three, notice="")
    drawn = re.findall(r"<!-- (.*?) -->", (tmp_path / "figure.svg").read_text())
    assert drawn[0].startswith("probability of C or A 0.550, at or above")
    assert "although the call is positive" in " ".join(drawn) and "positive" in drawn


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "a.jpeg", "a.pdf", "a.svg", "a.gif", "a"])
def test_figures_are_of_the_formats_that_can_be_written(tmp_path, name):
    if Path(name).suffix.lower() in (".gif", ""):
        with pytest.raises(CancerNetError) as refused:
            check_target(tmp_path / name)
        assert str(refused.value) == (
            f"--figure {tmp_path / name} must end in one of .png, .jpg, .jpeg, .pdf, .svg"
        )
        return
    check_target(tmp_path / name)
    (tmp_path / name).touch()
    with pytest.raises(CancerNetError, match="exists already; move it away or name another file"):
        check_target(tmp_path / name)


@pytest.mark.parametrize("drawn", [True, False])
def test_a_figure_says_what_was_found_in_which_image(tmp_path, monkeypatch, drawn):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    folder = write_tiny_run(tmp_path / "cost $5")
    content = json.loads((folder / run_folder.RUN_FILE).read_text())
    content["dataset"]["drawn"] = drawn
    run_folder.write_run_file(folder, content)
    Image.new("RGB", (3000, 1000), (9, 8, 7)).save(tmp_path / "a $1 $2.png")
    shown = []
    monkeypatch.setattr(Axes, "imshow", lambda axes, image: shown.append(image.size))
    seen = {}
    savefig = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, path: seen.update(figure=figure) or savefig(figure, path)
    )
    found = dataclasses.replace(SURE, path=str(tmp_path / "a $1 $2.png"), word="I$DC")
    write_figure(tmp_path / "f.svg", found, run_folder.open_run(folder), notice="No diagnosis.")
    assert shown == [(2048, 683)]
    figure = seen["figure"]
    (axes,) = figure.axes
    assert figure.get_suptitle() == "I\\$DC: probability 0.750" and not axes.axison
    expected = "probability of IDC 0.750, at or above the operating point 0.400"
    point = axes.title
    assert (point.get_text(), point.get_wrap(), point.get_color()) == (expected, True, "#444444")
    below = figure.get_supxlabel().split("\n")
    notes = "Trained on drawn pictures: means nothing for tissue. " if drawn else ""
    assert below == ["a \\$1 \\$2.png · cost \\$5", f"{notes}No diagnosis."]
    assert figure._supxlabel.get_wrap() and figure._supxlabel.get_fontsize() == 7.5
    assert point.get_fontsize() == 7.5 and figure._suptitle.get_fontsize() == 12
    assert (figure.get_figwidth(), figure.dpi) == (5.2, 150)
    assert figure.get_layout_engine() is not None
    assert "<svg" in (tmp_path / "f.svg").read_text()


@pytest.mark.parametrize(("size", "inches"), [((50, 50), 5.9), ((200, 40), 2.2)])
def test_the_title_is_not_cut_off_and_stands_at_the_image(
    run, tmp_path, patch_image, monkeypatch, size, inches
):
    from matplotlib.figure import Figure

    drawn = []
    savefig = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda *given: drawn.append(given[0]) or savefig(*given))
    patch_image.resize(size).save(tmp_path / "x.png")
    found = dataclasses.replace(SURE, path=str(tmp_path / "x.png"), word="a long word " * 6)
    write_figure(tmp_path / "f.png", found, run, notice="No diagnosis.")
    (figure,) = drawn
    title, below = figure._suptitle.get_window_extent(), figure.axes[0].title.get_window_extent()
    assert title.x0 >= 0 and title.x1 <= figure.bbox.x1
    assert below.y1 <= title.y0 and title.y1 <= figure.bbox.y1
    assert figure.get_figheight() == pytest.approx(inches)
