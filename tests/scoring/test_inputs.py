"""Which images are named: folders in order, lists by path or by name."""

from pathlib import Path

import pytest

from cancernet.base.errors import CancerNetError
from cancernet.scoring.inputs import Inputs, listed_images


@pytest.fixture
def tree(tmp_path):
    for name in ("b/2.PNG", "b/a/1.jpeg", "a.tif", "z.bmp", "notes.txt", ".x.png", ".y/3.png",
                 "b/.hidden.txt", "b/deep.zip", "c.png/4.png", "__MACOSX/b/2.PNG",
                 "b/@eaDir/2.PNG/THUMB.png"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    return tmp_path


def test_a_folder_is_walked_in_the_order_of_names(tree):
    inputs = Inputs([tree, tree / "notes.txt", tree / "none"])
    assert inputs.passed_over == 0
    found = [path.relative_to(tree).as_posix() for path in inputs]
    assert found == [
        "a.tif", "b/2.PNG", "b/a/1.jpeg", "c.png/4.png", "z.bmp", "notes.txt", "none",
    ]  # fmt: skip
    assert (inputs.passed_over, inputs.links) == (2, 1)  # notes.txt and deep.zip; the loop


def test_masks_in_folders_are_left_out_unless_asked_for(tree):
    names = ["b/2_mask.png", "b/Masks/x/1.png", "b/unmasked.png"]
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    inputs, every = Inputs([tree / "b", tree / names[0]]), Inputs([tree], with_masks=True)
    assert [path.name for path in inputs] == ["2.PNG", "1.jpeg", "unmasked.png", "2_mask.png"]
    assert (inputs.masks, inputs.named_like_masks, inputs.passed_over) == (2, 1, 1)
    assert {path.relative_to(tree).as_posix() for path in every} >= {*names} and every.masks == 0
    assert len(list(Inputs([tree / "b" / "Masks"]))) == 1  # as a build of that folder


@pytest.mark.parametrize(
    ("named", "names"),
    [
        (".", ["a.tif", "b/2.PNG", "b/a/1.jpeg", "c.png/4.png", "z.bmp"]),
        ("./b/../b", ["b/../b/2.PNG", "b/../b/a/1.jpeg"]),
        ("none", ["none"]),
    ],
)
def test_names_are_written_as_paths_are(tree, monkeypatch, named, names):
    monkeypatch.chdir(tree)
    inputs = Inputs([Path(named)])
    assert list(inputs.names()) == [str(path) for path in inputs] == names


def test_a_folder_that_cannot_be_read_is_itself_the_answer(tree, monkeypatch):
    from cancernet.scoring import inputs

    def refuses(folder):
        raise PermissionError(folder)

    monkeypatch.setattr(inputs.os, "scandir", refuses)
    assert list(Inputs([tree])) == [tree]


def test_listed_files_are_found_by_path_or_by_name(tree, tmp_path):
    table = tmp_path / "list.csv"
    table.write_text("label,filename\n1,b\\2.PNG\n1,./1.jpeg\n1,\n1,gone/5.png\n1,a.tif\n1,2.PNG\n")
    assert listed_images(table, [tree / "b", tree]) == [
        tree / "b" / "2.PNG", tree / "b" / "a" / "1.jpeg", tree / "b" / "gone" / "5.png",
        tree / "a.tif", tree / "b" / "2.PNG",
    ]  # fmt: skip


def test_a_list_that_names_nothing_needs_names_and_folders(tree, tmp_path):
    table = tmp_path / "list.csv"
    table.write_text("path,label\n,1\n")
    with pytest.raises(CancerNetError, match="names no files; fill its column"):
        listed_images(table, [tree])
    table.write_text("path\na.tif\n")
    for folders in ([tree, tree / "a.tif"], [tree / "none"]):
        with pytest.raises(CancerNetError) as refused:
            listed_images(table, folders)
        assert f"needs folders of images, and {folders[-1]} is not a folder" in str(refused.value)


def test_a_name_that_fits_several_files_is_refused(tree, tmp_path):
    (tree / "b" / "a.tif").touch()
    table = tmp_path / "list.csv"
    table.write_text("path\na.tif\n")
    assert listed_images(table, [tree]) == [tree / "a.tif"]
    with pytest.raises(CancerNetError) as refused:
        listed_images(table, [tree / "b", tree])
    assert f"fits several files, {tree / 'b' / 'a.tif'} and {tree / 'a.tif'};" in str(refused.value)
    table.write_text("path\nx/a.tif\n")
    with pytest.raises(CancerNetError) as refused:
        listed_images(table, [tree])
    assert "fits several files" in str(refused.value)
