"""Every file is looked at: does it decode, what is it, is it there twice?"""

import io
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cancernet.base.errors import CancerNetError, ImageError
from cancernet.building import source_files, transfer
from cancernet.catalog import Reason
from cancernet.dataset.images import first_alike
from cancernet.images.plain_png import PNG_SIGNATURE
from cancernet.images.reading import read_rgb
from tests.helpers.building_trees import (
    build_it,
    left_out,
    make_tree,
    manifest,
    patch_path,
    write_patch,
)


def png(mode="RGB", size=(9, 7), **options):
    image = Image.fromarray(
        np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), np.uint8)
    ).convert(mode)
    stream = io.BytesIO()
    image.save(stream, format="PNG", **options)
    return stream.getvalue()


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(
        ">I", zlib.crc32(kind + content)
    )  # fmt: skip


def by_hand(pixels, *, width=4, height=3, depth=8, colour=2, interlaced=0, before=b"", after=b""):
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (
        PNG_SIGNATURE
        + chunk(b"IHDR", head)
        + before
        + chunk(b"IDAT", zlib.compress(pixels))
        + after
        + chunk(b"IEND", b"")
    )


LINES = (b"\0" + bytes(12)) * 3


def test_plain_images_take_the_short_way():
    for content in (png(), png("L"), png("LA"), png("RGBA"), by_hand(LINES)):
        assert transfer._plain_png(content) == read_rgb(content).size


@pytest.mark.parametrize(
    "content",
    [
        by_hand((b"\x05" + bytes(12)) * 3),  # there is no filter 5
        by_hand(LINES[:-1]),
        by_hand(LINES + b"\0"),
        by_hand(LINES, after=b"\0"),
        by_hand(LINES) + b"\0",
        by_hand(LINES, after=chunk(b"tIME", b"\0" * 7) + chunk(b"IDAT", b"")),
        by_hand(LINES, before=chunk(b"tRNS", b"\0" * 6)),
        by_hand(LINES, before=chunk(b"iCCP", b"broken")),
        by_hand(LINES, width=1 << 20, height=1 << 20),
        by_hand(LINES)[:-5],
        png("P"),
        png("1"),
        png("I;16"),
        b"",
        b"GIF89a",
    ],
)
def test_everything_else_is_left_to_the_long_way(content):
    assert transfer._plain_png(content) is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_short_way_never_passes_what_the_long_way_refuses(data):
    content = bytearray(data.draw(st.sampled_from([png(), png("L"), by_hand(LINES)])))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(len(content) - 20, len(content)))])
    size = transfer._plain_png(content)
    if size is not None:
        assert read_rgb(content).size == size


def test_a_bomb_is_not_unpacked():
    content = by_hand(bytes(100_000_000))
    tracemalloc.start()
    try:
        transfer.decoded_size(content)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    with pytest.raises(ImageError, match="pixels"):
        transfer.decoded_size(by_hand(LINES, width=20_000, height=20_000))


def test_first_alike_names_the_first_equal_row():
    rows = np.random.default_rng(0).integers(0, 2, (200, 1)).repeat(16, 1).astype(np.uint8)
    rows[7, 15] = 9
    rows[100:, 3] = np.arange(100)
    first = first_alike(rows)
    assert not len(first_alike(rows[:0])) and first_alike(rows[7:9]).tolist() == [0, 1]
    for place, row in enumerate(rows):
        assert first[place] == next(i for i, other in enumerate(rows) if (other == row).all())


def test_what_is_no_image_is_found_and_named(tmp_path):
    source = make_tree(tmp_path / "source")
    (source / "notes.txt").write_text("")
    (source / "8001" / "0" / "._8001_idx5_x1_y51_class0.png").write_bytes(b"fork")
    (source / "8001" / "thumbs.png").mkdir()
    for folder in ("8001/.ipynb_checkpoints", "__MACOSX/8001", "8002/@eaDir/a.png", "$RECYCLE.BIN"):
        (source / folder).mkdir(parents=True)
        (source / folder / "copy.png").touch()
    (source / ".tmp.png").touch()
    (source / "8001" / ".again").symlink_to(source / "8002")
    found = source_files.find_files(source)
    assert {f.source: f.reason for f in found.left_out} == {
        "notes.txt": Reason.NOT_AN_IMAGE,
        "8001/0/._8001_idx5_x1_y51_class0.png": Reason.NOT_AN_IMAGE,
        "8001/thumbs.png": Reason.NOT_AN_IMAGE,
        **dict.fromkeys(
            ("8001/.ipynb_checkpoints", "__MACOSX", "8002/@eaDir", "$RECYCLE.BIN", ".tmp.png",
             "8001/.again"), Reason.HIDDEN,
        ),
    }  # fmt: skip
    assert not found.drawn and len(found.images) == 63
    (source / "DRAWN.json").write_text("{}")
    assert source_files.find_files(source).drawn


