"""Work spread over the processes of a Dask cluster, on this machine or on others.

Dask runs the part of a worker that died again elsewhere; a result is taken once. Dask sends
pickled objects: connect only to a scheduler that you trust. What workers read they read by
path, so it must lie where each of them sees it, under the same name.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from cancernet.base.errors import CancerNetError, first_line

AHEAD = 4  # tasks per worker that are under way or done and not yet taken
CONNECT_SECONDS = 20
INSTALL = 'install it with `pip install -e ".[cluster]"`'

Task = TypeVar("Task")


class Cluster:
    """Workers that take tasks; use it as a context manager.

    Attributes:
        local: the cluster started here, or None.
    """

    def __init__(self, *, scheduler: str = "", workers: int = 0) -> None:
        """Connects, or starts workers on this machine that listen on localhost alone.

        Args:
            scheduler: address of a running scheduler, such as `tcp://host:8786`; or
            workers: number of processes to start here, at least 1.

        Raises:
            CancerNetError: Dask is not installed, the scheduler cannot be reached.
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

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def in_order(
        self, function: Callable[[Any], Any], tasks: Iterable[Task], *, doing: Callable[[Task], str]
    ) -> Iterator[tuple[Task, Any]]:
        """Gives (task, function(task)) in the order of the tasks, with flat memory.

        Args:
            function: of one task; at the top level of a module, or a partial of such.
            tasks: pickled to the workers, one by one.
            doing: says of a task what could not be done, for the message of an error.

        Raises:
            CancerNetError: what `function` raised, or why the workers could not do it.
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
