"""Reads tables and lists that people made: labels, splits, subgroups; and writes ours."""

import codecs
import contextlib
import csv
import dataclasses
import enum
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.files import written_beside

DELIMITERS = ",;\t|"  # the first of equally good ones counts
_ARCHIVE = b"PK\3\4"
# .xlsx, .ods and .xls by what they begin with and hold: others share the beginning.
_SPREADSHEET = re.compile(
    rb"PK\x03\x04.*(?:xl/workbook|opendocument\.spreadsheet)|\xd0\xcf\x11\xe0.*[Bb]\0o\0o\0k\0",
    re.DOTALL,
)
_EXCEL = re.compile(r"sep=(.)$")  # the line that tells Excel the delimiter


class Column(enum.Enum):
    """A column that a reader looks for; the value lists its usual names.

    Case, spaces, hyphens and underscores make no difference. The first name that a table has
    counts.
    """

    IMAGE = (
        "path", "filename", "image", "file", "image_id", "image_name", "image_path", "image_file",
        "image_file_path", "file_path", "img", "img_path",
    )  # fmt: skip
    LABEL = ("label", "class", "diagnosis", "target", "category", "pathology", "ground_truth")
    PATIENT = ("patient", "patient_id", "patient_name", "subject", "subject_id", "pid")

    @property
    def key(self) -> str:
        """What `--columns` calls it."""
        return self.name.lower()


@dataclasses.dataclass(frozen=True)
class Row:
    """One row: its line in the file, and a cell for every column, without outer blanks."""

    line: int
    cells: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Table:
    """A table: the columns as its heading names them, and the rows that are not empty.

    `named` holds the columns that a person named.
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[Row]
    named: Mapping[Column, str] = dataclasses.field(default_factory=dict)

    def find(self, column: Column) -> int | None:
        """Returns the place of a column; None if there is none.

        Raises:
            CancerNetError: several columns have its name.
        """
        plain = [_plain(name) for name in self.columns]
        for name in (self.named[column],) if column in self.named else column.value:
            if plain.count(_plain(name)) > 1:
                raise CancerNetError(f"{self.path} has two columns {name!r}; name them differently")
            if _plain(name) in plain:
                return plain.index(_plain(name))
        return None

    def need(self, column: Column) -> int:
        """Returns the place of a column.

        Raises:
            CancerNetError: there is none, or several.
        """
        place = self.find(column)
        if place is None:
            raise CancerNetError(
                f"{self.path} has no column for the {column.key}, which is usually called "
                f"{', '.join(column.value)}; its first line names "
                f"{', '.join(self.columns) or 'none'}: say which one it is with --columns "
                f"{column.key}=NAME"
            )
        return place


def read_table(path: Path, columns: Sequence[str] = (), *, all_there: bool = True) -> Table:
    """Reads a table whose first line names the columns, in UTF-8 or with the mark of UTF-16.

    The delimiter is the one of `DELIMITERS` that finds most columns in the first line, those
    with usual names before others.

    Args:
        columns: of `columns_setting`.
        all_there: whether the table must have all of these.

    Raises:
        CancerNetError: it cannot be read, or lacks one of the columns.
    """
    named = _named_columns(columns)
    text = read_text(path)
    with _refusing(path, "table", "CSV file"):
        text = text.lstrip("\r\n")
        first = next(io.StringIO(text, newline=""), "").rstrip("\r\n")
        told = _EXCEL.match(first)
        delimiter = told[1] if told else _delimiter(first, set(named.values()))
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        if told:
            next(reader)
        heading = tuple(name.strip() for name in next(reader, []))
        rows = []
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                cells += [""] * (len(heading) - len(cells))
                rows.append(Row(reader.line_num, cells))
    table = Table(path, heading, rows, named)
    if all_there:
        for column in named:
            if table.find(column) is None:
                raise CancerNetError(
                    f"{path} has no column {named[column]!r}, which --columns names; its first "
                    f"line names {', '.join(heading) or 'none'}"
                )
        return table
    there = {column: name for column, name in named.items() if table.find(column) is not None}
    return dataclasses.replace(table, named=there)


def read_text(path: Path) -> str:
    """Returns the text of a table, in UTF-8 or with the mark of UTF-16.

    Raises:
        CancerNetError: it cannot be read.
    """
    with _refusing(path, "table", "CSV file"):
        content = Path(path).read_bytes()
        if _SPREADSHEET.match(content):
            raise CancerNetError(f"{path} is a spreadsheet; save it from there as CSV in UTF-8")
        if content.startswith(_ARCHIVE):
            raise CancerNetError(f"{path} is a ZIP archive; unpack it, and name the table in it")
        return _decoded(content)


def write_table(path: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Writes a CSV file atomically, in UTF-8; names that are not text as the bytes they are."""
    with (
        written_beside(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows(itertools.chain([columns], rows))


def _named_columns(given: Sequence[str]) -> dict[Column, str]:
    kinds = {column.key: column for column in Column}
    named = {}
    for kind, name in said_pairs(given, "--columns", "image=NAME").items():
        if kind not in kinds:
            raise CancerNetError(f"--columns has {kind}={name}; choose from {', '.join(kinds)}")
        named[kinds[kind]] = name
    return named


def said_pairs(given: Sequence[str], flag: str, example: str) -> dict[str, str]:
    """Returns the pairs of a flag that takes `KEY=VALUE` several times.

    Raises:
        CancerNetError: one is not of that form, or a key has two values.
    """
    found: dict[str, str] = {}
    for each in given:
        key, equals, value = (part.strip() for part in each.rpartition("="))
        if not (key and equals and value):
            raise CancerNetError(f"{flag} has {each!r}, which is not of the form {example}")
        if found.setdefault(key, value) != value:
            raise CancerNetError(f"{flag} gives {key} twice, as {found[key]} and as {value}")
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.casefold())


def _decoded(content: bytes) -> str:
    # Excel writes UTF-16 where it is asked for Unicode text.
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig")


def _delimiter(heading: str, named: set[str]) -> str:
    usual = {_plain(name) for column in Column for name in column.value}
    usual |= {_plain(name) for name in named}

    def columns_found(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([heading], delimiter=delimiter), [])
        return sum(_plain(cell) in usual for cell in cells), len(cells)

    return max(DELIMITERS, key=columns_found)


def read_list(path: Path) -> list[str]:
    """Reads a text file in UTF-8 with one name a line; what follows a `#` does not count.

    Raises:
        CancerNetError: it cannot be read.
    """
    with _refusing(path, "list", "text file"):
        text = Path(path).read_text(encoding="utf-8-sig")
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


@contextlib.contextmanager
def _refusing(path: Path, what: str, kind: str) -> Iterator[None]:
    """Says in a sentence why a file cannot be read as one of this kind."""
    try:
        yield
    except FileNotFoundError:
        raise CancerNetError(f"there is no {what} {path}") from None
    except IsADirectoryError:
        raise CancerNetError(f"{path} is a folder, not a {kind}") from None
    except UnicodeDecodeError as error:
        raise CancerNetError(
            f"{path} is not a {kind} in UTF-8 ({error}); save it in UTF-8"
        ) from None
    except csv.Error as error:
        raise CancerNetError(f"{path} is not a {kind} in UTF-8 ({error})") from None
    except OSError as error:
        raise CancerNetError(f"{path} cannot be read ({error.strerror})") from None
