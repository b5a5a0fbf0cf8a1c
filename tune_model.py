"""Searches for settings with Optuna, judged on folds of whole patients; testing is not touched.

    python tune_model.py --search learning_rate=1e-4..1e-1:log batch_size=16,32,64
    python tune_model.py --recipe idc-cancernet --search epochs=4..20 --trials 30 --folds 5
    python tune_model.py --study postgresql://user@host/database --search …

The patients of training and validation are divided anew into folds. A trial trains a
network on each fold; its value is the mean over the folds, and a trial that falls behind
the median is pruned. The study is kept in a file, so that after Ctrl-C or a crash the same
command continues; with a PostgreSQL address several machines share it. The best settings
are written as a recipe for `train_model.py --recipe FILE`. Research software, not a
medical device; not for diagnosis.
"""

from cancernet.commands.command_line import run
from cancernet.commands.tune import main

if __name__ == "__main__":
    run(lambda: main(__doc__))
