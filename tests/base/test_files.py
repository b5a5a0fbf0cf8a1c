"""Files and folders are whole or not there; a lock ends with its process."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading

import pytest

from cancernet.base.errors import CancerNetError
from cancernet.base.files import (
    LockedError,
    Mark,
    is_locked,
    is_unfinished,
    lock,
    made_beside,
    remove_unfinished,
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
        1 / 0  # noqa: B018
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
