"""`cancernet serve` as a script: serves a trained run."""

from cancernet.commands.command_line import run
from cancernet.commands.serve import main

if __name__ == "__main__":
    run(main)
