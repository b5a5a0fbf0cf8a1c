"""What `--help` says of each command, before its flags."""

import shutil

from cancernet.base.console import SCRIPTS, install_extra, typed, wrapped
from cancernet.base.words import NOTICE

MOST_COLUMNS = 92

_TEXTS = {
    "build": """\
Splits a downloaded data set by patient, checks every file, and makes it ready to train on.

    {build} --sample
    {build}
    {build} --source DIR --output DIR --link hard
    {build} --split lists --split-lists TRAIN VAL TEST
    {build} --audit [DIR]
    {build} --dataset busi --source DIR
    {build} --dataset folder --source DIR \\
        --classes benign malignant --positive malignant \\
        --group-by '([^/]+)_[0-9]+\\.png$'

IDC, the default, comes from Kaggle (paultimothymooney/breast-histopathology-images,
277,524 patches of 279 patients); unpack it into datasets/original, or use --download.
docs/DATASETS.md has the others. The built set holds training, validation and testing
folders, manifest.csv, left_out.csv and build.json.
""",
    "train": """\
Trains a network on a built data set and leaves a run folder for `{predict}`.

    {train}
    {train} --data datasets/idc --run output/first --epochs 3
    {train} --resume
    {train} --folds 5
    {train} --list-recipes

A recipe is a named set of settings; every flag below changes one of them. The
operating point is chosen on validation, then testing is scored once.
""",
    "predict": """\
Scores one image, several, or whole folders with a trained run.

    {predict} image.png
    {predict} folder/ --csv predictions.csv
    {predict} image.png --run output/my-run --json
    {predict} images/test --list Testing_set.csv --csv predictions.csv
    {predict} image.png --explain why/
    {predict} image.png --figure titled.png
    {predict} a.png --run model.h5 --dataset busi --preprocessing unit
    {predict} --slide patches/ scan.tif --output maps/

Without --run, the run in output/ that finished last is used.
""",
    "evaluate": """\
Judges a finished run again: on other data, by groups of patients, or against another run.

    {evaluate} --run output/first --data DIR
    {evaluate} --run output/first --subgroups patients.csv
    {evaluate} --run output/first --prevalence 0.01
    {evaluate} --run output/first --rule sensitivity
    {evaluate} --compare output/first output/second
    {evaluate} --run model.h5 --data DIR \\
        --preprocessing unit --rule youden

DIR is a built data set, a folder with a manifest.csv, or a folder with one folder for
each class. The run keeps its calibration and operating point, and none of its files
change: the report goes into <run>/evaluations/<name>/. --rule chooses another operating
point on the run's stored validation predictions, never on the images that are judged:
`sensitivity` for screening, where a missed cancer is the worse error; `cost` where both
errors have a price; `youden` and `smoothed` to compare methods.
""",
    "tune": """\
Searches for settings with Optuna, judged on folds of whole patients; testing is not touched.

    {tune} --search learning_rate=1e-4..1e-1:log batch_size=16,32
    {tune} --search epochs=4..20 --trials 30 --folds 5
    {tune} --study postgresql://user@host/database --search …

The patients of training and validation are divided into new folds. A trial trains a
network on each fold; its value is the mean over the folds, and a trial that falls behind
the median is pruned. The study is kept in a file, so that after Ctrl-C or a crash the same
command continues; with a PostgreSQL address several machines share it. The best settings
are written as a recipe for `{train} --recipe FILE`.
""",
    "serve": """\
Serves a trained run: a page for people, an API for programs.

    {serve}
    {serve} --run output/my-run --port 8080
    CANCERNET_TOKEN=… {serve} --host 0.0.0.0

Needs {installed}. Without --run, the run that finished last in output/ is
served. The server listens on this machine only, unless --host names another address.
""",
}


def description(command: str) -> str:
    """Returns what a command does, with examples as this process was started."""
    commands = {name: typed(name) for name in SCRIPTS}
    text = _TEXTS[command].format(**commands, installed=install_extra("serve"))
    return f"{text.rstrip()} {NOTICE}\n"


def filled(text: str) -> str:
    """Returns a description whose paragraphs fit the screen; what is indented stays as it is."""
    width = min(shutil.get_terminal_size().columns, MOST_COLUMNS) - 2
    return "\n\n".join(
        part if part.startswith(" ") else wrapped(part, width) for part in text.split("\n\n")
    )
