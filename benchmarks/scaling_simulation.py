"""How training and scoring would scale, simulated from a few numbers; nothing is measured here.

    python benchmarks/scaling_simulation.py --megabytes 4.9 --images-per-second 1600 --batch-size 32
    python benchmarks/scaling_simulation.py --scoring --images-per-second 900

Training: every worker computes its share of each batch, all wait for the slowest, then they
exchange the gradients in a ring: each sends and receives 2 (n - 1) / n of them in 2 (n - 1)
messages (Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of
workstations"). A worker's time for its share is drawn anew for each step, log-normally around
its mean. The batch is either kept (`--batch-size` of all workers together, which gives the
weights of one process) or grows with the workers.

Scoring: tasks of 512 images go from one scheduler to the workers, which draw their time in the
same way; one worker in twenty is lost half-way and its task done again. The limits are the
scheduler (`--task-overhead` per task, one after the other) and the shared disk (`--disk`,
megabytes per second).
"""

import argparse
import heapq

import numpy as np

WORKERS = (1, 2, 4, 8, 16, 32, 64)
TASK = 512  # images
STEPS = 2000


def training(
    workers: int, *, images: int, rate: float, spread: float, bytes_: float, bandwidth: float,
    latency: float, fixed: float, seed: int = 0
) -> tuple[float, float, float]:  # fmt: skip
    """Simulates steps of `images` together; returns images/s, and seconds computing, exchanging."""
    random = np.random.default_rng(seed)
    shares = np.full(workers, images // workers) + (np.arange(workers) < images % workers)
    drawn = random.lognormal(-(spread**2) / 2, spread, (STEPS, workers))
    computing = float((fixed + shares / rate * drawn).max(axis=1).mean())
    exchanging = 2 * (workers - 1) * (bytes_ / workers / bandwidth + latency)
    return images / (computing + exchanging), computing, exchanging


def scoring(
    workers: int, *, images: int, rate: float, spread: float, overhead: float, disk: float,
    size: float, seed: int = 0
) -> float:  # fmt: skip
    """Simulates a table of `images`; returns images/s from the first task to the last answer."""
    random = np.random.default_rng(seed)
    tasks = -(-images // TASK)
    free = [(0.0, worker) for worker in range(workers)]
    lost = {worker for worker in range(workers) if worker % 20 == 19}
    handed = read = last = 0.0
    done = 0
    while done < tasks:
        when, worker = heapq.heappop(free)
        handed = max(handed, when) + overhead
        read = max(read, handed) + TASK * size / disk
        seconds = TASK / rate * float(random.lognormal(-(spread**2) / 2, spread))
        end = max(handed + seconds, read)
        if worker in lost and done > tasks / 2:
            continue  # it does not come back, nor does its task
        done += 1
        last = max(last, end)
        heapq.heappush(free, (end, worker))
    return images / last


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--scoring", action="store_true", help="scoring in place of training")
    add("--images-per-second", type=float, required=True, help="of one worker")
    add("--megabytes", type=float, default=4.9, help="of gradients, float32 (4.9: CancerNet)")
    add("--batch-size", type=int, default=32, help="of all workers together (32)")
    add("--fixed", type=float, default=0.002, help="seconds of a step however small (0.002)")
    add("--gigabits", type=float, default=10.0, help="network, per second (10)")
    add("--latency", type=float, default=50e-6, help="seconds a message (0.00005)")
    add("--spread", type=float, default=0.1, help="of a worker's time, standard deviation (0.1)")
    add("--images", type=int, default=1_000_000, help="to score (1,000,000)")
    add("--task-overhead", type=float, default=0.002, help="scheduler seconds a task (0.002)")
    add("--disk", type=float, default=1000.0, help="megabytes a second that all share (1000)")
    add("--kilobytes", type=float, default=6.0, help="of an image file (6)")
    arguments = parser.parse_args()
    print_scoring(arguments) if arguments.scoring else print_training(arguments)


def print_training(arguments: argparse.Namespace) -> None:
    """Workers as rows: the batch kept, and the batch growing with the workers."""
    print(
        "| workers | MB a step and worker | same batch: images/s | times | growing batch: images/s"
        " | times | batch |\n|---|---|---|---|---|---|---|"
    )
    first: list[float] = []
    for workers in WORKERS:
        speeds = [
            training(
                workers, images=images, rate=arguments.images_per_second, spread=arguments.spread,
                bytes_=arguments.megabytes * 1e6, bandwidth=arguments.gigabits / 8 * 1e9,
                latency=arguments.latency, fixed=arguments.fixed,
            )[0]
            for images in (arguments.batch_size, arguments.batch_size * workers)
        ]  # fmt: skip
        first = first or speeds
        sent = 2 * (workers - 1) / workers * arguments.megabytes
        print(
            f"| {workers} | {sent:.1f} | {speeds[0]:,.0f} | {speeds[0] / first[0]:.1f} | "
            f"{speeds[1]:,.0f} | {speeds[1] / first[1]:.1f} | {arguments.batch_size * workers} |"
        )


def print_scoring(arguments: argparse.Namespace) -> None:
    """Workers as rows."""
    print("| workers | images/s | times | million images in |\n|---|---|---|---|")
    first = 0.0
    for workers in (*WORKERS, 128, 256):
        speed = scoring(
            workers,
            images=arguments.images,
            rate=arguments.images_per_second,
            spread=arguments.spread,
            overhead=arguments.task_overhead,
            disk=arguments.disk * 1e6,
            size=arguments.kilobytes * 1e3,
        )
        first = first or speed
        print(f"| {workers} | {speed:,.0f} | {speed / first:.1f} | {1e6 / speed / 60:.1f} min |")


if __name__ == "__main__":
    main()
