"""`cancernet tune` as a script: searches for settings."""

from cancernet.commands.command_line import run
from cancernet.commands.tune import main

if __name__ == "__main__":
    run(main)
