"""`cancernet build` as a script: builds or audits a data set."""

from cancernet.commands.build import main
from cancernet.commands.command_line import run

if __name__ == "__main__":
    run(main)
