"""Whether every way to a prediction gives one number: Keras's, to 1e-5.

    python benchmarks/same_answer.py RUN [--patient NAME]

The testing patches of one patient are judged by Keras from `model.keras`, with the run's
calibration and its fit of context, and then in every way the program offers. The largest difference
of a probability is printed for each, alone and in context.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import keras
import numpy as np
import onnxruntime
from served import ROOT, free_port, running

from cancernet.context.judge import places_of
from cancernet.runs.run_folder import Run, open_run
from cancernet.scoring.predictor import prepare

SINGLY = 5  # patches that are named one by one
Found = dict[str, float]  # a patch's place on the slide to its probability of the positive class


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a finished run that judges in context")
    parser.add_argument("--patient", help="default: the testing patient with the most patches")
    arguments = parser.parse_args()
    run = open_run(arguments.run)
    rows = read_table(run.folder / "predictions.csv")
    patient = arguments.patient or Counter(row["patient"] for row in rows).most_common(1)[0][0]
    rows = [row for row in rows if row["patient"] == patient]
    data = Path(run.record.dataset.folder)
    paths = [data / row["path"] for row in rows]
    pixels = np.stack([prepared(run, path) for path in paths])
    alone, context = expected(run, paths, patient, pixels)
    print(f"{patient}: {len(paths)} patches\n\n| way | alone | in context |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, found_alone, found_context in ways(run, data, paths, rows, pixels, Path(folder)):
            cells = [
                f"{max(abs(found[name] - truth[name]) for name in found):.1e}" if found else "–"
                for found, truth in ((found_alone, alone), (found_context, context))
            ]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def place(name: str) -> str:
    found = re.search(r"x\d+_y\d+", name)
    assert found is not None, name
    return found[0]


def prepared(run: Run, path: Path) -> np.ndarray:
    return prepare(path, run.record.input).pixels.astype(np.float32)


def expected(run: Run, paths: list[Path], patient: str, pixels: np.ndarray) -> tuple[Found, Found]:
    """What Keras says: alone, and in context by the run's own fit."""
    model = keras.saving.load_model(run.folder / "model.keras", compile=False)
    raw = model.predict(pixels, batch_size=64, verbose=0)
    alone = run.calibration.apply(raw.astype(np.float64))[:, 1]
    names = [path.name for path in paths]
    places = places_of(names, [patient] * len(names), run.context.side)
    judged = run.context.judge(alone, places).probability
    keys = [place(name) for name in names]
    return dict(zip(keys, alone, strict=True)), dict(zip(keys, judged, strict=True))


def ways(
    run: Run, data: Path, paths: list[Path], rows: list[dict], pixels: np.ndarray, folder: Path
) -> Iterable[tuple[str, Found, Found]]:
    """Yields each way's name and what it says, alone and in context."""
    session = onnxruntime.InferenceSession(run.folder / "model.onnx")
    answers = np.concatenate([session.run(None, {"image": image[None]})[0] for image in pixels])
    corrected = run.calibration.apply(answers.astype(np.float64))[:, 1]
    yield (
        "model.onnx by itself",
        dict(zip([place(p.name) for p in paths], corrected, strict=True)),
        {},
    )
    yield "predictions.csv of the training", *from_table(rows)

    script("evaluate_model.py", "--run", run.folder, "--data", data, "--output", folder / "judged")
    judged = read_table(folder / "judged" / "predictions.csv")
    own = {path.name for path in paths}
    yield "evaluate_model.py", *from_table(r for r in judged if Path(r["path"]).name in own)

    few = paths[:: max(1, len(paths) // SINGLY)]
    each = {}
    for flags in (["--alone"], []):
        said = [script("predict.py", path, "--run", run.folder, "--json", *flags) for path in few]
        each[bool(flags)] = {
            place(path.name): json.loads(line)["probabilities"]["1"]
            for path, line in zip(few, said, strict=True)
        }
    yield "predict.py image.png", each[True], each[False]

    images = folder / "images"
    images.mkdir()
    for path in paths:
        (images / path.name).symlink_to(path.resolve())
    table = folder / "table.csv"
    script("predict.py", images, "--run", run.folder, "--csv", table)
    yield "predict.py folder/ --csv", *from_table(read_table(table))
    script("predict.py", "--slide", images, "--run", run.folder, "--output", folder / "maps")
    (slide,) = (folder / "maps").glob("slide-*.csv")
    yield "predict.py --slide", *from_table(read_table(slide))

    port = free_port()
    with running(["serve.py", "--run", run.folder, "--port", port], port):
        post = poster(port)
        yield (
            "API /predict",
            {place(p.name): post("predict", [p])["positive_probability"] for p in few},
            {},
        )
        batch = post("predict/batch", paths)["results"]
        yield (
            "API /predict/batch",
            {place(each["name"]): of_alone(each, "probabilities")["1"] for each in batch},
            {place(each["name"]): each["probabilities"]["1"] for each in batch},
        )
        patches = post("slide", paths)["patches"]
        yield (
            "API /slide",
            {place(each["name"]): of_alone(each, "probability") for each in patches},
            {place(each["name"]): each["probability"] for each in patches},
        )


def of_alone(answer: dict, entry: str) -> Any:
    """The entry of a patch by itself; a patch without neighbours has only that one."""
    return answer.get(f"alone_{entry}", answer[entry])


def script(name: str, *arguments: object) -> str:
    command = [sys.executable, str(ROOT / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
    return done.stdout


def poster(port: int) -> Callable[[str, list[Path]], dict]:
    def post(route: str, paths: list[Path]) -> dict:
        files = [("images", (path.name, path.read_bytes(), "image/png")) for path in paths]
        answer = httpx.post(f"http://127.0.0.1:{port}/{route}", files=files, timeout=120)
        return answer.raise_for_status().json()

    return post


def from_table(rows: Iterable[dict]) -> tuple[Found, Found]:
    alone, context = {}, {}
    for row in rows:
        name = place(row["path"] if "path" in row else f"x{row['x']}_y{row['y']}")
        context[name] = float(row.get("probability_1") or row["probability"])
        alone[name] = float(row.get("alone_probability_1") or row["alone_probability"])
    return alone, context


def read_table(path: Path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
