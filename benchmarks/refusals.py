"""How long every command takes to say what is wrong: folders, settings, weights, runs.

    python benchmarks/refusals.py DATA RUN [--rounds 3] [--json FILE]

DATA is a built data set and RUN a finished run. Each refusal is a process of its own that must
end with exit code 2. Nothing is written.
"""

import argparse
import sys
from pathlib import Path

from measured import ROOT, interleaved, median, write

REFUSED = """
app.py
build_dataset.py --source /nonexistent
build_dataset.py --source DATA --train-split 2
build_dataset.py --source DATA --output DATA/new
evaluate_model.py --run /nonexistent
evaluate_model.py --run RUN --data /nonexistent
evaluate_model.py --run RUN --threshold 0.3
predict.py image.png --run /nonexistent
predict.py /nonexistent.png --run RUN
predict.py DATA/testing --run DATA
serve.py --run /nonexistent
serve.py --run RUN --port 99999
train_model.py --data /nonexistent
train_model.py --data DATA --recipe nonsense
train_model.py --data DATA --epochs 0
train_model.py --data DATA --model nonsense
train_model.py --data DATA --dataset busi
train_model.py --data DATA --weights /nonexistent.keras
train_model.py --data DATA --model vgg16 --freeze no --fine-tune-epochs 2
train_model.py --data DATA --run RUN
train_model.py --data DATA --folds 1
train_model.py --data DATA --folds 999
train_model.py --data DATA --beside /nonexistent
train_model.py --resume --run /nonexistent
train_model.py --resume --run RUN
tune_model.py --data /nonexistent
tune_model.py --data DATA --search nonsense
tune_model.py --data DATA --search epochs=0..3
tune_model.py --data DATA --folds 999
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="a built data set")
    parser.add_argument("run", type=Path, help="a finished run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    arguments = parser.parse_args()
    data, run = str(arguments.data.resolve()), str(arguments.run.resolve())
    commands: dict[str, list[object]] = {}
    for line in REFUSED.strip().splitlines():
        script, *flags = line.split()
        named = [flag.replace("DATA", data).replace("RUN", run) for flag in flags]
        commands[line] = [sys.executable, ROOT / script, *named]
    costs = interleaved(commands, arguments.rounds, exit_code=2)
    found = {
        line: [median(each, "seconds"), median(each, "cpu_seconds")] for line, each in costs.items()
    }
    print("| what is refused | s | processor s |\n|---|---:|---:|")
    for line, (wall, processor) in found.items():
        print(f"| `{line}` | {wall:.2f} | {processor:.2f} |")
    write(arguments.json, {"refusals": found})


if __name__ == "__main__":
    main()
