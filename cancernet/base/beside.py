"""Runs work in processes beside this one, so that a second processor is used.

`start(function, *arguments)` begins it and returns a call that waits for the result. Where there is
no other process, `functools.partial` serves as `start`: it works when the result is asked for.
"""

import contextlib
import functools
import importlib
import queue
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

from cancernet.base.parallel import KILLED, processors, start_processes

Start = Callable[..., Callable[[], Any]]
MOST = 2  # processes: more would wait most of the time


@contextlib.contextmanager
def processes_beside(imports: Sequence[str] = ()) -> Iterator[Start]:
    """Starts processes and gives the `start` that sends them work; they end with the block.

    They read and compute, and write nothing: only this process decides what to do with a result.
    Functions are at the top level of a module. The call for the result raises what they raise, or
    ChildProcessError where a process was killed.

    Args:
        imports: modules that the processes import at once, before there is work.
    """
    count = min(MOST, processors())
    # A fork is quick, but not safe where TensorFlow runs threads already.
    if count < MOST or "tensorflow" in sys.modules:
        yield functools.partial
        return
    ends, workers = start_processes(count, _work, imports)
    idle: queue.SimpleQueue[Connection] = queue.SimpleQueue()
    for end in ends:
        idle.put(end)
    with ThreadPoolExecutor(count) as threads:

        def start(function: Callable[..., Any], *values: Any, **named: Any) -> Callable[[], Any]:
            return threads.submit(_ask, idle, functools.partial(function, *values, **named)).result

        try:
            yield start
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.terminate()
                worker.join()


def _ask(idle: "queue.SimpleQueue[Connection]", work: Callable[[], Any]) -> Any:
    end = idle.get()
    try:
        end.send(work)
        succeeded, result = end.recv()
    except KILLED:
        raise ChildProcessError(
            "a process beside the training was killed, perhaps for lack of memory"
        ) from None
    finally:
        idle.put(end)
    if not succeeded:
        raise result
    return result


def _work(end: Connection, imports: Sequence[str]) -> None:
    for name in imports:
        importlib.import_module(name)
    while True:
        work = end.recv()
        try:
            answer = (True, work())
        except Exception as error:
            answer = (False, error)
        end.send(answer)