def test_links_to_folders_are_followed_once_and_never_in_circles(tmp_path):
    source = make_tree(tmp_path / "source", {"8001": (2, 1)})
    elsewhere = make_tree(tmp_path / "elsewhere", {"9001": (3, 2)})
    (source / "9001").symlink_to(elsewhere / "9001")
    (source / "8001" / "0" / "loop").symlink_to(source)
    (elsewhere / "9001" / "up").symlink_to(elsewhere)
    found = source_files.find_files(source)
    assert len(found.images) == 3 + 5
    assert {f.source: f.reason for f in found.left_out} == {
        "8001/0/loop": Reason.LINK_AGAIN,
        "9001/up": Reason.LINK_UP,
    }


def test_a_link_to_a_folder_around_linked_ones_is_read_but_for_those(tmp_path):
    patients = {"1": (2, 1), "2": (1, 1), "3": (1, 2)}
    store, source = make_tree(tmp_path / "store", patients), tmp_path / "source"
    (store / "3" / "notes.txt").write_text("")
    source.mkdir()
    for name, target in (("1", "1"), ("2", "2"), ("all", "."), ("late", "3")):
        (source / name).symlink_to((store / target).resolve())
    (source / "above").symlink_to(tmp_path)
    found = source_files.find_files(source)
    tails = sorted("/".join(path.split("/")[-3:]) for path in found.images)
    assert tails == sorted(
        patch_path(p, label, place)
        for p, counts in patients.items()
        for label, count in enumerate(counts)
        for place in range(count)
    )
    assert {f.source: f.reason for f in found.left_out} == {
        "all/1": Reason.FOLDER_AGAIN,
        "all/2": Reason.FOLDER_AGAIN,
        "all/3/notes.txt": Reason.NOT_AN_IMAGE,
        "late": Reason.LINK_AGAIN,
        "above": Reason.LINK_UP,
    }


