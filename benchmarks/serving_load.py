"""Requests per second of `serve.py` and of the plain way; memory over 20,000 requests.

    python benchmarks/serving_load.py RUN IMAGES

The server is one process, the clients are another; both share the machine's cores.
"""

import argparse
import subprocess
from pathlib import Path

from measured import write
from served import form_request, free_port, press, resident_mebibytes, running

CLIENTS = (1, 8, 64)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path, help="a folder of images, searched below")
    parser.add_argument("--seconds", type=float, default=8.0, help="for each row")
    parser.add_argument("--requests", type=int, default=20_000, help="for the memory")
    parser.add_argument("--output", type=Path, help="JSON with every figure")
    arguments = parser.parse_args()
    run = arguments.run.resolve()
    images = [path.read_bytes() for path in sorted(arguments.images.rglob("*.png"))[:200]]
    figures: dict[str, dict[str, float]] = {}
    print("| side, clients | requests/s | p50 ms | p99 ms |\n|---|---:|---:|---:|")
    for side in ("plain", "serve.py"):
        port = free_port()
        requests = [form_request(port, image) for image in images]
        script = ["serve.py", "--run", run, "--port", port]
        command = script if side == "serve.py" else ["benchmarks/plain_api.py", run, port]
        with running(command, port) as process:
            press(port, requests, 8, seconds=2)
            for clients in CLIENTS:
                row = press(port, requests, clients, seconds=arguments.seconds)
                figures[f"{side} {clients}"] = row
                print(
                    f"| {side}, {clients} | {row['requests_per_second']:,.0f} "
                    f"| {row['p50_milliseconds']:.1f} | {row['p99_milliseconds']:.1f} |"
                )
                assert not row["refused"], row
            if side == "serve.py":
                figures["memory"] = memory(process, port, requests, arguments.requests)
    for clients in CLIENTS:
        ours, plain = figures[f"serve.py {clients}"], figures[f"plain {clients}"]
        ratio = ours["requests_per_second"] / plain["requests_per_second"]
        print(f"{clients} clients: {ratio:.1f} times the plain way")
    write(arguments.output, figures)


def memory(
    process: subprocess.Popen, port: int, requests: list[bytes], count: int
) -> dict[str, float]:
    """Resident memory before and after many requests, MiB."""
    before = resident_mebibytes(process)
    press(port, requests, 8, answers=count)
    after = resident_mebibytes(process)
    print(f"Memory before and after {count:,} requests: {before:.1f} and {after:.1f} MiB")
    return {"before": before, "after": after, "requests": count}


if __name__ == "__main__":
    main()
