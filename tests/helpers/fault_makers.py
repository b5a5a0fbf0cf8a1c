"""Faults that the operating system itself makes, for the time of a block, without root.

What root may do is given up for the block (Linux keeps the privileges of each thread), so
that permissions hold for whoever runs the tests.
"""

import contextlib
import ctypes
import functools
import gc
import inspect
import os
import resource
import subprocess
import sys

import pytest

FRESH = "CANCERNET_FRESH_PROCESS"
_VERSION_3 = 0x20080522  # of the kernel's interface


@contextlib.contextmanager
def files_end_at(limit):
    """No file can grow beyond so many bytes: "File too large", as a disk quota would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def memory_ends_at(more):
    """So many bytes more than now can be had, and not one beyond."""
    gc.collect()  # what is freed later could be had again
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def unprivileged():
    """Permissions of files hold for this thread and what it starts, also for root."""
    if not sys.platform.startswith("linux"):
        pytest.skip("privileges are given up by a call of Linux")
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    before = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits
    system = ctypes.CDLL(None, use_errno=True)
    if system.capget(header, before):
        pytest.skip("the kernel does not tell what this process may do")
    now = (ctypes.c_uint32 * 6)(0, before[1], before[2], 0, before[4], before[5])
    assert system.capset(header, now) == 0
    try:
        yield
    finally:
        system.capset(header, before)


@contextlib.contextmanager
def mode(path, bits):
    """A file or folder has these permissions, and this thread no privileges beyond them."""
    usual = path.stat().st_mode
    path.chmod(bits)
    try:
        with unprivileged():
            yield
    finally:
        path.chmod(usual)


class JumpingClock:
    """A clock that falls back an hour with every look at it."""

    def __init__(self, start=1_800_000_000.0):
        self.now = start

    def time(self):
        self.now -= 3600
        return self.now


def in_fresh_process(test):
    """Runs a test in a process of its own: memory that others gave back would be at hand here.

    Its files lie in a folder named here; otherwise pytest would first delete what earlier
    runs of the whole suite left, which takes as long as all of these tests.
    """

    @functools.wraps(test)
    def run(request, **fixtures):
        if FRESH in os.environ:
            return test(**fixtures)
        files = request.getfixturevalue("tmp_path_factory").mktemp("fresh") / "base"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={files}",
             request.node.nodeid],
            env={**os.environ, FRESH: "1"}, cwd=request.config.rootpath,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    names = inspect.signature(test).parameters
    run.__signature__ = inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
            for name in ("request", *names)
        ]
    )
    return run
