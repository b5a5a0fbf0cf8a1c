"""Sends 1,000 damaged uploads: each must be refused, and neither server nor memory may suffer.

python benchmarks/serving_damaged.py RUN
"""

import argparse
import collections
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

from served import ROOT, free_port, resident_mebibytes, running

sys.path.insert(0, str(ROOT))

from tests.helpers.serving_examples import damaged, picture

BOUNDARY = "a-boundary-of-the-benchmark"


def main() -> None:
    """Prints what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--uploads", type=int, default=1000)
    arguments = parser.parse_args()
    port = free_port()
    with running(["serve.py", "--run", arguments.run.resolve(), "--port", port], port) as process:
        seen: collections.Counter[tuple[int, str]] = collections.Counter()
        memory = []
        for round_ in range(3):  # the first round also warms up what decoders keep
            for name, content in damaged(arguments.uploads, seed=round_):
                status, sentence = send(port, name, content)
                assert 400 <= status < 500 and 10 < len(sentence) < 300, (status, sentence)
                hidden = (str(ROOT), "site-packages", "Traceback", ".py", "\n")
                assert not any(word in sentence for word in hidden), sentence
                seen[status, sentence.partition("(")[0].strip()] += 1
            memory.append(resident_mebibytes(process))
        status, _ = send(port, "good.png", picture())
        assert status == 200 and process.poll() is None
    for (status, sentence), count in seen.most_common():
        print(f"{count:5} x {status} {sentence}")
    print("Afterwards a good image is answered 200.")
    rounds = ", ".join(f"{size:.1f}" for size in memory)
    print(f"Memory after each round of {arguments.uploads:,}: {rounds} MiB")


def send(port: int, name: str, content: bytes) -> tuple[int, str]:
    """Posts one file; returns the status and the sentence."""
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
    ).encode() + content
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict",
        body + f"\r\n--{BOUNDARY}--\r\n".encode(),
        {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, ""
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]


if __name__ == "__main__":
    main()
