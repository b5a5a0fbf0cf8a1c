"""What a person is told to type, and what only a terminal gets: colour and broken lines."""

import io

import pytest

from cancernet.base import console
from cancernet.base.console import RED, YELLOW, coloured, fitted
from cancernet.commands.command_line import alert


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    """What the variables of a terminal of 40 columns are."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")


def test_only_a_terminal_gets_colour_and_no_color_forbids_it(monkeypatch):
    assert coloured("IDC", RED, Terminal()) == "\033[1;31mIDC\033[0m"
    assert coloured("IDC", RED, io.StringIO()) == "IDC"
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as context:
            context.setenv(name, value)
            assert coloured("IDC", RED, Terminal()) == "IDC"
    monkeypatch.setenv("NO_COLOR", "")  # set but empty: no wish
    assert coloured("IDC", RED, Terminal()) != "IDC"


def test_long_lines_are_broken_on_a_terminal_and_commands_stay_whole():
    text = "short\n  nothing is there; go on with `python train_model.py --resume --run output/x`"
    assert fitted(text, io.StringIO()) == text
    assert fitted(text, Terminal()).splitlines() == [
        "short",
        "  nothing is there; go on with",
        "    `python train_model.py --resume --run output/x`",
    ]


def test_of_a_table_only_the_last_cell_is_broken():
    row = "ok    packages   numpy 2.4, pillow 13, scipy 1.17, onnx 1"
    assert fitted(row, Terminal()).splitlines() == [
        "ok    packages   numpy 2.4, pillow 13,",
        "                 scipy 1.17, onnx 1",
    ]


def test_the_first_word_of_a_warning_is_coloured_on_stderr(monkeypatch):
    monkeypatch.setattr("sys.stderr", stream := Terminal())
    alert("warning: drawn images", YELLOW)
    assert stream.getvalue() == "\033[33mwarning:\033[0m drawn images\n"


@pytest.mark.parametrize(
    ("checkout", "told"),
    [(True, '`pip install -e ".[dicom]"`'), (False, '`pip install "cancernet[dicom]"`')],
)
def test_the_packages_of_an_extra(checkout, told, tmp_path, monkeypatch):
    monkeypatch.setattr(console, "_ROOT", tmp_path)
    if checkout:
        (tmp_path / "pyproject.toml").touch()
    assert console.install_extra("dicom") == told
