"""One reader for the tables that people make."""

import pytest

from cancernet.base.errors import CancerNetError
from cancernet.base.tables import FILE, LABEL, PATIENT, plain_path, read_table


def table_of(tmp_path, content: str | bytes):
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode("utf-8-sig") if isinstance(content, str) else content)
    return read_table(path)


@pytest.mark.parametrize("heading", ["filename,label", "Path, Label ", "LABEL,x,FileName"])
def test_columns_are_found_by_any_of_their_names_in_any_case(tmp_path, heading):
    table = table_of(tmp_path, f"{heading}\na,b,c\n")
    assert {table.need(FILE), table.need(LABEL)} <= {0, 1, 2} and table.find(PATIENT) is None


def test_rows_have_a_cell_for_every_column_and_their_line(tmp_path):
    table = table_of(tmp_path, 'path,label,patient\r\n\r\n a ,1\r\n"two\nlines",0, p\r\n , ,\r\n')
    assert [(row.line, list(row.cells)) for row in table.rows] == [
        (3, ["a", "1", ""]),
        (5, ["two\nlines", "0", "p"]),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no column `path` or `filename`; .* and names none"),
        ("name,label\n", "and names name, label"),
        ("path,Path\n", "two columns 'path'"),
        (b"path\n\xff\xfe\n", "is not a CSV file in UTF-8"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, content, said):
    with pytest.raises(CancerNetError, match=said):
        table_of(tmp_path, content).need(FILE)


def test_missing_tables_are_refused(tmp_path):
    with pytest.raises(CancerNetError, match="there is no table"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(CancerNetError, match="is a folder"):
        read_table(tmp_path)


def test_names_of_files_have_slashes():
    assert plain_path(".\\a\\b.png") == plain_path("./a/b.png") == "a/b.png"
