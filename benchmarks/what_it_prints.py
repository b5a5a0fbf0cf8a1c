"""Prints what the commands say to each kind of folder, table, file and model that people have.

    python benchmarks/what_it_prints.py

A row a kind: what it is, what the command prints of it now (drawn and written here, called in this
process), and the test that holds it. The exit code is 1 where a command prints something else than
was meant, or a test that is named does not exist. Files made by other libraries than those that
read them need tifffile and OpenCV; the Keras file is of `tests/scoring/keras_2`, by tf_keras.
"""

import contextlib
import io
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import tifffile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cancernet.commands import build, command_line, evaluate, predict
from cancernet.sample.clinics import dicom_bytes
from tests.conftest import write_tiny_run
from tests.helpers.evaluation_examples import finished_run

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {"build": build, "predict": predict, "evaluate": evaluate}
OWN = "--dataset folder --classes benign malignant --positive malignant"
DRAW = np.random.default_rng(6)


def says(command: str, words: str, meant: str) -> str:
    """Calls a command and returns the line of its output that holds `meant`."""
    content = io.BytesIO()
    output = io.TextIOWrapper(content, encoding="utf-8", write_through=True)
    sys.argv = [f"{command}.py", *words.split()]
    quiet = contextlib.redirect_stdout(output), contextlib.redirect_stderr(output)
    with quiet[0], quiet[1], contextlib.suppress(SystemExit):
        command_line.run(COMMANDS[command].main)
    lines = [" ".join(line.split()) for line in content.getvalue().decode().splitlines()]
    found = next((line for line in lines if meant in line), "")
    return found or f"WRONG: no “{meant}” in: {' / '.join(lines)[-300:]}"


def patches(place: Callable[[int], str]) -> None:
    """Writes 48 patches of eight patients; `place` gives a folder for a class."""
    for number in range(48):
        label = number % 2
        name = f"{900 + number // 6}_idx5_x{50 * number + 1}_y1_class{label}.png"
        write(f"patches/{place(label)}/{name}", DRAW.integers(0, 256, (50, 50, 3)))


def write(path: str, pixels: np.ndarray) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(path, pixels.astype(np.uint16 if pixels.max() > 255 else np.uint8))


def scans() -> None:
    """Writes 32 scans of eight patients, four each, whose table has to say what they are."""
    for number in range(32):
        write(f"scans/p{number // 4}/{number}.png", DRAW.integers(0, 256, (40, 40)))


def table(name: str, heading: str, row: Callable[[int], str]) -> None:
    lines = [heading, *(row(number) for number in range(32))]
    Path(name).write_text("\r\n".join(lines) + "\r\n", encoding="utf-8-sig")


def labels_of(number: int) -> str:
    return "malignant" if number // 4 % 2 else "benign"


def names_in_any_folder() -> str:
    patches(lambda label: ("No-Cancer", "Cancer")[label])
    return says("build", "--source patches --output set", "all ")


def folders_against_names() -> str:
    patches(lambda label: ("Cancer", "No-Cancer")[label])
    return says("build", "--source patches --output set", "folder and file name disagree")


def external_data() -> str:
    patches(lambda label: ("No-Cancer", "Cancer")[label])
    finished_run(Path("run"))
    return says("evaluate", "--run run --data patches --alone", "Testing: ")


def a_table() -> str:
    scans()
    table("t.csv", "Filename;class;patient_id", lambda n: f'"{n}.png";{labels_of(n)};{n // 4}')
    return says("build", f"{OWN} --source scans --table t.csv --output set", "all ")


def other_columns() -> str:
    scans()
    table("t.csv", "Datei\tBefund\tFall", lambda n: f"{n}.png\t{n // 4 % 2}\t{n // 4}")
    named = "--columns image=Datei label=Befund patient=Fall --labels 0=benign 1=malignant"
    return says("build", f"{OWN} --source scans --table t.csv {named} --output set", "all ")


def ids_of_pandas() -> str:
    scans()
    spelled = ("{}", "{}.0", "00{}", " {}")
    table("t.csv", "image,label,patient",
          lambda n: f"{n}.png,{labels_of(n)},{spelled[n % 4].format(n // 4)}")  # fmt: skip
    return says("build", f"{OWN} --source scans --table t.csv --output set", "one patient")


def foreign_paths() -> str:
    scans()
    front = "C:\\Users\\me\\scans\\p"
    table("t.csv", "image,label,patient",
          lambda n: f"{front}{n // 4}\\{n}.png,{labels_of(n)},{n // 4}")  # fmt: skip
    return says("build", f"{OWN} --source scans --table t.csv --output set", "all ")


def two_tables() -> str:
    scans()
    table("t.csv", "image_id;class", lambda n: f"{n if n else 'gone'};{labels_of(n)}")
    table("p.csv", "patient_id,image_path", lambda n: f"{n // 4},D:/pacs/p{n // 4}/{n}")
    flags = f"{OWN} --source scans --table t.csv --patient-table p.csv --output set"
    return says("build", flags, "named by a table")


