"""Scores one image, several, or whole folders with a trained run.

    python predict.py image.png
    python predict.py folder/ --csv predictions.csv
    python predict.py image.png --run output/my-run --json
    python predict.py images/test --list Testing_set.csv --csv predictions.csv
    python predict.py image.png --explain why/
    python predict.py image.png --figure titled.png
    python predict.py scan.png --run model.h5 --dataset busi --preprocessing unit
    python predict.py --slide patches/ scan.tif --output maps/

Without --run, the run in output/ that finished last is used. Research software,
not a medical device; not for diagnosis.
"""

from cancernet.commands.command_line import run
from cancernet.commands.predict import main

if __name__ == "__main__":
    run(lambda: main(__doc__))
