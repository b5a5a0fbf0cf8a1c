"""Trains a network on a built data set and leaves a run folder that predict.py uses.

    python train_model.py
    python train_model.py --data datasets/idc --run output/first --epochs 3
    python train_model.py --resume
    python train_model.py --folds 5
    python train_model.py --list-recipes

A recipe is a named set of settings; every flag below changes one of them. The
operating point is chosen on validation, then testing is scored once. Research
software, not a medical device; not for diagnosis.
"""

from cancernet.commands.command_line import run
from cancernet.commands.train import main

if __name__ == "__main__":
    run(lambda: main(__doc__))