def twelve_bits() -> str:
    write("deep.png", DRAW.integers(0, 4081, (48, 48)))
    return predicted("deep.png", "12 bits")


def dicom() -> str:
    content = dicom_bytes(DRAW.integers(0, 256, (48, 48)).astype(np.uint8), patient="", note="x")
    Path("1.2.840.113619").write_bytes(content)
    return predicted("1.2.840.113619", "1.2.840.113619: ")


def wrong_suffix() -> str:
    found, content = cv2.imencode(".webp", DRAW.integers(0, 256, (48, 48, 3)).astype(np.uint8))
    assert found
    Path("scan.jpg").write_bytes(content.tobytes())
    return predicted("scan.jpg", "suffix")


def drawn(dataset: str) -> Callable[[], str]:
    return lambda: says("build", f"--dataset {dataset} --source b --output set --sample", "all ")


def predicted(name: str, meant: str = ": IDC (class 1)") -> str:
    write_tiny_run(Path("run"))
    return says("predict", f"{name} --run run", meant)


def encoded(suffix: str) -> Callable[[], str]:
    """A picture in a format that OpenCV writes."""

    def call() -> str:
        shape = (48, 48) if suffix == ".pgm" else (48, 48, 3)
        found, content = cv2.imencode(suffix, DRAW.integers(0, 256, shape).astype(np.uint8))
        assert found
        Path(f"scan{suffix}").write_bytes(content.tobytes())
        return predicted(f"scan{suffix}")

    return call


def tiff(**options: object) -> Callable[[], str]:
    """A BigTIFF by tifffile: a thumbnail first, then a pyramid."""

    def call() -> str:
        picture = DRAW.integers(0, 256, (256, 256, 3)).astype(np.uint8)
        with tifffile.TiffWriter("slide.tif", bigtiff=True) as file:
            file.write(picture[::16, ::16], photometric="rgb")
            file.write(picture, tile=(64, 64), subifds=1, **options)
            file.write(picture[::2, ::2], tile=(64, 64), subfiletype=1, **options)
        return predicted("slide.tif")

    return call


def in_one_folder() -> str:
    patches(lambda label: "")
    return says("build", "--source patches --output set", "all ")


def tutorial_tree() -> str:
    """Patches divided at random; a patient of two parts comes into one."""
    patches(lambda label: f"{DRAW.choice(['training', 'testing'])}/{label}")
    said = says("build", "--source patches --output set", "all ")
    rows = Path("set/manifest.csv").read_text().splitlines()[1:]
    torn = {(row.split(",")[2], row.split(",")[4]) for row in rows}
    return f"{said}; {len(torn)} pairs of patient and split" if len(torn) == 8 else f"WRONG: {torn}"


def class_columns() -> str:
    scans()
    marks = {"benign": "1,0", "malignant": "0,1"}
    table("t.csv", "filename,benign,malignant", lambda n: f"{n}.png,{marks[labels_of(n)]}")
    return says("build", f"{OWN} --source scans --table t.csv --output set", "all ")


def converted() -> str:
    scans()
    table("t.csv", "image,label,patient", lambda n: f"{n}.dcm,{labels_of(n)},{n // 4}")
    return says("build", f"{OWN} --source scans --table t.csv --output set", "suffixes")


def spreadsheet() -> str:
    scans()
    with zipfile.ZipFile("t.xlsx", "w") as file:
        for name in ("[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"):
            file.writestr(name, "<xml/>")
    return says("build", f"{OWN} --source scans --table t.xlsx --output set", "spreadsheet")


def copies() -> str:
    patches(lambda label: str(label))
    for folder in (".ipynb_checkpoints", "@eaDir"):
        write(f"patches/0/{folder}/900_idx5_x1_y51_class0.png", DRAW.integers(0, 256, (50, 50, 3)))
    return says("build", "--source patches --output set", "hidden")


def largest_page() -> str:
    with tifffile.TiffWriter("pages.tif") as file:
        for side in (20, 64):
            file.write(DRAW.integers(0, 256, (side, side)).astype(np.uint8))
    return predicted("pages.tif", "largest")


def floating_point() -> str:
    tifffile.imwrite("float.tif", DRAW.normal(0, 900, (48, 48)).astype(np.float32))
    return predicted("float.tif", "floating-point")


def keras_2() -> str:
    write("scan.png", DRAW.integers(0, 256, (8, 8, 3)))
    named = ROOT / "tests" / "scoring" / "keras_2" / "tutorial.h5"
    return says("predict", f"scan.png --run {named} --dataset busi --preprocessing unit", "probab")


def own_classes() -> str:
    write("scan.png", DRAW.integers(0, 256, (8, 8, 3)))
    said = "--classes normal benign cancer --positive cancer --preprocessing unit"
    named = ROOT / "tests" / "scoring" / "keras_2"
    files = f"{named / 'network.json'} --weights {named / 'network_weights.h5'}"
    return says("predict", f"scan.png --run {files} {said}", "in this order")


