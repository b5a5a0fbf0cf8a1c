"""A build that is killed, stopped or not alone: one complete set, and nothing else."""

import contextlib
import multiprocessing
import os
import select
import shutil
import signal
import time

import pytest

from cancernet.base import parallel
from cancernet.base.errors import CancerNetError
from cancernet.base.files import lock
from cancernet.building import record, staging, transfer
from tests.helpers.building_trees import build_it, facts, files_under, make_tree

FORK = multiprocessing.get_context("fork")


class Moments:
    """Wraps what a build does to the disk; kills the process at one of the moments."""

    def __init__(self, patch, kill_at=None):
        self.names, self.kill_at = [], kill_at
        for place, names in (
            (os, ("mkdir", "rename", "unlink", "rmdir", "sync", "utime")),
            (record, ("write_manifest", "write_left_out", "write_json")),
            (staging, ("_mend",)),
        ):
            for name in names:
                self._wrap(patch, place, name)

    def _wrap(self, patch, place, name):
        original = getattr(place, name)

        def wrapped(*args, **options):
            self._pass(f"before {name}")
            result = original(*args, **options)
            self._pass(f"after {name}")
            return result

        patch.setattr(place, name, wrapped)
        if original in os.supports_fd:
            patch.setattr(os, "supports_fd", os.supports_fd | {wrapped})

    def _pass(self, name):
        self.names.append(name)
        if len(self.names) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def list_moments(source, out):
    with pytest.MonkeyPatch.context() as patch:
        moments = Moments(patch)
        build_it(source, out)
        return moments.names


def build_and_die(source, out, kill_at, choices):
    with pytest.MonkeyPatch.context() as patch:
        Moments(patch, kill_at)
        build_it(source, out, **choices)


def run_killed(source, out, kill_at, **choices):
    child = FORK.Process(target=build_and_die, args=(source, out, kill_at, choices))
    child.start()
    child.join(30)
    return child.exitcode


@pytest.fixture
def source(tmp_path):
    return make_tree(tmp_path / "source")


def undisturbed(source, folder):
    build_it(source, folder)
    return files_under(folder)


def test_killed_at_ten_moments_of_a_first_build(source, tmp_path):
    wanted = undisturbed(source, tmp_path / "undisturbed")
    moments = len(list_moments(source, tmp_path / "listed" / "idc"))
    for number in range(10):
        out = tmp_path / f"data{number}" / "idc"
        kill_at = 1 + round(number * (moments - 1) / 9)
        assert run_killed(source, out, kill_at) == -signal.SIGKILL
        assert not out.exists() or files_under(out) == wanted  # never a half set
        build_it(source, out)
        assert files_under(out) == wanted
        assert [path.name for path in out.parent.iterdir()] == ["idc"]


def test_killed_at_the_moments_of_a_replacement(source, tmp_path):
    wanted = undisturbed(source, tmp_path / "undisturbed")
    old = tmp_path / "old" / "idc"
    build_it(source, old, split="image")
    before = files_under(old)
    moments = list_moments(source, shutil.copytree(old, tmp_path / "listed" / "idc"))
    renames = [i for i, name in enumerate(moments, 1) if name.endswith("rename")]
    removals = [i for i, name in enumerate(moments, 1) if name == "after unlink"]
    assert len(renames) >= 6 and len(removals) > 60
    for kill_at in [*renames[-6:], removals[0], removals[40], removals[-1]]:
        out = tmp_path / f"data{kill_at}" / "idc"
        shutil.copytree(old, out)
        assert run_killed(source, out, kill_at) == -signal.SIGKILL
        # The old set or the new one is there, whole: in place, or a rename away.
        previous = out.parent / ".idc.previous"
        there = [files_under(f) for f in (out, previous) if f.exists()]
        assert before in there or wanted in there
        build_it(source, out)
        assert files_under(out) == wanted
        assert [path.name for path in out.parent.iterdir()] == ["idc"]


