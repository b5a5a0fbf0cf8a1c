"""Settings of any dataclass as flags."""

import dataclasses
import importlib
from pathlib import Path

import pytest

from cancernet import __version__
from cancernet.__main__ import main
from cancernet.base import console
from cancernet.base.errors import CancerNetError
from cancernet.base.settings import check_settings, setting
from cancernet.commands.command_line import Parser, add_settings, given_settings, run
from cancernet.commands.descriptions import description


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    port: int = setting(8000, "port to listen on", least=1, most=65535, common=True)
    names: tuple[str, ...] = setting((), "names", group="your own")
    shares: tuple[float, ...] = setting((), "shares", least=0, most=1)
    limit: int | None = setting(None, "none given: no limit", least=1)
    lists: tuple[Path, ...] = setting((), "three files", metavar=("A", "B", "C"))
    folder: Path | None = setting(None, "folder", metavar="DIR")
    quiet: bool = setting(False, "print less", switch=True)
    verbose: bool = setting(True, "print more")
    way: str = setting("one", "which way", choices=("one", "two"))
    inside: str = "no flag"

    def __post_init__(self) -> None:
        check_settings(self)


def shown(*flags, capsys):
    parser = Parser("program", "what it does")
    add_settings(parser, Settings)
    with pytest.raises(SystemExit):
        parser.parse_args(flags)
    return capsys.readouterr().out


def test_help_shows_the_common_flags_and_help_all_every_one(capsys):
    few, every = shown("--help", capsys=capsys), shown("--help-all", capsys=capsys)
    assert "--port" in few and "--port" in every
    assert "--names" not in few and "your own" not in few
    assert "--names" in every and "your own:" in every and "--no-verbose" in every


def test_settings_stand_under_the_heading_of_the_last_field_that_has_one():
    parser = Parser("program", "what it does")
    add_settings(parser, Settings, headings={"port": "first", "limit": "then"}, before="x: ")
    parser.rare.clear()
    parts = parser.format_help().split("x: ")
    assert [part.partition(":")[0] for part in parts[1:]] == ["first", "then"]
    assert "--shares" in parts[1] and "--way" in parts[2]


def parsed(*flags):
    parser = Parser("program", "what it does")
    add_settings(parser, Settings)
    return given_settings(parser.parse_args(flags), Settings)


def test_only_given_flags_become_settings():
    assert parsed() == {}
    given = parsed(
        "--port", "80", "--names", "a", "b", "--lists", "x", "y", "z", "--folder", "f", "--quiet",
        "--no-verbose",
    )  # fmt: skip
    assert given == {
        "port": 80,
        "names": ("a", "b"),
        "lists": (Path("x"), Path("y"), Path("z")),
        "folder": Path("f"),
        "quiet": True,
        "verbose": False,
    }
    assert Settings(**given).port == 80


def test_a_flag_given_twice_keeps_all_its_values():
    assert parsed("--names", "a", "b", "--names", "c") == {"names": ("a", "b", "c")}


@pytest.mark.parametrize(
    "flags",
    [
        ["--inside", "x"],
        ["--way", "three"],
        ["--no-quiet"],
        ["--folder", ""],
        ["--lists", "a", "", "c"],
    ],
)
def test_other_fields_and_values_are_refused(flags, capsys):
    with pytest.raises(SystemExit):
        parsed(*flags)
    assert flags[0] in capsys.readouterr().err


def test_an_unknown_flag_is_answered_with_the_nearest(capsys):
    with pytest.raises(SystemExit):
        parsed("--nmaes=a")
    said = "error: unrecognized arguments: --nmaes=a (did you mean --names?); see"
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"port": 0}, "--port is 0, but must be at least 1"),
        ({"port": 70000}, "--port is 70000, but must be at most 65535"),
        ({"way": "three"}, "--way is 'three'; choose from one, two"),
        ({"shares": (0.0, 1.0, 1.5)}, "--shares is 1.5, but must be at most 1"),
        ({"limit": 0}, "--limit is 0, but must be at least 1"),
    ],
)
def test_bounds_hold_without_the_command_line_too(values, said):
    with pytest.raises(CancerNetError, match=said):
        Settings(**values)


def test_a_package_that_is_not_installed_is_one_sentence(capsys):
    with pytest.raises(SystemExit, match="2"):
        run(lambda: importlib.import_module("no_such_package"))
    assert "module no_such_package is not installed; install what" in capsys.readouterr().err
    with pytest.raises(ModuleNotFoundError):  # a fault of the program
        run(lambda: importlib.import_module("cancernet.no_such_room"))


@pytest.mark.parametrize("command", console.SCRIPTS)
def test_the_examples_of_a_help_fit_80_columns(command):
    examples = [line for line in description(command).splitlines() if line.startswith(" ")]
    assert examples and max(map(len, examples)) <= 80


def test_the_version_is_told(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["cancernet", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out == f"cancernet {__version__}\n"
