"""Work spread over processes: this machine's, or a Dask cluster's (`Cluster`).

`in_parallel` and `spread` do one thing with much; `processes_beside` does one thing after the other
while this process trains. A worker that is killed is an error in a sentence, and workers end with
the program, however it ends.
Dask runs the tasks of a worker that died again elsewhere. It sends pickled objects: connect only
to a scheduler that you trust. Workers read files by their paths, so these must be the same on
every machine.
"""

import contextlib
import functools
import importlib
import itertools
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from cancernet.base.console import install_extra
from cancernet.base.errors import CancerNetError, first_line
from cancernet.base.processor import processors

BESIDE = 2  # processes beside a training: more would wait most of the time
MOST = 61  # processes that Windows can wait for
SMALL = 256  # things that are done before processes for them would have started
AHEAD = 4  # tasks per worker of a cluster that are under way or done and not yet taken
CONNECT_SECONDS = 20
INSTALL = f"install it with {install_extra('cluster')}"

Start = Callable[..., Callable[[], Any]]
Task = TypeVar("Task")


def in_parallel(
    function: Callable[[Any], Any], chunks: Iterable[Any], *, processes: int | None = None
) -> Generator[tuple[int, Any], None, None]:
    """Gives (place of the chunk, result) as they come, in any order.

    At most two chunks a process are under way, so memory does not grow with their
    number. The processes start with the call, not with the first result, and end when
    the generator is used up or closed: use it in `contextlib.closing`, or after an error
    they would go on writing for a while.

    Args:
        function: of one chunk; at the top level of a module.
        chunks: pickled to the processes, one by one.
        processes: how many; one for each processor if None.

    Raises:
        CancerNetError: a process was killed.
        Exception: whatever `function` raised.
    """
    count = processes or processors()
    return _collect(_pool(count), count, function, enumerate(chunks))


