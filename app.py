"""The same model as a Streamlit page: uploader, preview, class, heat map.

    streamlit run app.py
    streamlit run app.py -- --run output/my-run

Needs `pip install -e ".[app]"`. Without --run the run that finished last
in output/ is taken. Research software, not a medical device; not for diagnosis.
"""

import argparse
import sys
from pathlib import Path

from cancernet.base.errors import EXIT_NOTHING_DONE
from cancernet.commands.command_line import Parser, complain, run
from cancernet.config import OUTPUT


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help=f"run folder (default: the newest in {OUTPUT}/)"
    )
    return parser.parse_args()


def main() -> int:
    """Says how to start it when Python runs it; returns the exit code."""
    parse_arguments()
    return complain(
        'start it with `streamlit run app.py`, after `pip install -e ".[app]"`',
        EXIT_NOTHING_DONE,
    )


def inside_streamlit() -> bool:
    """Whether Streamlit runs this file."""
    if "streamlit" not in sys.modules:
        return False
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    return get_script_run_ctx(suppress_warning=True) is not None


if __name__ == "__main__":
    if inside_streamlit():
        from cancernet.serving.streamlit_page import show

        show(parse_arguments().run)
    else:
        run(main)