def test_unreadable_folders_are_named(tmp_path, monkeypatch):
    source = make_tree(tmp_path / "source")
    scan = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("8002"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = source_files.find_files(source)
    (lost,) = found.left_out
    assert (lost.source, lost.reason, lost.failed) == ("8002", Reason.FOLDER_UNREADABLE, True)


def test_unreadable_source_is_refused(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CancerNetError, match="cannot be read: Permission denied"):
        source_files.find_files(tmp_path)


def test_order_of_listing_does_not_matter(tmp_path, monkeypatch):
    source = make_tree(tmp_path / "source")
    write_patch(source / patch_path("8002", 0, 77), seed=1)  # a duplicate of one of 8001
    build_it(source, tmp_path / "one")
    walk = os.walk

    def backwards(top, **options):
        for here, folders, files in walk(top, **options):
            folders.reverse()
            yield here, folders, sorted(files, reverse=True)

    monkeypatch.setattr(os, "walk", backwards)
    build_it(source, tmp_path / "two")
    for name in ("manifest.csv", "left_out.csv", "build.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_second_copy_of_the_download_is_not_counted(tmp_path):
    source = make_tree(tmp_path / "source")
    again = make_tree(source / "IDC_regular_ps50_idx5")
    write_patch(again / patch_path("8001", 0, 0), seed=888)  # the name decides, not the bytes
    build_it(source, tmp_path / "out")
    assert len(manifest(tmp_path / "out")) == 63
    reasons = left_out(tmp_path / "out")
    assert len(reasons) == 63
    for path, (reason, same) in reasons.items():
        assert reason == Reason.SECOND_COPY and path == f"IDC_regular_ps50_idx5/{same}"


def test_equal_paths_under_two_folders_are_no_second_copies(tmp_path):
    seed = 0
    for site in ("siteA", "siteB"):
        for patient in ("1", "2", "3", "4"):
            for label in (0, 1):
                seed += 1
                write_patch(tmp_path / "source" / site / patient / str(label) / "1.png", seed)
    (tmp_path / "source/siteB/4/1/1.png").write_bytes(
        (tmp_path / "source/siteA/4/1/1.png").read_bytes()
    )
    build_it(tmp_path / "source", tmp_path / "out")
    rows = manifest(tmp_path / "out")
    assert len(rows) == 15 and {row["patient"] for row in rows} == {"1", "2", "3", "4"}
    assert left_out(tmp_path / "out") == {"siteB/4/1/1.png": (Reason.DUPLICATE, "siteA/4/1/1.png")}


@pytest.mark.parametrize("link", ["copy", "symbolic"])
def test_a_second_copy_stands_in_for_a_damaged_file(tmp_path, link):
    source = make_tree(tmp_path / "source")
    build_it(source, tmp_path / "whole")
    again = make_tree(source / "IDC_regular_ps50_idx5")
    lost, damaged = patch_path("8001", 0, 0), patch_path("8002", 1, 0)
    copy = f"IDC_regular_ps50_idx5/{damaged}"
    for path in (source / lost, again / lost, source / damaged):
        path.write_bytes(b"damaged")
    outcome = build_it(source, tmp_path / "out", link=link)
    rows = {row["source"]: row for row in manifest(tmp_path / "out")}
    before = {row["source"]: row for row in manifest(tmp_path / "whole")}
    assert len(rows) == 62 and rows[copy]["sha256"] == before[damaged]["sha256"]
    taken = tmp_path / "out" / rows[copy]["path"]
    assert taken.read_bytes() == (again / damaged).read_bytes()
    reasons = left_out(tmp_path / "out")
    assert reasons[damaged][0] == Reason.UNDECODABLE and copy not in reasons
    assert reasons[damaged][1].endswith(f"its second copy {copy} is taken")
    assert reasons[lost][0] == Reason.UNDECODABLE and "second copy" not in reasons[lost][1]
    assert outcome.facts.failed == 2 and len(reasons) == 63 + 1
    assert build_it(source, tmp_path / "out", link=link).unchanged
    (again / damaged).unlink()
    build_it(source, tmp_path / "out", link=link)
    assert len(manifest(tmp_path / "out")) == 61


def test_masks_strays_and_contradictions_are_left_out(tmp_path):
    source = make_tree(tmp_path / "source")
    for seed, path in enumerate(
        [
            "8001/0/8001_idx5_x1_y1_class0_mask.png",
            "preview.png",
            "8001/0/8001_idx5_x9_y9_class1.png",
            "8001/1/8002_idx5_x9_y9_class1.png",
        ]
    ):
        write_patch(source / path, seed=1000 + seed)
    outcome = build_it(source, tmp_path / "out")
    reasons = left_out(tmp_path / "out")
    assert reasons["8001/0/8001_idx5_x1_y1_class0_mask.png"][0] == Reason.MASK
    assert reasons["preview.png"][0] is Reason.NO_CLASS
    assert reasons["8001/0/8001_idx5_x9_y9_class1.png"][0] == Reason.CONTRADICTION
    assert reasons["8001/1/8002_idx5_x9_y9_class1.png"][0] == Reason.CONTRADICTION
    assert len(reasons) == 4 and outcome.facts.failed == 2


def test_files_that_do_not_decode_are_left_out(tmp_path):
    source = make_tree(tmp_path / "source")
    whole = write_patch(tmp_path / "whole.png", seed=999).read_bytes()
    wrong = {"empty": b"", "cut": whole[:-40], "text": b"no image", "bit": whole[:90] + b"\0\1"
             + whole[92:]}  # fmt: skip
    for place, content in enumerate(wrong.values()):
        (source / patch_path("8001", 0, 100 + place)).write_bytes(content)
    os.mkfifo(source / patch_path("8001", 0, 200))
    (source / patch_path("8001", 0, 201)).symlink_to("nowhere.png")
    outcome = build_it(source, tmp_path / "out")
    reasons = left_out(tmp_path / "out")
    for place in range(4):
        assert reasons[patch_path("8001", 0, 100 + place)][0] == Reason.UNDECODABLE
    assert reasons[patch_path("8001", 0, 100)][1] == "the file is empty (0 bytes)"
    assert reasons[patch_path("8001", 0, 200)] == (
        Reason.UNREADABLE,
        "this is a pipe or a device, not an image file",
    )
    assert reasons[patch_path("8001", 0, 201)] == (
        Reason.UNREADABLE,
        "the link leads nowhere",
    )
    assert outcome.facts.failed == 6
    assert len(manifest(tmp_path / "out")) == 63
    assert len(list((tmp_path / "out").rglob("*.png"))) == 63


def test_a_file_that_cannot_be_read_is_left_out_and_tried_again(tmp_path, monkeypatch):
    source = make_tree(tmp_path / "source")
    locked, open_file = patch_path("8001", 0, 0), os.open

    def refuse(path, *options, **more):
        if str(path).endswith(locked):
            raise PermissionError(13, "Permission denied", path)
        return open_file(path, *options, **more)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        build_it(source, tmp_path / "out")
    assert left_out(tmp_path / "out") == {locked: (Reason.UNREADABLE, "Permission denied")}
    # `chmod` leaves size and time of change alone; it must not be "already built".
    outcome = build_it(source, tmp_path / "out")
    assert not outcome.unchanged and outcome.facts.failed == 0
    assert len(manifest(tmp_path / "out")) == 63


def test_the_split_does_not_depend_on_files_that_are_not_in_the_set(tmp_path):
    source = make_tree(tmp_path / "source")
    build_it(source, tmp_path / "clean")
    # So many damaged files would move patients if they were counted.
    for place in range(60):
        (source / patch_path("8005", 0, 300 + place)).write_bytes(b"damaged")
    build_it(source, tmp_path / "out")
    assert manifest(tmp_path / "out") == manifest(tmp_path / "clean")
    for row in manifest(tmp_path / "out"):
        assert (tmp_path / "out" / row["path"]).is_file()


def test_exact_duplicates_of_one_label_are_kept_once(tmp_path):
    source = make_tree(tmp_path / "source")
    twin = source / patch_path("8001", 0, 0)
    for patient in ("8001", "8003"):  # within and across patients
        (source / patch_path(patient, 0, 70)).write_bytes(twin.read_bytes())
    outcome = build_it(source, tmp_path / "out")
    rows = manifest(tmp_path / "out")
    assert len({row["sha256"] for row in rows}) == len(rows) == 63
    assert left_out(tmp_path / "out") == {
        patch_path(p, 0, 70): (Reason.DUPLICATE, patch_path("8001", 0, 0)) for p in ("8001", "8003")
    }
    assert outcome.facts.failed == 0


def test_exact_duplicates_of_two_labels_are_all_left_out(tmp_path):
    source = make_tree(tmp_path / "source")
    content = (source / patch_path("8001", 0, 0)).read_bytes()
    (source / patch_path("8003", 1, 70)).write_bytes(content)
    (source / patch_path("8004", 1, 70)).write_bytes(content)
    outcome = build_it(source, tmp_path / "out")
    reasons = left_out(tmp_path / "out")
    assert {reason for reason, _ in reasons.values()} == {Reason.CONTRADICTED}
    assert reasons[patch_path("8001", 0, 0)][1] == f"{patch_path('8003', 1, 70)} is of class 1"
    assert reasons[patch_path("8004", 1, 70)][1] == f"{patch_path('8001', 0, 0)} is of class 0"
    assert len(reasons) == 3 and len(manifest(tmp_path / "out")) == 62
    assert outcome.facts.failed == 3
    assert outcome.facts.failed == 3


def test_nothing_usable_is_said_before_anything_is_written(tmp_path):
    source = tmp_path / "source"
    for patient in ("1", "2", "3"):
        for label in (0, 1):
            path = source / patch_path(patient, label, 0)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no image")
    with pytest.raises(CancerNetError, match="not one of 6 images can be used; first 1/0/"):
        build_it(source, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["source"]