def _collect(
    pool: ProcessPoolExecutor,
    count: int,
    function: Callable[[Any], Any],
    chunks: Iterator[tuple[int, Any]],
) -> Generator[tuple[int, Any], None, None]:
    under_way: dict[Future[Any], int] = {}

    def send(more: int) -> None:
        for place, chunk in itertools.islice(chunks, more):
            under_way[pool.submit(function, chunk)] = place

    try:
        send(2 * count)
        while under_way:
            for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                result = done.result()
                send(1)
                yield under_way.pop(done), result
    except BrokenProcessPool:
        raise CancerNetError(
            "a worker process was killed, perhaps for lack of memory; run the same command again"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def spread(
    function: Callable[[Any], Any], chunks: Iterator[Any], count: int, processes: int | None = None
) -> Generator[tuple[int, Any], None, None]:
    """Like `in_parallel`, but small work stays in this process, where it begins at once.

    `count` is how many things all chunks hold together.
    """
    if count <= SMALL or processes == 1:
        return ((place, function(chunk)) for place, chunk in enumerate(chunks))
    return in_parallel(function, chunks, processes=processes)


@contextlib.contextmanager
def processes_beside(imports: Sequence[str] = ()) -> Iterator[Start]:
    """Starts processes and gives the `start` that sends them work; they end with the block.

    `start(function, *arguments)` begins it and returns a call that waits for the result. Where
    there is no other process, `functools.partial` serves: it works when the result is asked for.
    They read and compute, and write nothing: only this process decides what to do with a result.
    Functions are at the top level of a module. The call for the result raises what they raise, or
    ChildProcessError where a process was killed.

    Args:
        imports: modules that the processes import at once, before there is work.
    """
    # A fork is quick, but not safe where TensorFlow runs threads already.
    if processors() < BESIDE or "tensorflow" in sys.modules:
        yield functools.partial
        return
    pool = _pool(BESIDE, imports)

    def start(function: Callable[..., Any], *values: Any, **named: Any) -> Callable[[], Any]:
        with _told_if_killed():
            return _told_if_killed()(pool.submit(function, *values, **named).result)

    try:
        yield start
    finally:
        for worker in list(pool._processes.values()):
            worker.terminate()
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _told_if_killed() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise ChildProcessError(
            "a process beside the training was killed, perhaps for lack of memory"
        ) from None


def _pool(count: int, imports: Sequence[str] = ()) -> ProcessPoolExecutor:
    # Fork starts in milliseconds, but is safe on Linux only.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(min(count, MOST), context, _begin, (imports,))
    pool.submit(int)  # the processes start with the first task
    return pool


def _begin(imports: Sequence[str]) -> None:
    # Ctrl-C goes to the whole group; the parent alone decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in imports:
        importlib.import_module(name)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


class Cluster:
    """Workers that take tasks, as a context manager; `local` is the cluster started here."""

    def __init__(self, *, scheduler: str = "", workers: int = 0) -> None:
        """Connects, or starts workers on this machine that listen on localhost alone.

        Args:
            scheduler: address of a running scheduler, such as `tcp://host:8786`; or
            workers: number of processes to start here, at least 1.

        Raises:
            CancerNetError: Dask is not installed, or the scheduler cannot be reached.
        """
        self._closing = contextlib.ExitStack()
        try:
            import distributed
        except ImportError:
            raise CancerNetError(f"--workers and --scheduler need Dask; {INSTALL}") from None
        self._distributed = distributed
        self.local: Any = None
        if scheduler:
            self.client = self._connect(scheduler)
            return
        self.local = self._closing.enter_context(
            distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs="ERROR",
            )
        )
        self.client = self._closing.enter_context(distributed.Client(self.local))
        # What fails in a task is raised; a heartbeat that fails at the end is no error to print.
        self.client.run(logging.getLogger("distributed").setLevel, logging.CRITICAL)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def in_order(
        self, function: Callable[[Any], Any], tasks: Iterable[Task], *, doing: Callable[[Task], str]
    ) -> Iterator[tuple[Task, Any]]:
        """Gives (task, function(task)) in the order of the tasks, with flat memory.

        `function` is at the top level of a module, or a partial of such; tasks are pickled.

        Raises:
            CancerNetError: what `function` raised, or why the workers could not do what `doing`
                says of the task.
        """
        under_way: deque[tuple[Task, Any]] = deque()
        for task in tasks:
            under_way.append((task, self.client.submit(function, task, pure=False)))
            if len(under_way) > AHEAD * max(len(self.client.nthreads()), 1):
                yield self._take(*under_way.popleft(), doing)
        while under_way:
            yield self._take(*under_way.popleft(), doing)

    def _take(self, task: Task, future: Any, doing: Callable[[Task], str]) -> tuple[Task, Any]:
        try:
            return task, future.result()
        except CancerNetError:
            raise
        except Exception as error:  # whatever went wrong on another machine
            raise CancerNetError(
                f"the workers could not {doing(task)} ({first_line(error)})"
            ) from None

    def _connect(self, address: str) -> Any:
        try:
            client = self._closing.enter_context(
                self._distributed.Client(address, timeout=CONNECT_SECONDS)
            )
        except (OSError, ValueError, TimeoutError) as error:
            raise CancerNetError(
                f"no Dask scheduler answers at {address} ({first_line(error)}); check that "
                "`dask scheduler` runs there and that the address is right"
            ) from None
        if not client.nthreads():
            raise CancerNetError(
                f"the scheduler at {address} has no workers; start some with "
                f"`dask worker {address}`"
            )
        return client


def check_cluster_flags(workers: int, scheduler: str) -> None:
    """Raises CancerNetError where --workers and --scheduler contradict or make no sense."""
    if workers < 0:
        raise CancerNetError(f"--workers is {workers}, but must be at least 1")
    if workers and scheduler:
        raise CancerNetError("--workers starts processes here, --scheduler uses others; choose one")
