"""Folders that are complete or not there."""

import pytest

from cancernet.base.errors import CancerNetError
from cancernet.base.staging import Mark, made_beside

MARK = Mark(".mark", "ours\n")


def test_a_folder_made_beside_is_there_at_the_end_only(tmp_path):
    folder = tmp_path / "out"
    with made_beside(folder) as staging:
        (staging / "a").write_text("")
        assert not folder.exists() and staging.parent == tmp_path
    assert [path.name for path in folder.iterdir()] == ["a"]
    with pytest.raises(CancerNetError, match="exists already"), made_beside(folder):
        pass
    with pytest.raises(ValueError, match="stop"), made_beside(tmp_path / "new"):
        raise ValueError("stop")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_only_marked_and_empty_folders_are_removed(tmp_path):
    ours, theirs, empty = (tmp_path / name for name in ("ours", "theirs", "empty"))
    MARK.make(ours)
    (ours / "inside").mkdir()
    theirs.mkdir()
    (theirs / "mine.txt").write_text("")
    empty.mkdir()
    link = tmp_path / "link"
    link.symlink_to(ours)
    for folder in (link, theirs, empty, tmp_path / "nothing"):
        MARK.remove(folder)
    assert MARK.is_on(ours) and link.is_symlink() and (theirs / "mine.txt").exists()
    assert not empty.exists()
    MARK.remove(ours)
    assert not ours.exists()
