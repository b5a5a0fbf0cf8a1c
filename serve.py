"""Serves a trained run: a page for people, an API for programs.

    python serve.py
    python serve.py --run output/my-run --port 8080
    CANCERNET_TOKEN=… python serve.py --host 0.0.0.0

Needs `pip install -e ".[serve]"`. Without --run, the run that finished last in output/ is
served. The server listens on this machine only, unless --host names another address.
Research software, not a medical device; not for diagnosis.
"""

from cancernet.commands.command_line import run
from cancernet.commands.serve import main

if __name__ == "__main__":
    run(lambda: main(__doc__))
