"""Processes beside this one: results in any order, errors as they were raised, none left behind."""

import functools
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from cancernet.base import parallel
from cancernet.base.console import _uncollected
from cancernet.base.errors import CancerNetError
from cancernet.base.parallel import processes_beside

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it forks")


@pytest.fixture(autouse=True)
def two_processors(monkeypatch):
    monkeypatch.setattr(parallel, "processors", lambda: 2)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)  # of another test


def squared(number, *, plus=0):
    return number**2 + plus, os.getpid()


def refuse():
    raise CancerNetError("the patches do not lie on one grid")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_results_come_from_other_processes():
    with processes_beside(["json"]) as start:
        waits = [start(squared, number, plus=1) for number in range(20)]
        found = [wait() for wait in reversed(waits)]
        assert [number for number, _ in reversed(found)] == [n**2 + 1 for n in range(20)]
        assert os.getpid() not in {process for _, process in found}
    assert not multiprocessing.active_children()


def test_what_a_function_raises_is_raised_and_the_process_goes_on():
    with processes_beside() as start:
        wrong = start(refuse)
        with pytest.raises(CancerNetError, match="do not lie on one grid"):
            wrong()
        assert start(squared, 3)()[0] == 9


def test_a_killed_process_is_one_sentence():
    with processes_beside() as start:
        killed = start(die)
        with pytest.raises(ChildProcessError, match="was killed, perhaps for lack of memory"):
            killed()
        with pytest.raises(ChildProcessError, match="was killed"):
            start(squared, 3)()


def test_an_error_of_this_process_leaves_none_behind():
    begun = time.perf_counter()
    with pytest.raises(KeyboardInterrupt), processes_beside() as start:
        start(time.sleep, 60)
        raise KeyboardInterrupt
    assert not multiprocessing.active_children()
    assert time.perf_counter() - begun < 30


def test_one_processor_or_tensorflow_does_the_work_here(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tensorflow", parallel)
        with processes_beside() as start:
            assert start is functools.partial
    monkeypatch.setattr(parallel, "processors", lambda: 1)
    with processes_beside() as start:
        assert start(squared, 3)() == (9, os.getpid())


def test_a_bare_tensorflow_hides_what_keras_only_looks_for_and_gives_it_back():
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "from cancernet.base.console import _hidden\n"
            "import json\n"
            "with _hidden(['json', 'colorsys']):\n"
            "    import json\n"
            "    try:\n"
            "        import colorsys\n"
            "    except ImportError:\n"
            "        print('hidden')\n"
            "import colorsys\n"
            "print(colorsys.__name__)\n",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["hidden", "colorsys"]


@pytest.mark.parametrize("before", [True, False])
def test_garbage_is_collected_afterwards_as_before(before):
    try:
        (gc.enable if before else gc.disable)()
        with _uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() == before
    finally:
        gc.enable()
