"""Serves a trained run: a page for people, an API for programs.

    python serve.py
    python serve.py --run output/my-run --port 8080
    CANCERNET_TOKEN=… python serve.py --host 0.0.0.0

Needs `pip install -e ".[serve]"`. Without --run the run that finished last
in output/ is taken. It listens on this machine only unless --host says otherwise.
Research software, not a medical device; not for diagnosis.
"""

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

from cancernet.base.errors import EXIT_OK, CancerNetError
from cancernet.commands.command_line import Parser, run
from cancernet.config import OUTPUT
from cancernet.serving.settings import TOKEN_VARIABLE, ServeConfig

HELP = {
    "host": "address to listen on",
    "port": "port to listen on; 0 takes a free one",
    "maximum_megabytes": "largest image file, MiB",
    "maximum_request_megabytes": "largest request with many images, MiB",
    "maximum_pixels": "largest image, pixels",
    "maximum_images": "most images in one request",
    "queue": "most requests in work at once; further ones are answered 503",
    "memory_megabytes": "most uploads held at once, MiB; beyond it 503",
    "workers": "threads that decode and score; 0 takes one per core",
    "time_limit": "seconds for an upload to arrive, and again for its answer",
    "heat_map_time_limit": "seconds for a heat map, the loading of TensorFlow included",
    "heat_map_queue": "most heat maps waiting at once",
}


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help=f"run folder (default: the newest in {OUTPUT}/)"
    )
    parser.add_argument(
        "--token",
        help=f"what clients must send as `Authorization: Bearer …`; better given in the "
        f"variable {TOKEN_VARIABLE}, where other users of the machine cannot read it",
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name under which the server is reached, besides localhost and plain "
        "addresses; may be given several times",
    )
    defaults = ServeConfig()
    for name, text in HELP.items():
        value = getattr(defaults, name)
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=type(value),
            default=value,
            metavar={int: "N", float: "X", str: "ADDRESS"}[type(value)],
            help=f"{text} (default: {value})",
        )
    return parser.parse_args()


def make_config(arguments: argparse.Namespace) -> ServeConfig:
    """Checks the command line's values."""
    names = {field.name for field in dataclasses.fields(ServeConfig)}
    values: dict[str, Any] = {k: v for k, v in vars(arguments).items() if k in names}
    values["token"] = arguments.token or os.environ.get(TOKEN_VARIABLE) or None
    values["allowed_hosts"] = tuple(name.lower() for name in arguments.allowed_host)
    return ServeConfig(**values)


def main() -> int:
    """Serves what the command line names; returns the exit code."""
    arguments = parse_arguments()
    config = make_config(arguments)
    from cancernet.runs.run_folder import newest_run, open_run

    trained = open_run(arguments.run if arguments.run is not None else newest_run())
    try:
        from cancernet.serving.server import serve
    except ModuleNotFoundError as error:
        raise CancerNetError(
            f'serving needs the package {error.name}; install it with `pip install -e ".[serve]"`'
        ) from None
    serve(trained, config)
    return EXIT_OK


if __name__ == "__main__":
    run(main)
