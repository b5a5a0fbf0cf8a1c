"""Sorts images into one folder for each call, for people who want to look through them."""

import shutil
from collections import Counter
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.files import FreeNames, plain_name, refuse_filled
from cancernet.base.words import counted
from cancernet.scoring.prediction import Prediction
from cancernet.scoring.words import call_word


class SortedFolder:
    """Links or copies scored images into a new folder; nothing is moved or overwritten."""

    def __init__(self, folder: Path, named: list[Path], *, link: str) -> None:
        """Makes the folder.

        Args:
            folder: new or empty.
            named: what will be scored.
            link: `symbolic`, `hard` or `copy`.

        Raises:
            CancerNetError: the folder holds something, or lies in one that will be scored.
        """
        refuse_filled(folder)
        for other in named:
            if other.is_dir() and folder.resolve().is_relative_to(other.resolve()):
                raise CancerNetError(
                    f"--sort-into {folder} lies in {other}, whose images are scored; name a "
                    "folder elsewhere"
                )
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._link = link
        self._names: dict[str, FreeNames] = {}
        self._counts: Counter[str] = Counter()

    def put(self, prediction: Prediction) -> None:
        """Puts one image into the folder of its call.

        Raises:
            CancerNetError: the disk takes no such links.
        """
        call = plain_name(call_word(prediction).replace("/", "-"))
        source, names = Path(prediction.path), self._names.setdefault(call, FreeNames())
        target = self.folder / call / (names.take(source.stem) + source.suffix)
        target.parent.mkdir(exist_ok=True)
        if self._link == "copy":
            shutil.copy2(source, target)
        else:
            self._link_to(source, target)
        self._counts[call] += 1

    def _link_to(self, source: Path, target: Path) -> None:
        try:
            if self._link == "hard":
                target.hardlink_to(source)
            else:
                target.symlink_to(source.resolve())
        except OSError as error:
            raise CancerNetError(
                f"{target} cannot be a {self._link} link ({error.strerror}); use --link copy"
            ) from None

    def summary(self) -> str:
        """Says how many images are in which folder."""
        each = [
            f"{counted(count, 'image')} in {call}" for call, count in sorted(self._counts.items())
        ]
        return f"{self.folder}: {', '.join(each) or 'no image'}"
