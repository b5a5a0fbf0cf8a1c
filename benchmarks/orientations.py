"""What test-time augmentation gains and costs, on patients left out.

    python benchmarks/patients_left_out.py IDC_FOLDER --work DIR -- --test-time-augmentation none
    python benchmarks/orientations.py DIR [--runs 'run-idc-cancernet-[0-9]*']

Nothing is trained: the networks of finished runs, trained with `--test-time-augmentation none`,
judge their validation and testing patches in every orientation; the log odds are averaged, the
operating point is chosen anew on validation, and the patients left out are judged alone, as
`patients_left_out.py` judges them. The seconds are those of ONNX Runtime on one thread for
the testing patches, decoding left out.
"""

import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnxruntime
from finished_runs import finished_runs, parse_arguments
from judged import Found, Judged, print_differences, print_table

from cancernet.measures.calls import Calls
from cancernet.measures.decisions import rule_of
from cancernet.measures.operating_point import choose_operating_point
from cancernet.runs.run_record import Input
from cancernet.scoring.predictor import prepare

BATCH = 64
# As cancernet/models/preprocessing.py has them; a test holds those to NumPy.
KINDS = {"none": (0,), "turn": (0, 1), "quarter-turns": (0, 1, 2, 3), "symmetries": range(8)}


def main() -> None:
    arguments = parse_arguments(__doc__.splitlines()[0])
    found: Found = defaultdict(dict)
    for fold, run in finished_runs(arguments):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(run.folder / "model.onnx", options)
        data = arguments.work / f"data-{fold}"
        validation, _ = log_odds(session, data / "validation", run.record.input)
        testing, seconds = log_odds(session, data / "testing", run.record.input)
        (truth, patients), (tested, of) = names(data / "validation"), names(data / "testing")
        for kind, rows in KINDS.items():
            chosen, score = (odds[list(rows)].mean(axis=0) for odds in (validation, testing))
            calls = Calls(truth, sigmoid(chosen), 0.5, patients)
            point = choose_operating_point(calls, rule_of(run.record.config)).threshold
            judged = Judged(
                patients=of,
                truth=tested,
                score=score,
                called=sigmoid(score) >= point,
                cpu_seconds=seconds[list(rows)].sum(),
            )
            found[kind][fold, int(run.record.config["seed"])] = judged
    print_table(found, sorted(arguments.dense))
    print_differences(found, sorted(arguments.dense))


def paths_of(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.png"))


def names(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns truth and patient of every patch, from its name."""
    stems = [path.stem for path in paths_of(folder)]
    truth = np.array([int(stem.rsplit("_class", 1)[1]) for stem in stems])
    return truth, np.array([stem.split("_idx")[0] for stem in stems])


def log_odds(
    session: onnxruntime.InferenceSession, folder: Path, scaling: Input
) -> tuple[np.ndarray, np.ndarray]:
    """Returns log odds (8, n) of IDC in eight orientations, and seconds of each orientation."""
    pixels = np.stack([prepare(path, scaling).pixels for path in paths_of(folder)])
    turned = [np.rot90(pixels, turns, axes=(1, 2)) for turns in range(4)]
    found, seconds = [], []
    for images in (*turned, *(each[:, :, ::-1] for each in turned)):
        begin = time.thread_time()
        answers = [
            session.run(None, {"image": np.ascontiguousarray(images[at : at + BATCH], np.float32)})
            for at in range(0, len(images), BATCH)
        ]
        seconds.append(time.thread_time() - begin)
        odds = np.log(np.maximum(np.concatenate([answer[0] for answer in answers]), 1e-12))
        found.append(odds[:, 1] - odds[:, 0])
    return np.array(found), np.array(seconds)


def sigmoid(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))


if __name__ == "__main__":
    main()
