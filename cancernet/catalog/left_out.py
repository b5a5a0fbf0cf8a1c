"""Why a file is not in a set."""

import enum
from typing import NamedTuple


class Reason(enum.Enum):
    """Why a file is left out; the value is what a person reads."""

    NOT_AN_IMAGE = "not an image file"
    FOLDER_UNREADABLE = "the folder cannot be read"
    LINK_AGAIN = "a link to a folder that is read anyway"
    LINK_UP = "a link to a folder that contains it"
    FOLDER_AGAIN = "a folder that is read anyway, through another link"
    NO_CLASS = "not in the folder of a class"
    MASK = "a mask, not an image"
    NO_LABEL = "not in the table of labels"
    NO_GROUP = "--group-by does not match the path"
    CONTRADICTION = "folder and file name disagree"
    UNWRITABLE_NAME = "the name cannot be written as text"
    SECOND_COPY = "second copy of an image"
    UNLISTED = "the patient is on none of the lists"
    UNREADABLE = "the file cannot be read"
    UNDECODABLE = "the image does not decode"
    DUPLICATE = "exact duplicate of another image"
    CONTRADICTED = "exact duplicate of an image of another class"


class LeftOutFile(NamedTuple):
    """A file that is not in the set.

    Attributes:
        source: relative to the source folder, with `/`.
        reason: by which the files are counted.
        detail: the other file, or what exactly was wrong.
        failed: whether this is a defect of the data; else it was to be expected.
    """

    source: str
    reason: Reason
    detail: str = ""
    failed: bool = False


class LeftOut(Exception):
    """This file does not belong to the data set."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


class Contradiction(LeftOut):
    """Folders, or folder and file name, do not agree, so nobody knows what the image shows."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.CONTRADICTION, detail)
