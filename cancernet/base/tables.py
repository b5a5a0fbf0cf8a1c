"""Reads CSV tables and lists that people made: labels, splits, subgroups."""

import contextlib
import csv
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from cancernet.base.errors import CancerNetError

# What the column with the file's name may be called.
FILE = ("path", "filename")
LABEL = ("label",)
PATIENT = ("patient",)


@dataclasses.dataclass(frozen=True)
class Row:
    """One row: its line in the file, and a cell for every column, without outer blanks."""

    line: int
    cells: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Table:
    """A CSV table: the columns as its heading names them, and the rows that are not empty."""

    path: Path
    columns: tuple[str, ...]
    rows: list[Row]

    def find(self, names: Sequence[str]) -> int | None:
        """Returns the place of the column of one of these names, in any case; None if none.

        Raises:
            CancerNetError: several columns have that name.
        """
        folded = [column.casefold() for column in self.columns]
        for name in names:
            if folded.count(name) > 1:
                raise CancerNetError(f"{self.path} has two columns {name!r}; name them differently")
            if name in folded:
                return folded.index(name)
        return None

    def need(self, names: Sequence[str]) -> int:
        """Returns the place of the column of one of these names, in any case.

        Raises:
            CancerNetError: there is none, or several.
        """
        place = self.find(names)
        if place is None:
            called = " or ".join(f"`{name}`" for name in names)
            raise CancerNetError(
                f"{self.path} has no column {called}; its first line must name the columns, and "
                f"names {', '.join(self.columns) or 'none'}"
            )
        return place


def read_table(path: Path) -> Table:
    """Reads a CSV file in UTF-8 whose first line names the columns.

    Raises:
        CancerNetError: it cannot be read.
    """
    with _refusing(path, "table", "CSV file"), open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        columns = tuple(name.strip() for name in next(reader, []))
        rows = []
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                cells += [""] * (len(columns) - len(cells))
                rows.append(Row(reader.line_num, cells))
    return Table(path, columns, rows)


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
    except (UnicodeDecodeError, csv.Error) as error:
        raise CancerNetError(f"{path} is not a {kind} in UTF-8 ({error})") from None
    except OSError as error:
        raise CancerNetError(f"{path} cannot be read ({error.strerror})") from None


def plain_path(name: str) -> str:
    """Returns a file's name in a table with `/` and without `./` in front."""
    return name.replace("\\", "/").removeprefix("./")
