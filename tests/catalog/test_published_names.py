"""BreakHis, BACH, mini-MIAS and INbreast: what names and tables say, and their drawn samples."""

from pathlib import Path, PurePosixPath

import pytest

from cancernet import catalog
from cancernet.building.build import build as make
from cancernet.building.settings import BuildSettings
from cancernet.catalog import Identity, LeftOut, Reason
from cancernet.catalog.mammograms import read_inbreast, read_mias
from cancernet.sample import clinics
from cancernet.sample.layouts import draw_sample
from tests.helpers.building_trees import left_out, manifest

MIAS = """MIAS MiniMammographic Database
1st column: MIAS database reference number. mdb001 is one.
REFNUM BG CLASS SEVERITY X Y RADIUS
mdb001 G CIRC B 535 425 197
mdb003 D NORM
mdb005 F CIRC B 477 133 30
mdb005 F CIRC B 500 168 26
mdb059 F CIRC B *NOTE 3*
mdb144 F MISC B 233 994 29
mdb144 F MISC M 313 540 27
mdb200 F MISC B 233 994 29
mdb200 F NORM
"""
INBREAST = """Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads
removed;removed;R;CC;201001;22678622;4;3
removed;removed;L;CC;201001;22678646;4;4a
removed;removed;L;MLO;200801;22678980;1;6
removed;removed;L;MLO;200801;22679008;1;
removed;removed;L;MLO;200801;;1;2
;;;;;;;
"""


@pytest.mark.parametrize(
    ("name", "path", "patient", "label"),
    [
        ("breakhis", "SOB_B_A-14-22549AB-40-001.png", "14-22549", "benign"),
        ("breakhis", "any/benign/SOB_B_A-14-22549CD-400-012.png", "14-22549", "benign"),
        ("breakhis", "fold1/train/100X/SOB_M_LC-14-13412-100-003.png", "14-13412", "malignant"),
        ("breakhis", "malignant/SOB_B_A-14-22549AB-40-001.png", None, Reason.CONTRADICTION),
        ("breakhis", "SOB_B_A-14-22549AB-50-001.png", None, Reason.BAD_NAME),
        ("bach", "Photos/InSitu/is007.tif", "InSitu/is007", "InSitu"),
        ("bach", "Photos/Normal/iv007.tif", None, Reason.CONTRADICTION),
        ("bach", "Photos/Benign/scan 7.tif", "Benign/scan 7", "Benign"),
        ("bach", "Photos/Benign/b007_mask.tif", None, Reason.MASK),
        ("bach", "Photos/test7.tif", None, Reason.NO_CLASS),
        ("mini-mias", "all-mias/mdb001.pgm", "mdb001-002", "mdb001"),
        ("mini-mias", "mdb002.pgm", "mdb001-002", "mdb002"),
        ("mini-mias", "MDB322.PGM", "mdb321-322", "mdb322"),
        ("mini-mias", "scan.pgm", None, Reason.BAD_NAME),
        ("inbreast", "AllDICOMs/22678622_61b13c59bcba149e_MG_R_CC_ANON.dcm", "61b13c59bcba149e",
         "22678622"),
        ("inbreast", "22678622.dcm", None, Reason.BAD_NAME),
        ("inbreast", "22678622_61b1_MG.dcm", "61b1", "22678622"),
        ("inbreast", "22678622_61b1_CT_R.dcm", None, Reason.BAD_NAME),
        ("inbreast", "scan_61b1_MG_R.dcm", None, Reason.BAD_NAME),
    ],
)  # fmt: skip
def test_what_a_path_says(name, path, patient, label):
    entry = catalog.dataset(name)
    if patient is not None:
        assert entry.identify(PurePosixPath(path)) == Identity(patient, label)
        return
    with pytest.raises(LeftOut) as left:
        entry.identify(PurePosixPath(path))
    assert left.value.reason is label


def test_the_tables_of_the_authors():
    assert read_mias(MIAS) == {
        "mdb001": "benign", "mdb003": "normal", "mdb005": "benign", "mdb059": "benign",
        "mdb144": "malignant", "mdb200": "benign",
    }  # fmt: skip
    commas = INBREAST.replace(";", ",").replace("\nremoved", "\nremoved;")
    for text in (INBREAST, commas, INBREAST.replace("\n", "\r\n")):
        assert read_inbreast(text) == {
            "22678622": "birads-1-3", "22678646": "birads-4-6", "22678980": "birads-4-6",
        }  # fmt: skip


def built(name: str, folder: Path, patients: int | None = None):
    draw_sample(name, folder / "original", patients=patients)
    return make(BuildSettings(dataset=name, source=folder / "original", output=folder / name))


def test_magnifications_and_blocks_of_a_specimen_stay_together(tmp_path):
    built("breakhis", tmp_path, patients=6)
    rows = manifest(tmp_path / "breakhis")
    assert len(rows) == 6 * 8 and len({row["patient"] for row in rows}) == 6
    for patient in {row["patient"] for row in rows}:
        own = [row for row in rows if row["patient"] == patient]
        assert len({row["split"] for row in own}) == 1
        assert {name for row in own for name in row["source"].split("/") if name[-1] == "X"} == {
            f"{magnification}X" for magnification in clinics.PIECES
        }


def test_films_are_read_with_their_table(tmp_path):
    outcome = built("mini-mias", tmp_path)
    rows = manifest(tmp_path / "mini-mias")
    assert len(rows) == 36 and outcome.facts.counts["training"].patients == 12
    assert {row["label"] for row in rows} == {"normal", "benign", "malignant"}
    assert all(row["path"].endswith(".pgm") for row in rows)
    (tmp_path / "original" / "all-mias" / "mdb901.pgm").rename(tmp_path / "mdb901.pgm")
    (tmp_path / "mdb901.pgm").rename(tmp_path / "original" / "mdb999.pgm")
    (tmp_path / "original" / "DRAWN.json").unlink()
    make(BuildSettings(dataset="mini-mias", source=tmp_path / "original", output=tmp_path / "b"))
    gone = left_out(tmp_path / "b")
    assert gone["mdb901"][0] is Reason.NO_FILE and gone["mdb999.pgm"][0] is Reason.NO_LABEL
    (tmp_path / "original" / "Info.txt").write_text("nothing")
    with pytest.raises(catalog.entry.CancerNetError, match=r"Info.txt is not the table of mini-m"):
        make(
            BuildSettings(dataset="mini-mias", source=tmp_path / "original", output=tmp_path / "b")
        )


def test_dicom_files_are_read_with_their_table(tmp_path):
    pytest.importorskip("pydicom", reason="DICOM files need the extra `dicom`")
    built("inbreast", tmp_path)
    rows = manifest(tmp_path / "inbreast")
    assert len(rows) == 36 and len({row["patient"] for row in rows}) == 18
    assert {row["label"] for row in rows} == {"birads-1-3", "birads-4-6"}


def test_pictures_of_one_slide_are_drawn_as_tiff(tmp_path):
    draw_sample("bach", tmp_path / "original", patients=1)
    names = sorted(path.name for path in (tmp_path / "original").rglob("*.tif"))
    assert names == ["n001.tif", "n002.tif", "n003.tif", "n004.tif"]