def onnx_alone() -> str:
    write("scan.png", DRAW.integers(0, 256, (48, 48, 3)))
    write_tiny_run(Path("run"))
    Path("run/model.onnx").rename("theirs.onnx")
    said = "--dataset idc --preprocessing inside"
    return says("predict", f"scan.png --run theirs.onnx {said}", "in this order")


def saved_model() -> str:
    Path("theirs").mkdir()
    Path("theirs/saved_model.pb").touch()
    return says("predict", "scan.png --run theirs", "tf2onnx")


def tflite() -> str:
    Path("m.tflite").touch()
    return says("predict", "scan.png --run m.tflite", "tf2onnx")


ROWS = [
    (names_in_any_folder, "IDC patches by their names in any folder",
     "test_folders_names_lists_and_subgroups_mean_one_patient"),
    (in_one_folder, "all of them in one folder", "test_names_in_folders_that_others_made"),
    (tutorial_tree, "as the tutorial's build left them", "test_from_the_files_to_an_evaluation"),
    (copies, "copies in `.ipynb_checkpoints` and `@eaDir`",
     "test_what_is_no_image_is_found_and_named"),
    (folders_against_names, "folders that contradict the names",
     "test_a_folder_that_says_otherwise_than_the_name"),
    (external_data, "the same as external data", "test_folders_of_external_data_mean_one_patient"),
    (a_table, "a table with `;`, BOM, CRLF and quotes",
     "test_whatever_a_spreadsheet_writes_is_read"),
    (other_columns, "columns and labels of other names",
     "test_labels_as_numbers_or_in_other_words"),
    (class_columns, "a column for every class", "test_a_column_for_every_class"),
    (converted, "`.dcm` in the table, `.png` in the folder",
     "test_converted_files_count_without_their_suffixes_where_no_name_fits"),
    (spreadsheet, "a spreadsheet", "test_wrong_tables_are_refused"),
    (ids_of_pandas, "ids `7`, `7.0`, `007`, ` 7`", "test_nobody_is_on_two_sides_by_any_spelling"),
    (foreign_paths, "paths of another machine", "test_paths_of_other_machines"),
    (two_tables, "labels and patients in two tables",
     "test_what_has_no_partner_is_said_counted_and_listed"),
    (twelve_bits, "12 bits in a 16-bit PNG",
     "test_the_same_picture_in_any_depth_is_the_picture_in_8_bits"),
    (dicom, "a DICOM file without `.dcm`",
     "test_files_without_a_suffix_are_known_by_their_content"),
    (wrong_suffix, "WebP called `.jpg`", "test_the_same_pixels_in_every_format_whatever_the_name"),
    *((encoded(suffix), f"`{suffix}` by OpenCV",
       "test_the_same_pixels_in_every_format_whatever_the_name")
      for suffix in (".pgm", ".ppm", ".webp", ".jp2", ".gif")),
    (drawn("breakhis"), "BreakHis", "test_magnifications_and_blocks_of_a_specimen_stay_together"),
    (drawn("bach"), "BACH", "test_pictures_of_one_slide_are_drawn_as_tiff"),
    (drawn("mini-mias"), "mini-MIAS with its table, as PGM",
     "test_films_are_read_with_their_table"),
    (drawn("inbreast"), "INbreast with its table, as DICOM",
     "test_dicom_files_are_read_with_their_table"),
    (tiff(compression="zstd", photometric="rgb"), "BigTIFF, zstd, thumbnail first, pyramid",
     "test_of_a_tiff_the_largest_page_counts"),
    (tiff(compression="jpeg", photometric="ycbcr"), "the same in JPEG as YCbCr",
     "test_a_large_image_gives_the_same_map_however_stored"),
    (largest_page, "a TIFF with a thumbnail first", "test_of_a_tiff_the_largest_page_counts"),
    (floating_point, "a TIFF of other floating-point values",
     "test_floating_point_that_is_not_read_is_called_so"),
    (keras_2, "a CancerNet of Keras 2", "test_a_model_of_keras_2_answers_as_it_did"),
    (own_classes, "`model.json` and weights, classes of their own",
     "test_the_tutorials_reader_names_classes_and_scaling_on_the_command_line"),
    (onnx_alone, "ONNX", "test_the_command_takes_it_and_evaluation_says_what_it_lacks"),
    (saved_model, "a SavedModel", "test_other_forms_are_refused_with_a_way_out"),
    (tflite, "TFLite", "test_other_forms_are_refused_with_a_way_out"),
]  # fmt: skip


def main() -> int:
    wrong = 0
    print("| what people have | what it prints now | test |\n|---|---|---|")
    tests = {
        name: file.relative_to(ROOT)
        for file in sorted((ROOT / "tests").rglob("test_*.py"))
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    for call, what, name in ROWS:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            printed = call()
        if name not in tests:
            printed = f"WRONG: there is no test {name}"
        wrong += printed.startswith("WRONG")
        print(f"| {what} | {printed.replace('|', ' ')} | `{tests.get(name)}::{name}` |", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
