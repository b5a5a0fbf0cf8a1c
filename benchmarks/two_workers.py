"""Two workers on this machine against one process: weights, speed, and a worker that is lost.

    python benchmarks/two_workers.py differences
    python benchmarks/two_workers.py speed
    python benchmarks/two_workers.py lost

Each draws and builds a small sample. `differences` trains CancerNet and a network without batch
statistics (simple-cnn) for 1 and for 24 steps, in one process and in two workers with half of each
batch, in float32, and prints the largest difference of a weight. `speed` prints the images/s of
training epochs of one process on one core, of one on two, and of two workers on a core each.
`lost` kills a worker in the second epoch, times how long the other goes on, and resumes alone.
"""

import argparse
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from drawn import built_sample

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

BATCH = 32
PLAIN = ["--precision", "float32", "--seed", "3", "--batch-size", str(BATCH)]


def command(data: Path, run: Path, *flags: str) -> list[str]:
    return [sys.executable, "train_model.py", "--data", str(data), "--run", str(run), *flags]


def start(command: list[str], *, cores: set[int], workers: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if workers:
        environment["TF_CONFIG"] = workers
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )  # fmt: skip


def start_two(command: list[str]) -> list[subprocess.Popen[str]]:
    """Two workers that know of each other, each on a core of its own where there are two."""
    free = [socket.socket() for _ in range(2)]
    for each in free:
        each.bind(("127.0.0.1", 0))
    hosts = [f"127.0.0.1:{each.getsockname()[1]}" for each in free]
    for each in free:
        each.close()
    cores = sorted(os.sched_getaffinity(0))
    return [
        start(
            command,
            cores={cores[index % len(cores)]},
            workers=json.dumps(
                {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
            ),
        )
        for index in range(2)
    ]


def end(processes: list[subprocess.Popen[str]]) -> str:
    """Waits for all; returns what the first said, and leaves when one failed."""
    said = [process.communicate()[0] for process in processes]
    for process, text in zip(processes, said, strict=True):
        if process.returncode:
            sys.exit(f"a training failed:\n{text[-2000:]}")
    return said[0]


def weights_of(run: Path) -> list[np.ndarray]:
    import keras

    return keras.saving.load_model(run / "model.keras", compile=False).get_weights()


def differences(data: Path, work: Path) -> None:
    """Largest difference of a weight against one process."""
    print(
        "| network | steps | two workers, synchronized | two workers, each its own |"
        "\n|---|---|---|---|"
    )
    cores = os.sched_getaffinity(0)
    # Adam and Adagrad divide a gradient by its size: the rounding of one near zero is a whole step.
    smooth = ["--optimizer", "sgd", "--learning-rate", "0.01"]
    for model, size in (("cancernet", "48"), ("simple-cnn", "48")):
        for steps, epochs in ((1, 1), (24, 3)):
            limit = str(BATCH * steps // epochs)
            flags = [*PLAIN, *smooth, "--limit", limit, "--epochs", str(epochs), "--model", model,
                     "--image-size", size]  # fmt: skip
            runs = {name: work / f"{model}-{steps}-{name}" for name in ("one", "sync", "own")}
            end([start(command(data, runs["one"], *flags), cores=cores)])
            end(start_two(command(data, runs["sync"], *flags)))
            own = "the same: it has none"
            if model == "cancernet":
                end(start_two(command(data, runs["own"], *flags, "--no-synchronized")))
                own = f"{largest(runs['one'], runs['own']):.1e}"
            print(f"| {model} | {steps} | {largest(runs['one'], runs['sync']):.1e} | {own} |",
                  flush=True)  # fmt: skip


def largest(one: Path, other: Path) -> float:
    pairs = zip(weights_of(one), weights_of(other), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def speed(data: Path, work: Path) -> None:
    """Images/s of the epochs after the first, which builds the graph; validation not counted."""
    cores = sorted(os.sched_getaffinity(0))
    flags = [*PLAIN, "--epochs", "7"]
    end([start(command(data, work / "core", *flags), cores={cores[0]})])
    end([start(command(data, work / "both", *flags), cores=set(cores))])
    end(start_two(command(data, work / "two", *flags)))
    print("| | images/s, median epoch | slowest to fastest |\n|---|---|---|")
    for name, words in (("core", "one process, one core"),
                        ("both", f"one process, {len(cores)} cores"),
                        ("two", "two workers, a core each")):  # fmt: skip
        counts = json.loads((work / name / "run.json").read_text())["dataset"]["counts"]
        with open(work / name / "history.csv", newline="") as file:
            rows = list(csv.DictReader(file))[1:]
        found = sorted(counts["training"]["images"] / float(row["seconds"]) for row in rows)
        print(f"| {words} | {np.median(found):.0f} | {found[0]:.0f} to {found[-1]:.0f} |")


def lost(data: Path, work: Path) -> None:
    """Kills the second worker after the first epoch; the run is gone on with by one process."""
    run = work / "lost"
    workers = start_two(command(data, run, *PLAIN, "--epochs", "4", "--limit", "320"))
    log = run / "log.jsonl"
    while not log.exists() or '"epoch": 1,' not in log.read_text():
        time.sleep(0.1)
        if any(worker.poll() is not None for worker in workers):
            sys.exit(f"a worker ended early:\n{workers[0].communicate()[0][-2000:]}")
    workers[1].send_signal(signal.SIGKILL)
    started = time.perf_counter()
    said, _ = workers[0].communicate()
    print(f"the other worker ended {time.perf_counter() - started:.1f} s later with code "
          f"{workers[0].returncode}: {said.strip().splitlines()[-1]}")  # fmt: skip
    resume = [sys.executable, "train_model.py", "--resume", "--run", str(run)]
    said = end([start(resume, cores=os.sched_getaffinity(0))])
    print(next(line for line in said.splitlines() if line.startswith("Resuming after")))
    print(f"epochs of the finished run: {len((run / 'history.csv').read_text().splitlines()) - 1}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = {"differences": differences, "speed": speed, "lost": lost}
    parser.add_argument("part", choices=parts)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        data = built_sample(work)
        parts[arguments.part](data, work)


if __name__ == "__main__":
    main()
