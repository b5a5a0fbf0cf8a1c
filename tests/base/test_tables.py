"""One reader for the tables that people make."""

import io
import zipfile

import pytest

from cancernet.base.errors import CancerNetError
from cancernet.base.tables import Column, read_list, read_table, said_pairs


def table_of(tmp_path, content: str | bytes, *columns, **flags):
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode("utf-8-sig") if isinstance(content, str) else content)
    return read_table(path, columns, **flags)


@pytest.mark.parametrize(
    "heading",
    [
        "filename,label", "Path, Label ", "LABEL,x,FileName", "image_id,Class",
        "Image File Path,x,pathology", '"file-name";"diagnosis"', "image\ttarget\tfoo",
        "img|category", "a, b;image;label (0, 1, 2);class",
    ],
)  # fmt: skip
def test_columns_are_found_by_any_of_their_usual_names(tmp_path, heading):
    table = table_of(tmp_path, f"{heading}\na,b,c\n")
    there = {table.need(Column.IMAGE), table.need(Column.LABEL)}
    assert len(there) == 2 and there <= set(range(len(table.columns)))
    assert table.find(Column.PATIENT) is None


@pytest.mark.parametrize(
    "name", ["patient", "patient_id", "PatientID", "Patient Name", "subject", "PID"]
)
def test_patients_are_found_by_any_of_their_usual_names(tmp_path, name):
    assert table_of(tmp_path, f"file,{name}\na,1\n").find(Column.PATIENT) == 1


@pytest.mark.parametrize(
    "content",
    [
        "path,label\r\na,b\r\n", "path;label\ra;b\r", 'path\tlabel\n"a"\tb\n',
        "sep=;\r\npath;label\r\na;b\r\n", "path,label\na,b\n".encode("utf-16"),
        b"\xfe\xff" + "path\tlabel\na\tb".encode("utf-16-be"),
    ],
)  # fmt: skip
def test_whatever_a_spreadsheet_writes_is_read(tmp_path, content):
    table = table_of(tmp_path, content)
    assert table.columns == ("path", "label")
    assert [list(row.cells) for row in table.rows] == [["a", "b"]]


def test_columns_that_a_person_names(tmp_path):
    table = table_of(tmp_path, "path,label;Datei;Fall\na;b;c\n", "image=datei", "patient=Fall")
    assert (table.find(Column.IMAGE), table.find(Column.PATIENT)) == (1, 2)
    with pytest.raises(CancerNetError) as refused:
        table_of(tmp_path, "path,label\na,b\n", "patient=Fall")
    assert str(refused.value) == (
        f"{table.path} has no column 'Fall', which --columns names; its first line names path, "
        "label"
    )
    loose = table_of(tmp_path, "path,patient\na,b\n", "patient=Fall", all_there=False)
    assert loose.find(Column.PATIENT) == 1
    with pytest.raises(CancerNetError, match="has case=Fall; choose from image, label, patient"):
        table_of(tmp_path, "path\na\n", "case=Fall")


def test_what_is_said_in_pairs():
    assert said_pairs(["a=b=c", " 0 = benign"], "--x", "K=V") == {"a=b": "c", "0": "benign"}
    for wrong in (["a"], ["=b"], ["a="]):
        with pytest.raises(CancerNetError, match="is not of the form K=V"):
            said_pairs(wrong, "--x", "K=V")
    with pytest.raises(CancerNetError, match="--x gives a twice, as 1 and as 2"):
        said_pairs(["a=1", "a=2"], "--x", "K=V")


def test_rows_have_a_cell_for_every_column_and_their_line(tmp_path):
    table = table_of(tmp_path, 'path,label,patient\r\n\r\n a ,1\r\n"two\nlines",0, p\r\n , ,\r\n')
    assert [(row.line, list(row.cells)) for row in table.rows] == [
        (3, ["a", "1", ""]),
        (5, ["two\nlines", "0", "p"]),
    ]


def zipped(name: str, content: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no column for the image, which is usually called path, .* line names none: "),
        ("name,label\n", "names name, label: say which one it is with --columns image=NAME"),
        ("path,Path\n", "two columns 'path'"),
        (b"path\n\xff\xfe\n", r"is not a CSV file in UTF-8 \(.*\); save it in UTF-8"),
        (zipped("xl/workbook.xml"), "is a spreadsheet; save it from there as CSV in UTF-8"),
        (zipped("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), "a spreadsheet"),
        (b"\xd0\xcf\x11\xe0\0W\0o\0r\0k\0b\0o\0o\0k\0", "is a spreadsheet; save it from there"),
        (zipped("labels.csv", "filename,label"), "is a ZIP archive; unpack it, and name the"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, content, said):
    with pytest.raises(CancerNetError, match=said):
        table_of(tmp_path, content).need(Column.IMAGE)


def test_missing_tables_are_refused(tmp_path):
    with pytest.raises(CancerNetError, match="there is no table"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(CancerNetError, match="is a folder"):
        read_table(tmp_path)


def test_a_table_keeps_its_path_columns_and_rows(tmp_path):
    table = table_of(tmp_path, "name,path,label\r\na,b,c\r\n")
    assert (table.path, table.columns) == (tmp_path / "t.csv", ("name", "path", "label"))
    assert [table.find(column) for column in Column] == [1, 2, None]
    with pytest.raises(CancerNetError) as refused:
        table.need(Column.PATIENT)
    assert str(refused.value) == (
        f"{table.path} has no column for the patient, which is usually called patient, patient_id, "
        "patient_name, subject, subject_id, pid; its first line names name, path, label: say which "
        "one it is with --columns patient=NAME"
    )


def test_of_two_names_of_a_column_the_first_that_is_there_counts(tmp_path):
    assert table_of(tmp_path, "filename,path\na,b\n").need(Column.IMAGE) == 1
    with pytest.raises(CancerNetError, match="two columns 'filename'"):
        table_of(tmp_path, "filename,File_name\n").find(Column.IMAGE)


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
