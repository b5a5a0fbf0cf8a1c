"""Which file a path in a table means."""

import pytest

from cancernet.images.named_files import NamedFiles, plain_path


def found(files, *names):
    return NamedFiles(files).find_all(names)


def test_names_of_files_have_slashes():
    assert plain_path(".\\a\\b.png") == plain_path("./a/b.png") == "a/b.png"
    assert plain_path("a/./b/.c.png") == "a/./b/.c.png" and plain_path("../a") == "../a"


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("C:\\Users\\me\\busi\\images\\a.png", ["images/a.png"]),
        ("images\\a.png", ["images/a.png"]),
        ("/kaggle/input/busi/images/sub/b.png", ["images/sub/b.png"]),
        ("\\\\server\\share\\c.png", ["x/c.png", "y/c.png"]),  # two fit
        ("E:/y/c.png", ["y/c.png"]),  # the longest end names one of them
        ("d.png", ["d.png"]),  # that very path, though another ends so
        ("a", ["images/a.png"]),
        ("study/images/a", ["images/a.png"]),
        ("e.1", ["y/e.1.tif"]),
        ("f", ["f.jpg", "f.png"]),  # two without their suffixes
        ("ges/a.png", ["images/a.png"]), ("aa.png", []), ("", []), ("/", []),
    ],
)  # fmt: skip
def test_the_longest_end_that_is_there_counts(name, files):
    here = ["d.png", "images/a.png", "images/sub/b.png", "x/c.png", "x/d.png", "y/c.png",
            "y/e.1.tif", "f.png", "f.jpg"]  # fmt: skip
    assert found(here, name) == {name: files}


@pytest.mark.parametrize("front", ["", "/data/", "C:\\data\\"])
def test_what_lies_behind_a_foreign_front_must_be_here(front):
    one, other = f"{front}train/1.png", f"{front}test/1.png"
    assert found(["train/1.png"], one, other) == {one: ["train/1.png"], other: []}
    # From two machines: neither front is a part of the other.
    pair = ("C:/a/1.png", "D:/b/2.png", "3.png")
    assert all(found(["x/1.png", "x/2.png", "x/3.png"], *pair).values())


def test_converted_files_count_without_their_suffixes_where_no_name_fits(caplog):
    here = ["images/a.png", "images/b.png", "x/c.png"]
    assert found(here, "a.dcm", "D:/x/c.DCM", "gone.dcm") == {
        "a.dcm": ["images/a.png"], "D:/x/c.DCM": ["x/c.png"], "gone.dcm": [],
    }  # fmt: skip
    assert "names count without them" in caplog.text
    caplog.clear()
    assert found([*here, "images/a.jpg"], "a.dcm") == {"a.dcm": ["images/a.jpg", "images/a.png"]}
    # Where one name fits, another suffix is another file.
    assert found(here, "b.png", "a.dcm")["a.dcm"] == [] and found(here, "a.txt") == {"a.txt": []}


def test_neighbours_by_their_letters_are_not_the_same_end():
    assert found(["a-b/1.png", "a/1.png", "a0/1.png"], "q/a/1.png") == {"q/a/1.png": ["a/1.png"]}
    assert found(["x/a/1.png", "y/a/1.png", "a!/1.png"], "q/a/1.png") == {
        "q/a/1.png": ["x/a/1.png", "y/a/1.png"]
    }
