"""What `serve.py` and `app.py` do: read the command line, open the run, serve it."""

import os
import sys
from pathlib import Path

from cancernet.base.console import install_extra
from cancernet.base.errors import EXIT_NOTHING_DONE, EXIT_OK, CancerNetError
from cancernet.commands.command_line import (
    Parser,
    add_settings,
    command_parser,
    complain,
    given_settings,
    run,
)
from cancernet.config import OUTPUT
from cancernet.serving.settings import TOKEN_VARIABLE, ServeConfig


def main() -> int:
    """Serves the run that the command line names; returns the exit code."""
    parser = command_parser("serve")
    _add_run(parser)
    parser.add_argument(
        "--token",
        help="what clients must send as `Authorization: Bearer …`; safer in the variable "
        f"{TOKEN_VARIABLE}, where other users of the machine cannot read it",
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that the server is reached by, besides localhost and plain addresses; may be "
        "given several times",
    )
    add_settings(parser, ServeConfig)
    arguments = parser.parse_args()
    config = ServeConfig(
        token=arguments.token or os.environ.get(TOKEN_VARIABLE) or None,
        allowed_hosts=tuple(name.lower() for name in arguments.allowed_host),
        **given_settings(arguments, ServeConfig),
    )
    from cancernet.runs.run_folder import newest_run, open_run

    trained = open_run(arguments.run or newest_run())
    try:
        from cancernet.serving.server import serve
    except ModuleNotFoundError as error:
        raise CancerNetError(
            f"serving needs the package {error.name}; install it with {install_extra('serve')}"
        ) from None
    serve(trained, config)
    return EXIT_OK


def show_page(description: str | None) -> None:
    """Draws the Streamlit page when Streamlit runs the script; says how to start it otherwise."""
    if not _inside_streamlit():
        run(lambda: _say_how_to_start(description))
    from cancernet.serving.streamlit_page import show

    show(_parser(description).parse_args().run)


def _say_how_to_start(description: str | None) -> int:
    _parser(description).parse_args()
    return complain(
        'start it with `streamlit run app.py`, after `pip install -e ".[app]"`', EXIT_NOTHING_DONE
    )


def _parser(description: str | None) -> Parser:
    parser = Parser("streamlit run app.py --", description)
    _add_run(parser)
    return parser


def _add_run(parser: Parser) -> None:
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help=f"run folder (default: the newest in {OUTPUT}/)"
    )


def _inside_streamlit() -> bool:
    if "streamlit" not in sys.modules:
        return False
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    return get_script_run_ctx(suppress_warning=True) is not None
