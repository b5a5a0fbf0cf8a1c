"""Wrong uses of the programs, and a program that tries them one after another in one process."""

# name -> (script, flags); run in a folder that holds the golden pictures and builds.
REFUSALS: dict[str, tuple[str, list[str]]] = {
    "build-unknown-flag": ("build_dataset.py", ["--nonsense"]),
    "build-unknown-dataset": ("build_dataset.py", ["--dataset", "nonsense"]),
    "build-no-source": ("build_dataset.py", ["--source", "no-such-folder"]),
    "build-source-is-a-file": ("build_dataset.py", ["--source", "labels.csv"]),
    "build-without-images": ("build_dataset.py", ["--source", "empty", "--output", "new"]),
    "build-output-inside": (
        "build_dataset.py", ["--source", "idc-original", "--output", "idc-original/new"]),
    "build-output-of-others": (
        "build_dataset.py", ["--source", "idc-original", "--output", "clinic"]),
    "build-lists-missing": (
        "build_dataset.py", ["--source", "idc-original", "--split", "lists"]),
    "build-two-lists": ("build_dataset.py", ["--split-lists", "a.txt", "b.txt"]),
    "build-leaks": (
        "build_dataset.py", ["--source", "idc-original", "--output", "new", "--split", "image"]),
    "build-not-shipped": (
        "build_dataset.py", ["--source", "idc-original", "--output", "new", "--split", "shipped"]),
    "build-share": ("build_dataset.py", ["--source", "idc-original", "--train-split", "2"]),
    "build-seed": ("build_dataset.py", ["--source", "idc-original", "--seed", "-1"]),
    "build-folder-without-classes": (
        "build_dataset.py", ["--dataset", "folder", "--source", "clinic"]),
    "build-positive-unknown": (
        "build_dataset.py",
        ["--dataset", "folder", "--source", "clinic", "--classes", "0", "1", "--positive", "2"]),
    "build-pattern": (
        "build_dataset.py",
        ["--dataset", "folder", "--source", "clinic", "--classes", "0", "1", "--positive", "1",
         "--group-by", "("]),
    "build-no-table": (
        "build_dataset.py",
        ["--dataset", "folder", "--source", "scans", "--classes", "no", "yes", "--positive", "yes",
         "--table", "no-such.csv", "--output", "new"]),
    "build-masks-of-idc": (
        "build_dataset.py", ["--source", "idc-original", "--include-masks"]),
    "build-workers": ("build_dataset.py", ["--source", "idc-original", "--workers", "2"]),
    "audit-no-folder": ("build_dataset.py", ["--audit", "no-such-folder"]),
    "audit-by-content": ("build_dataset.py", ["--audit", "clinic", "--group-by", "content"]),
    "train-unknown-recipe": ("train_model.py", ["--recipe", "nonsense"]),
    "train-epochs": ("train_model.py", ["--data", "datasets/idc", "--epochs", "0"]),
    "train-rate": ("train_model.py", ["--data", "datasets/idc", "--learning-rate", "nan"]),
    "train-finish-alone": ("train_model.py", ["--finish"]),
    "train-status-of-nothing": ("train_model.py", ["--status", "no-such-run"]),
    "predict-nothing": ("predict.py", []),
    "predict-without-runs": ("predict.py", ["clinic"]),
    "predict-no-run": ("predict.py", ["clinic", "--run", "no-such-run"]),
    "predict-method-alone": ("predict.py", ["clinic", "--method", "grad-cam"]),
    "predict-output-alone": ("predict.py", ["clinic", "--output", "maps"]),
    "evaluate-nothing": ("evaluate_model.py", []),
    "evaluate-no-run": ("evaluate_model.py", ["--run", "no-such-run"]),
    "evaluate-compare-nothing": ("evaluate_model.py", ["--compare", "one", "other"]),
    "tune-trials": ("tune_model.py", ["--trials", "0"]),
    "tune-search": ("tune_model.py", ["--search", "nonsense"]),
    "serve-no-run": ("serve.py", ["--run", "no-such-run"]),
    "serve-port": ("serve.py", ["--port", "99999"]),
}  # fmt: skip

# The same for what needs a finished run, or loads TensorFlow before it refuses; the first is
# no refusal.
WITH_A_RUN: dict[str, tuple[str, list[str]]] = {
    "train-status": ("train_model.py", ["--status", "output/golden"]),
    "train-unknown-model": ("train_model.py", ["--data", "datasets/idc", "--model", "nonsense"]),
    "train-other-dataset": ("train_model.py", ["--data", "datasets/idc", "--dataset", "busi"]),
    "train-no-data": ("train_model.py", ["--data", "no-such-folder"]),
    "train-not-built": ("train_model.py", ["--data", "clinic"]),
    "train-one-fold": ("train_model.py", ["--data", "datasets/idc", "--folds", "1"]),
    "train-nothing-to-resume": ("train_model.py", ["--resume", "--run", "no-such-run"]),
    "train-over-a-run": ("train_model.py", ["--data", "datasets/idc", "--run", "output/golden"]),
    "train-resume-finished": ("train_model.py", ["--resume", "--run", "output/golden"]),
    "predict-no-image": ("predict.py", ["no-such.png", "--run", "output/golden"]),
    "predict-damaged-image": ("predict.py", ["clinic/1/broken.png", "--run", "output/golden"]),
    "predict-some-damaged": (
        "predict.py", ["clinic/1/broken.png", "clinic/1/901_idx5_x51_y1_class1.png", "--run",
                       "output/golden"]),
    "predict-empty-folder": ("predict.py", ["empty", "--run", "output/golden"]),
    "predict-altered-run": ("predict.py", ["clinic", "--run", "altered"]),
    "evaluate-rule": ("evaluate_model.py", ["--run", "output/golden", "--threshold", "0.3"]),
    "evaluate-split": (
        "evaluate_model.py", ["--run", "output/golden", "--data", "clinic", "--split", "testing"]),
    "evaluate-no-groups": (
        "evaluate_model.py", ["--run", "output/golden", "--subgroups", "no-such.csv"]),
    "evaluate-other-classes": (
        "evaluate_model.py", ["--run", "output/golden", "--data", "datasets/busi"]),
    "evaluate-prevalence": ("evaluate_model.py", ["--run", "output/golden", "--prevalence", "2"]),
}  # fmt: skip

# Imports nothing of the package but what the scripts at the root import themselves.
RUNNER = """
import contextlib, io, json, runpy, sys
root, cases = sys.argv[1], json.load(sys.stdin)
sys.path.insert(0, root)
found = {}
for name, (script, flags) in cases.items():
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    sys.argv, code = [script, *flags], 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(f"{root}/{script}", run_name="__main__")
        except SystemExit as end:
            code = end.code
    out.flush(), err.flush()
    found[name] = [code, out.buffer.getvalue().decode(), err.buffer.getvalue().decode()]
print(json.dumps(found))
"""

# The same, and figures stay empty; in a training they take a third of the time.
UNDRAWN = f"""
import sys
sys.path.insert(0, sys.argv[1])
from tests.helpers.reworded import draw_nothing
draw_nothing()
{RUNNER}"""
