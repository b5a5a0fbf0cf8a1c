"""`cancernet predict` as a script: scores images with a trained run."""

from cancernet.commands.command_line import run
from cancernet.commands.predict import main

if __name__ == "__main__":
    run(main)
