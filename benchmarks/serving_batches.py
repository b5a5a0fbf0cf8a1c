"""Does it help to score waiting images in batches? Requests per second by the largest batch.

    python benchmarks/serving_batches.py RUN IMAGES

All rows are the same server with different limits.
"""

import argparse
from pathlib import Path

from served import form_request, free_port, press, running

MOST = (1, 4, 16, 64)
CLIENTS = 64


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path, help="a folder of images, searched below")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each of three turns")
    arguments = parser.parse_args()
    images = [path.read_bytes() for path in sorted(arguments.images.rglob("*.png"))[:200]]
    found: dict[int, list[float]] = {most: [] for most in MOST}
    for _ in range(3):
        for most in MOST:
            port = free_port()
            requests = [form_request(port, image) for image in images]
            with running(command(arguments.run.resolve(), port, most), port):
                press(port, requests, CLIENTS, seconds=1)
                row = press(port, requests, CLIENTS, seconds=arguments.seconds)
            found[most].append(row["requests_per_second"])
    print(f"| largest batch, images | requests/s, {CLIENTS} clients, three turns |\n|---:|---|")
    for most, rates in found.items():
        print(f"| {most} | {', '.join(f'{rate:,.0f}' for rate in rates)} |")


def command(run: Path, port: int, most: int) -> list[object]:
    """Starts the server with another limit."""
    arguments = ["serve.py", "--run", str(run), "--port", str(port)]
    code = (
        "import sys, cancernet.serving.scorer as scorer\n"
        "from cancernet.commands.serve import main\n"
        f"scorer.BATCH_IMAGES = {most}\n"
        f"sys.argv = {arguments!r}\n"
        "main()"
    )
    return ["-c", code]


if __name__ == "__main__":
    main()
