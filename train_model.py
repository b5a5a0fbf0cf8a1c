"""`cancernet train` as a script: trains a network."""

from cancernet.commands.command_line import run
from cancernet.commands.train import main

if __name__ == "__main__":
    run(main)
