"""Judges a finished run again: on other data, in groups of patients, or beside another run.

    python evaluate_model.py --run output/first --data DIR
    python evaluate_model.py --run output/first --subgroups patients.csv --prevalence 0.01
    python evaluate_model.py --run output/first --rule sensitivity --target-sensitivity 0.98
    python evaluate_model.py --compare output/first output/second

DIR is a built data set, a folder with a manifest.csv, or a folder with one folder for
each class. The run keeps its calibration and operating point, and none of its files
change: the report goes into <run>/evaluations/<name>/. --rule chooses another operating
point on the run's stored validation predictions, never on the images that are judged:
`sensitivity` for screening, where a missed cancer is the worse error; `cost` where both
errors have a price; `youden` and `smoothed` to compare methods. Research software, not a
medical device; not for diagnosis.
"""

from cancernet.commands.command_line import run
from cancernet.commands.evaluate import main

if __name__ == "__main__":
    run(lambda: main(__doc__))
