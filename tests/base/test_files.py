"""Files are whole or not there: written beside, then renamed."""

import json
import os
import shutil
import stat

import pytest

from cancernet.base.files import (
    is_unfinished,
    remove_unfinished,
    sha256_of,
    write_bytes,
    write_json,
    write_text,
    written_beside,
)


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
