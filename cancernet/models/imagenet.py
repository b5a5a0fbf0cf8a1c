"""ImageNet weights: Keras downloads and verifies them; if it cannot, which file to put where."""

import contextlib
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras

from cancernet.base.errors import CancerNetError, SettingsError
from cancernet.models.pretrained import APPLICATIONS

TIMEOUT = 60.0  # seconds without an answer after which a download has failed
_SIZE = 224  # MobileNet has one file a size; this is the one that is named everywhere


def imagenet_file(application: str | None) -> Path:
    """Returns the ImageNet weights in Keras's cache, downloading them if need be.

    Args:
        application: a name of `APPLICATIONS`, or None for a network without a backbone.

    Raises:
        CancerNetError: the network has none, or they cannot be downloaded; the message then
            names the file and its place.
    """
    if application is None:
        raise SettingsError(
            "this network has no ImageNet weights; start it with --weights none, or from a file "
            "of its own with --weights FILE"
        )
    name = APPLICATIONS[application].file
    try:
        with _connection_timeout(TIMEOUT):
            getattr(keras.applications, application)(
                include_top=False, weights="imagenet", input_shape=(_SIZE, _SIZE, 3)
            )
    except Exception as error:  # Keras raises plain Exception when a download fails
        raise CancerNetError(_how_to_bring(application, name, str(error))) from None
    for folder in _cache_folders():
        if (folder / name).is_file():
            return folder / name
    raise CancerNetError(
        f"Keras did not leave {name} in {_cache_folders()[0]}; put it there or use --weights FILE"
    )


def _how_to_bring(application: str, name: str, reason: str) -> str:
    address = re.search(r"https?://[^\s'\"]+[^\s'\".:,]", reason)
    source = f" from {address[0]}" if address else ""
    # Keras: "URL fetch failure on <address>: None -- <the reason>"
    reason = re.sub(r"^URL fetch failure on \S+ (None -- )?", "", reason.strip().split("\n")[0])
    return (
        f"the ImageNet weights of {application} cannot be downloaded ({reason}): put the file "
        f"{name}{source} into {_cache_folders()[0]}, or name it with --weights FILE; to start from "
        "random numbers use --weights none"
    )


def _cache_folders() -> list[Path]:
    """Where Keras keeps downloads; the second where the first cannot be written."""
    home = os.environ.get("KERAS_HOME")
    first = Path(home).expanduser() if home else Path.home() / ".keras"
    second = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())
    return [first / "models", second / ".keras" / "models"]


@contextlib.contextmanager
def _connection_timeout(seconds: float) -> Iterator[None]:
    # Keras's download has no timeout: behind a silent firewall it would wait for ever.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
