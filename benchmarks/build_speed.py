"""How long a build takes, compared with a plain `shutil.copy2` loop over the same files.

    python benchmarks/build_speed.py
    python benchmarks/build_speed.py --files 277524 --rounds 3 --json build_speed.json

Writes a tree of small PNG files like the published ones (50x50, about 6.5 KB, every
file different), then runs the loop and the builds in turn, each in a process of its
own, and prints medians. The build reads, hashes, decodes and audits every file and
syncs the disk at its end; the loop copies and does none of that.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PATIENTS = 279
TEXTURES = 2000
SIDE = 50
ROW = 40  # patches of a patient beside each other
SAMPLE_SECONDS = 0.1

COPY_LOOP = """
import os, shutil, sys
source, target = sys.argv[1:]
for here, folders, files in os.walk(source):
    there = os.path.join(target, os.path.relpath(here, source))
    os.makedirs(there, exist_ok=True)
    for name in files:
        shutil.copy2(os.path.join(here, name), os.path.join(there, name))
"""


def main() -> None:
    arguments = parse_arguments()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="build-speed-"))
    results: dict[str, list[dict[str, float]]] = {}
    try:
        tree = make_tree(folder / f"tree-{arguments.files}", arguments.files)
        ways = {"shutil.copy2 loop": [sys.executable, "-c", COPY_LOOP, str(tree)]}
        for link in ("copy", "hard", "symbolic"):
            ways[f"build, --link {link}"] = [
                sys.executable, str(ROOT / "build_dataset.py"), "--source", str(tree),
                "--link", link, "--output",
            ]  # fmt: skip
        for round_ in range(arguments.rounds):
            order = list(ways)[round_ % len(ways) :] + list(ways)[: round_ % len(ways)]
            for number, name in enumerate(order):
                # Kept until the end: ext4 is slow to give the places of files that
                # were just deleted to new ones, and that would be measured.
                target = folder / "out" / f"{round_}-{number}"
                target.parent.mkdir(exist_ok=True)
                results.setdefault(name, []).append(measure([*ways[name], str(target)]))
                print(f"round {round_ + 1}: {name}: {results[name][-1]}", file=sys.stderr)
    finally:
        shutil.rmtree(folder / "out", ignore_errors=True)
        if arguments.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    report = summarize(results, arguments.files, arguments.rounds)
    print(table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=30_000, metavar="N", help="default: 30000")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="keep the tree here, and use it again"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    return parser.parse_args()


def make_tree(folder: Path, files: int) -> Path:
    """Writes the files in the published layout; a complete tree is used again."""
    complete = folder.with_suffix(".complete")
    if complete.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    textures = draw_textures(np.random.default_rng(7))
    for number in range(files):
        patient, place = 8000 + number % PATIENTS, number // PATIENTS
        label = int((place * 7 + patient * 3) % 10 < patient % 6)
        name = f"{patient}_idx5_x{SIDE * (place % ROW) + 1}_y{SIDE * (place // ROW) + 1}"
        path = folder / str(patient) / str(label) / f"{name}_class{label}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(textures[number % TEXTURES], number))
    complete.touch()
    return folder


def draw_textures(rng: np.random.Generator) -> list[np.ndarray]:
    """Blotches and grain whose PNG files are about as large as the published ones."""
    textures = []
    for _ in range(TEXTURES):
        blotches = np.kron(rng.normal(size=(8, 8, 3)), np.ones((7, 7, 1)))[:SIDE, :SIDE]
        grain = rng.normal(size=(SIDE, SIDE, 1)) * 14 + rng.normal(size=(SIDE, SIDE, 3)) * 5
        pixels = np.array([190, 140, 190]) + blotches * 18 + grain
        textures.append(pixels.clip(0, 255).astype(np.uint8))
    return textures


def encode(pixels: np.ndarray, number: int) -> bytes:
    """The PNG of a texture in which one pixel holds a number, so that no two are alike."""
    pixels = pixels.copy()
    pixels[number % SIDE, number // SIDE % SIDE] = list(number.to_bytes(3))
    lines = np.diff(pixels.astype(np.int16), axis=1, prepend=0).astype(np.uint8)
    packed = np.concatenate([np.ones((SIDE, 1), np.uint8), lines.reshape(SIDE, -1)], axis=1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(packed.tobytes()))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def measure(command: list[str]) -> dict[str, float]:
    """Runs a command; returns wall and processor seconds and the peak memory in MiB."""
    os.sync()  # or this run would pay for writing what the one before left
    begin, before = time.perf_counter(), os.times()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    watch = MemoryWatch(process.pid)
    _, complaint = process.communicate()
    seconds, after = time.perf_counter() - begin, os.times()
    peak = watch.stop()
    if process.returncode:
        raise SystemExit(f"{command} failed:\n{complaint.decode()}")
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(
            after.children_user + after.children_system
            - before.children_user - before.children_system, 2,
        ),
        "peak_mib": round(peak, 1),
    }  # fmt: skip


class MemoryWatch:
    """Samples the memory of a process and its children, shared pages counted once."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak, self._stop = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> float:
        self._stop.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self._peak = max(self._peak, sum(map(_proportional_mib, _family(self._pid))))


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(relative for child in children for relative in _family(int(child)))]


def _proportional_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(s.split()[1]) / 1024 for s in lines if s.startswith("Pss:")), 0.0)


def summarize(
    results: dict[str, list[dict[str, float]]], files: int, rounds: int
) -> dict[str, Any]:
    """Medians, all single runs, and what they were measured on."""
    medians = {
        name: {field: statistics.median(run[field] for run in runs) for field in runs[0]}
        for name, runs in results.items()
    }
    loop = medians["shutil.copy2 loop"]
    for median in medians.values():
        median["times_faster"] = round(loop["seconds"] / median["seconds"], 2)
        median["times_less_processor"] = round(
            loop["processor_seconds"] / median["processor_seconds"], 2
        )
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "files": files,
        "rounds": rounds,
        "medians": medians,
        "runs": results,
        "machine": platform.processor() or platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "load": os.getloadavg(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit,
    }


def table(report: dict[str, Any]) -> str:
    lines = [
        f"{report['files']:,} files, median of {report['rounds']} rounds, "
        f"{report['processors']} processors, load {report['load'][0]:.1f}",
        f"{'':22}{'seconds':>9}{'CPU s':>8}{'peak MiB':>10}{'faster':>9}{'less CPU':>10}",
    ]
    for name, median in report["medians"].items():
        lines.append(
            f"{name:22}{median['seconds']:9.1f}{median['processor_seconds']:8.1f}"
            f"{median['peak_mib']:10.0f}{median['times_faster']:8.2f}x"
            f"{median['times_less_processor']:9.2f}x"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
