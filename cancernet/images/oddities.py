"""What is odd about an image file that is read all the same, and what a person is told of it."""

import enum
from collections.abc import Mapping


class Oddity(enum.IntFlag):
    """What its name or its first page does not say; several at once are their sum."""

    PAGE = 1  # another page than the first was taken
    FRAME = 2  # the first of several frames was taken
    SUFFIX = 4  # the content is of another format than the suffix says

    @property
    def label(self) -> str:
        """What a record calls it: `page`."""
        return str(self.name).lower()


NOTHING_ODD = Oddity(0)
ODDITY = "oddity"  # in `info` of an image
_WORDS = {
    Oddity.PAGE: "of several pages, the largest was taken",
    Oddity.FRAME: "of several frames, the first was taken",
    Oddity.SUFFIX: "the suffix names another format than the content, and the content counts",
}


def say_oddities(found: Mapping[Oddity, str]) -> list[str]:
    """Returns a sentence for each oddity, about the images that are named: `3 images`."""
    return [f"{found[each]}: {words}" for each, words in _WORDS.items() if each in found]