def test_killed_while_copying(source, tmp_path, monkeypatch):
    wanted = undisturbed(source, tmp_path / "undisturbed")
    write = transfer._write

    def slow(*args):
        # After the write: a worker asks whether its build still lives before each image, and the
        # next build may begin sooner than a sleep in between ends.
        write(*args)
        time.sleep(0.06)  # all images: longer than the next build is willing to wait

    out = tmp_path / "data" / "idc"
    with monkeypatch.context() as patched:
        patched.setattr(transfer, "_write", slow)
        child = FORK.Process(target=build_it, args=(source, out))
        child.start()
        deadline = time.monotonic() + 20
        while not list((tmp_path / "data").glob(".idc.building/*/*/*.png")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.kill()
        child.join()
    # Its workers may still live for a moment; the next build waits for them.
    build_it(source, out)
    assert files_under(out) == wanted
    assert [path.name for path in out.parent.iterdir()] == ["idc"]


def test_ctrl_c_leaves_the_old_set(source, tmp_path, monkeypatch):
    out = tmp_path / "data" / "idc"
    build_it(source, out)
    before = files_under(out)

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(record, "write_manifest", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build_it(source, out, split="image")
    assert files_under(out) == before
    assert [path.name for path in out.parent.iterdir()] == ["idc"]


def test_two_builds_at_once_are_one_too_many(source, tmp_path, monkeypatch):
    out = tmp_path / "data" / "idc"
    out.parent.mkdir()
    monkeypatch.setattr(staging, "PATIENCE_SECONDS", 0.2)
    with lock(out.parent / ".idc.lock"):
        with pytest.raises(CancerNetError, match="another build is writing"):
            build_it(source, out)
        assert not out.exists()
        build_it(source, out.parent / "other")
    build_it(source, out)
    assert sorted(path.name for path in out.parent.iterdir()) == ["idc", "other"]


def test_only_what_carries_the_mark_is_removed(source, tmp_path):
    out = tmp_path / "data" / "idc"
    for name in (".idc.building", ".idc.previous"):
        (out.parent / name).mkdir(parents=True)
        (out.parent / name / "thesis.txt").write_text("years of work")
        with pytest.raises(CancerNetError, match=f"{name} is in the way"):
            build_it(source, out)
        assert (out.parent / name / "thesis.txt").read_text() == "years of work"
        (out.parent / name).rename(tmp_path / name)
    build_it(source, out)
    assert [path.name for path in out.parent.iterdir()] == ["idc"]


def test_the_old_set_comes_back_when_the_new_one_cannot_be_built(source, tmp_path):
    out = tmp_path / "data" / "idc"
    build_it(source, out)
    before = files_under(out)
    out.rename(out.parent / ".idc.previous")  # killed between the two renames
    with pytest.raises(CancerNetError, match="no list"):
        build_it(source, out, split="lists", split_lists=(tmp_path / "gone.txt",) * 3)
    with contextlib.suppress(CancerNetError), staging.alone(out):
        pass
    assert files_under(out) == before and facts(out)["leak"] == ""


def double(chunk):
    return [2 * number for number in chunk]


def die(chunk):
    if 13 in chunk:
        os.kill(os.getpid(), signal.SIGKILL)
    return chunk


def fail(chunk):
    raise ValueError(f"no {chunk}")


def test_every_chunk_comes_back_once():
    chunks = [list(range(i, i + 3)) for i in range(0, 12, 3)]
    for processes in (1, 2, 5):
        results = dict(parallel.in_parallel(double, chunks, processes=processes))
        assert [results[i] for i in range(len(chunks))] == [double(c) for c in chunks]
    assert list(parallel.in_parallel(double, [])) == []


def test_large_chunks_and_answers_do_not_wait_for_each_other():
    chunks = [list(range(200_000))] * 8
    assert len(list(parallel.in_parallel(double, chunks, processes=2))) == 8


def test_a_killed_worker_is_an_error_and_not_a_wait():
    with pytest.raises(CancerNetError, match="worker process was killed"):
        list(parallel.in_parallel(die, [[i] for i in range(40)], processes=2))


def test_an_error_in_a_worker_is_the_error_of_the_whole():
    with pytest.raises(ValueError, match="no "):
        list(parallel.in_parallel(fail, [[1], [2]], processes=2))
    assert not multiprocessing.active_children()


def test_an_abandoned_run_ends_its_workers():
    run = parallel.in_parallel(double, [[1]] * 50, processes=2)
    next(run)
    run.close()
    assert not multiprocessing.active_children()


def stall(alive):
    run = parallel.in_parallel(double, ([number] for number in range(100)), processes=3)
    next(run)
    time.sleep(0.3)  # by now the workers wait for more
    os.write(alive, b"x")
    time.sleep(60)


def test_workers_end_with_a_killed_parent():
    listen, alive = os.pipe()
    child = FORK.Process(target=stall, args=(alive,))
    child.start()
    os.close(alive)
    assert os.read(listen, 1) == b"x"
    child.kill()
    child.join()
    # The pipe ends when the last process that has inherited it is gone.
    assert select.select([listen], [], [], 5)[0] and os.read(listen, 1) == b""
    os.close(listen)
