"""The source folder: fetched from Kaggle, and every file under it, images or not."""

import dataclasses
import os
from pathlib import Path

from cancernet.base.errors import CancerNetError, first_line
from cancernet.catalog import Dataset, LeftOutFile, Reason
from cancernet.images.formats import SUFFIXES, is_hidden, is_image_name
from cancernet.sample.folder import MARKER


@dataclasses.dataclass(frozen=True)
class Found:
    """What is under a source folder.

    Attributes:
        images: files with an image's suffix, and DICOM files without any; relative, with `/`;
            those nearest to the source folder first, then by name.
        drawn: whether the marker of a drawn sample is among them.
    """

    images: list[str]
    left_out: list[LeftOutFile]
    drawn: bool


def download(dataset: Dataset) -> Path:
    """Returns the folder that Kaggle's own client keeps the data set in.

    It is not fetched again when it is there, and the build reads the images where they are.

    Raises:
        CancerNetError: not on Kaggle, `kagglehub` is not installed, or Kaggle refused.
    """
    if not dataset.kaggle:
        raise CancerNetError(
            f"{dataset.name} is not on Kaggle; get it by hand (origin: {dataset.origin})"
        )
    try:
        import kagglehub
    except ImportError:
        raise CancerNetError(
            "--download needs kagglehub, which is not installed: pip install kagglehub; "
            f"or download {dataset.address} by hand"
        ) from None
    try:
        return Path(kagglehub.dataset_download(dataset.kaggle))
    except Exception as error:
        # Network, login and disk errors of every kind.
        raise CancerNetError(
            f"Kaggle did not deliver {dataset.kaggle} ({first_line(error)}); try again, or "
            f"download it by hand from {dataset.address}"
        ) from None


def find_files(source: Path) -> Found:
    """Lists the files under a folder; links to folders are followed, but never in circles.

    `imutils.paths.list_files` finds the images. It silently skips what a person must know
    (other files, folders that cannot be read, links to folders): a second walk finds those.

    Raises:
        CancerNetError: the folder cannot be read.
    """
    from imutils import paths

    suffixes = tuple(SUFFIXES)
    root = os.path.join(os.fspath(source), "")
    images: list[str] = []
    left_out: list[LeftOutFile] = []
    seen = {os.path.realpath(root)}
    # Folders, each with those of its folders that another link leads to.
    waiting: list[tuple[str, set[str]]] = [(root, set())]
    while waiting:
        folder, elsewhere = waiting.pop()
        left_out += (LeftOutFile(path[len(root) :], Reason.FOLDER_AGAIN) for path in elsewhere)
        links, more, hidden = _note_the_rest(folder, root, suffixes, left_out, elsewhere)
        beyond = tuple(os.path.join(path, "") for path in (*elsewhere, *hidden))
        images += (
            _relative(path, root)
            for path in paths.list_files(folder, validExts=suffixes)
            if not _is_hidden_file(path) and not path.startswith(beyond)
        )
        images += (_relative(path, root) for path in more)
        for link in sorted(links):
            real = os.path.realpath(link)
            if any(_lies_in(real, other) for other in seen):
                left_out.append(LeftOutFile(link[len(root) :], Reason.LINK_AGAIN, real))
            elif any(_lies_in(os.path.realpath(place), real) for place in (root, folder)):
                left_out.append(LeftOutFile(link[len(root) :], Reason.LINK_UP, real))
            else:
                inside = {other[len(real) + 1 :] for other in seen if _lies_in(other, real)}
                seen.add(real)
                waiting.append((link, {os.path.join(link, name) for name in inside}))
    images.sort()
    images.sort(key=lambda path: path.count("/"))
    left_out = [rest._replace(source=_relative(root + rest.source, root)) for rest in left_out]
    drawn = any(rest.source.rpartition("/")[2] == MARKER for rest in left_out)
    return Found(images, left_out, drawn)


def _note_the_rest(
    folder: str,
    root: str,
    suffixes: tuple[str, ...],
    left_out: list[LeftOutFile],
    elsewhere: set[str],
) -> tuple[list[str], list[str], list[str]]:
    """Notes what `list_files` skipped.

    Returns:
        The links to folders, the images without suffix, and the hidden folders.
    """
    links: list[str] = []
    images: list[str] = []
    hidden: list[str] = []

    def cannot_read(error: OSError) -> None:
        path = os.fspath(error.filename)
        if len(path) <= len(root):
            raise CancerNetError(f"{path} cannot be read: {error.strerror}") from None
        left_out.append(
            LeftOutFile(path[len(root) :], Reason.FOLDER_UNREADABLE, str(error.strerror), True)
        )

    for here, folders, files in os.walk(folder, onerror=cannot_read):
        if elsewhere:
            folders[:] = [name for name in folders if os.path.join(here, name) not in elsewhere]
        hidden += (os.path.join(here, name) for name in folders if is_hidden(name))
        folders[:] = [name for name in folders if not is_hidden(name)]
        for name in folders:
            path = os.path.join(here, name)
            if os.path.islink(path):
                links.append(path)
            elif name.lower().endswith(suffixes):
                left_out.append(LeftOutFile(path[len(root) :], Reason.NOT_AN_IMAGE, "a folder"))
        for name in files:
            if name.lower().endswith(suffixes) and not is_hidden(name):
                continue
            path = os.path.join(here, name)
            # `._name` is what macOS writes beside every file of an archive.
            if name.startswith("._") or not is_image_name(here, name):
                left_out.append(LeftOutFile(path[len(root) :], Reason.NOT_AN_IMAGE))
            elif is_hidden(name):
                left_out.append(LeftOutFile(path[len(root) :], Reason.HIDDEN))
            else:
                images.append(path)
    left_out += (LeftOutFile(path[len(root) :], Reason.HIDDEN, "a folder") for path in hidden)
    return links, images, hidden


def _is_hidden_file(path: str) -> bool:
    # Most paths hold no such dot; to split a path takes longer.
    return f"{os.sep}." in path and os.path.basename(path).startswith(".")


def _relative(path: str, root: str) -> str:
    relative = path[len(root) :]
    return relative if os.sep == "/" else relative.replace(os.sep, "/")


def _lies_in(one: str, other: str) -> bool:
    """Tells whether a folder is another one, or inside it."""
    return os.path.join(one, "").startswith(os.path.join(other, ""))
