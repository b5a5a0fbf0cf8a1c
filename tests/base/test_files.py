"""Files and folders are whole or not there; a lock ends with its process."""

import hashlib
import json
import math
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cancernet.base import files
from cancernet.base.errors import CancerNetError
from cancernet.base.files import (
    FreeNames,
    LockedError,
    Mark,
    beside,
    is_file,
    is_locked,
    is_unfinished,
    json_text,
    lock,
    made_beside,
    plain_name,
    read_json,
    remove_unfinished,
    rename_whole,
    sha256_of,
    write_bytes,
    write_json,
    write_text,
    written_beside,
)

MARK = Mark(".mark", "ours\n")
HOLDER = """
import sys, time
from cancernet.base.files import lock
from pathlib import Path
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_content_arrives(tmp_path):
    write_text(tmp_path / "deep" / "a.txt", "Größe\n")
    assert (tmp_path / "deep" / "a.txt").read_bytes() == "Größe\n".encode()
    write_bytes(tmp_path / "b", b"\0\1")
    assert (tmp_path / "b").read_bytes() == b"\0\1"
    write_json(tmp_path / "c.json", {"a": [1, "ü"]})
    assert json.loads((tmp_path / "c.json").read_text(encoding="utf-8")) == {"a": [1, "ü"]}


def test_an_error_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), written_beside(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_temporary_file_has_the_same_suffix_and_folder(tmp_path):
    with written_beside(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras" and temporary.parent == tmp_path
        temporary.write_text("x")


def test_the_usual_permissions(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_sha256_of_a_known_text(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "a") == expected


def test_what_a_killed_process_was_writing_is_known_by_its_name(tmp_path):
    left = tmp_path / "left"
    left.mkdir()
    for name in ("model.keras", "run.json", "no suffix", "line\nbreak.png", "n" * 240 + ".csv"):
        with written_beside(tmp_path / name) as temporary:
            temporary.write_text("half")
            shutil.copy(temporary, left)
            assert is_unfinished(temporary) and not is_unfinished(tmp_path / name)
    own = {".model.part.keras", ".model.0a1b2c3.part", "model.0a1b2c3d.part.keras", ".lock"}
    for name in own:
        (left / name).write_text("mine")
    remove_unfinished(left)
    assert {path.name for path in left.iterdir()} == own


def test_a_folder_made_beside_is_there_at_the_end_only(tmp_path):
    folder = tmp_path / "out"
    with made_beside(folder) as staging:
        (staging / "a").write_text("")
        assert not folder.exists() and staging.parent == tmp_path
    assert [path.name for path in folder.iterdir()] == ["a"]
    with pytest.raises(CancerNetError, match="is not empty"), made_beside(folder):
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


def test_a_lock_keeps_others_out_and_ends_with_a_killed_process(tmp_path):
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    assert is_locked(path)
    with pytest.raises(LockedError), lock(path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert path.exists() and not is_locked(path)
    with lock(path):
        assert is_locked(path)
    assert not path.exists()


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    path, inside, most = tmp_path / "lock", [], []

    def work():
        for _ in range(30):
            try:
                with lock(path):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
            except LockedError:
                continue

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}


def test_a_name_is_cut_by_its_bytes_and_stays_one_of_its_own():
    assert plain_name("a" * 160) == "a" * 160 and plain_name("größe.png") == "größe.png"
    one, other = plain_name("a" * 161), plain_name("a" * 160 + "b")
    digits = hashlib.sha256(b"a" * 161).hexdigest()[:8]
    assert one == f"{'a' * 151}-{digits}" and one[:151] == other[:151] and one != other
    # An ö that would be cut in two goes as a whole.
    digits = hashlib.sha256("aöööaaaaa".encode()).hexdigest()[:8]
    assert plain_name("aöööaaaaa", most=12) == "aöööaaaaa"
    assert plain_name("aöööaaaaa", most=11) == f"a-{digits}"
    assert plain_name("a\udcff.png") == "a\\udcff.png"


def test_a_taken_name_is_counted_up():
    names = FreeNames()
    assert [names.take(name) for name in ("a", "a", "b", "a", "a-2", "\udcff")] == [
        "a", "a-2", "b", "a-3", "a-2-2", "\\udcff",
    ]  # fmt: skip


def test_what_is_no_file(tmp_path):
    (tmp_path / "a").touch()
    assert is_file(tmp_path / "a")
    for name in ("", "none", "n" * 300, "a\0b", "a/b"):
        assert not is_file(tmp_path / name)


def test_json_has_null_for_undefined_and_is_written_in_utf_8(tmp_path):
    content = {"a": [math.nan, "ü"], "b\udc80": 1}
    assert json_text({"a": [math.nan, "ü"]}) == '{"a": [null, "ü"]}'
    assert json_text({"a": "ü"}, indent=1, ascii_only=True) == '{\n "a": "\\u00fc"\n}'
    write_json(tmp_path / "a.json", content)
    expected = '{\n  "a": [\n    null,\n    "ü"\n  ],\n  "b\\udc80": 1\n}\n'
    assert (tmp_path / "a.json").read_bytes() == expected.encode()
    assert read_json(tmp_path / "a.json") == {"a": [None, "ü"], "b\udc80": 1}


@pytest.mark.parametrize("content", [b"", b"{", b'"\xff"', b"[" * 200_000])
def test_json_of_a_stranger_is_an_error_of_one_kind(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError):  # in Python's own words
        read_json(tmp_path / "a.json")


def test_a_long_name_is_written_under_a_shorter_one(tmp_path):
    name = "ö" * 120 + ".csv"  # as long as a name may be, nearly
    with written_beside(tmp_path / name) as temporary:
        assert len(os.fsencode(temporary.name)) < 110
        temporary.write_text("x")
    assert (tmp_path / name).read_text() == "x"


def test_a_folder_is_made_for_what_is_written_and_two_writers_have_a_file_each(tmp_path):
    path = tmp_path / "a" / "b" / "c"
    with written_beside(path) as one, written_beside(path) as other:
        assert one != other and one.stat().st_size == 0
        one.write_text("1")
        other.write_text("2")
    assert path.read_text() == "1"


def test_the_place_beside_a_folder_is_hidden(tmp_path):
    assert beside(tmp_path / "idc", "building") == tmp_path / ".idc.building"


def test_a_folder_is_not_made_over_a_file_and_may_be_made_over_an_empty_one(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(CancerNetError, match="is not empty"), made_beside(tmp_path / "file"):
        pass
    long = tmp_path / "deep" / ("n" * 250)
    for folder in (tmp_path / "empty", long):
        with made_beside(folder) as staging:
            assert staging.name.startswith(f".{folder.name[:80]}.") and staging.suffix == ".part"
            (staging / "a").touch()
        assert [path.name for path in folder.iterdir()] == ["a"]
    assert len(staging.name) == 95
    rename_whole(long, tmp_path / "moved")
    assert (tmp_path / "moved" / "a").exists() and not long.exists()


def test_a_mark_says_what_it_is_for_and_goes_last(tmp_path, monkeypatch):
    folder, elsewhere = tmp_path / "ours", tmp_path / "elsewhere"
    folder.mkdir()  # by a program that was killed right after
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    MARK.make(folder)
    assert (folder / ".mark").read_text() == "ours\n"
    (folder / "sub" / "sub").mkdir(parents=True)
    (folder / "file").touch()
    (folder / "link").symlink_to(elsewhere)
    removed = []
    monkeypatch.setattr(
        Path, "unlink", lambda path: removed.append([each.name for each in path.parent.iterdir()])
    )
    MARK.remove(folder)
    assert removed == [[".mark"]] and (elsewhere / "kept").exists()


def test_no_lock_can_be_held_where_there_is_no_file(tmp_path):
    assert not is_locked(tmp_path / "none") and not is_locked(tmp_path)
    with pytest.raises(LockedError) as refused, lock(tmp_path / "a"), lock(tmp_path / "a"):
        pass
    assert str(refused.value) == str(tmp_path / "a")


def test_only_what_was_being_written_is_removed(tmp_path):
    (tmp_path / "sub.part").mkdir()
    (tmp_path / ".a.0123abcd.part").touch()
    (tmp_path / "b").touch()
    remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"sub.part", "b"}


def test_what_another_removes_meanwhile_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "a").touch()
    monkeypatch.setattr(files, "is_unfinished", lambda path: not path.unlink())
    remove_unfinished(tmp_path)
    assert not list(tmp_path.iterdir())
