"""One reader for the tables that people make."""

import pytest

from cancernet.base.errors import CancerNetError
from cancernet.base.tables import FILE, LABEL, PATIENT, plain_path, read_list, read_table


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


def test_a_table_keeps_its_path_columns_and_rows(tmp_path):
    table = table_of(tmp_path, "name,path,label\r\na,b,c\r\n")
    assert (table.path, table.columns) == (tmp_path / "t.csv", ("name", "path", "label"))
    assert (table.find(FILE), table.find(LABEL), table.find(PATIENT)) == (1, 2, None)
    with pytest.raises(CancerNetError) as refused:
        table.need(PATIENT)
    assert str(refused.value) == (
        f"{table.path} has no column `patient`; its first line must name the columns, and names "
        "name, path, label"
    )


def test_of_two_names_of_a_column_the_first_that_is_there_counts(tmp_path):
    assert table_of(tmp_path, "filename,path\na,b\n").need(FILE) == 1
    with pytest.raises(CancerNetError, match="two columns 'filename'"):
        table_of(tmp_path, "filename,Filename\n").find(FILE)


def test_a_row_may_have_more_cells_than_columns_and_an_empty_table_has_no_rows(tmp_path):
    (row,) = table_of(tmp_path, "path\na,b,\n").rows
    assert list(row.cells) == ["a", "b", ""]
    assert table_of(tmp_path, "").rows == [] and table_of(tmp_path, "").columns == ()


def test_a_list_is_a_name_a_line_without_comments(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeff a b \r\n\r\n# all\r\nc # d # e\r\n#\r\nä".encode())
    assert read_list(path) == ["a b", "c", "ä"]


@pytest.mark.parametrize(
    ("read", "what", "kind"), [(read_table, "table", "CSV file"), (read_list, "list", "text file")]
)
def test_what_cannot_be_read_is_said(tmp_path, read, what, kind):
    broken = tmp_path / "broken"
    broken.write_bytes(b"path\n\xff\n")
    long = tmp_path / ("n" * 300)
    for path, words in (
        (tmp_path / "none", f"there is no {what} {tmp_path / 'none'}"),
        (tmp_path, f"{tmp_path} is a folder, not a {kind}"),
        (broken, f"{broken} is not a {kind} in UTF-8 ("),
        (long, f"{long} cannot be read (File name too long)"),
    ):
        with pytest.raises(CancerNetError) as refused:
            read(path)
        assert str(refused.value).startswith(words)


def test_an_endless_cell_is_refused(tmp_path):
    with pytest.raises(CancerNetError, match=r"is not a CSV file in UTF-8 \(field larger"):
        table_of(tmp_path, 'path\n"' + "a" * 200_000)


def test_only_a_dot_in_front_is_taken_off():
    assert plain_path("a/./b/.c.png") == "a/./b/.c.png" and plain_path("../a") == "../a"
