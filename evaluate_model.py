"""`cancernet evaluate` as a script: judges a finished run again."""

from cancernet.commands.command_line import run
from cancernet.commands.evaluate import main

if __name__ == "__main__":
    run(main)
