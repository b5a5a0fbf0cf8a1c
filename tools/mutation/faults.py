"""The faults that mutmut can plant in a file, without those that say nothing of the tests."""

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name

CONTEXT = 40  # characters shown on either side of a fault


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault: mutmut's name for it, the file and function, and what it changes."""

    name: str
    function: str
    change: str

    def __str__(self) -> str:
        return f"{self.function}: {self.change}"


class Plain(ast.NodeTransformer):
    """Takes out of a function whatever may differ without a meaning for the tests."""

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        """Leaves the kind of an error, not its message."""
        if isinstance(node.exc, ast.Call):
            node.exc.args, node.exc.keywords = [], []
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leaves out `strict=` and `encoding=`."""
        node.keywords = [each for each in node.keywords if each.arg not in ("strict", "encoding")]
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        """Empties the words of a sentence; a name or a key has no space."""
        if isinstance(node.value, str) and " " in node.value:
            return ast.Constant("")
        return node


def faults_of(path: Path) -> Iterator[Fault]:
    """Yields the faults of a file that tests could be expected to notice."""
    planted = mutate_file_contents(str(path), path.read_text("utf-8"))
    functions = {
        node.name: node
        for node in ast.walk(ast.parse(planted.code))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for name in planted.mutant_names:
        stem = name.partition("__mutmut_")[0]
        before, after = body_of(functions[f"{stem}__mutmut_orig"]), body_of(functions[name])
        if plain(before) != plain(after):
            function = stem.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
            yield Fault(get_mutant_name(path, name), f"{path} {function}", change(before, after))


def body_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Returns arguments and body of a function in one line, without its name."""
    lines = [ast.unparse(function.args), *map(ast.unparse, function.body)]
    return "\n".join(lines)


def plain(body: str) -> str:
    """Returns a function without what tests are not expected to notice."""
    arguments, _, statements = body.partition("\n")
    return arguments + ast.dump(Plain().visit(ast.parse(f"async def f():\n{indented(statements)}")))


def indented(statements: str) -> str:
    """Returns statements as the body of a function."""
    return "\n".join(f"    {line}" for line in statements.split("\n"))


def change(before: str, after: str) -> str:
    """Returns the text around a fault, with what was there and what is: `a «> → >=» b`."""
    start = shared(before, after)
    while start and is_word(before[start - 1]):
        start -= 1
    most = min(len(before), len(after)) - start
    end = shared(before[::-1][:most], after[::-1][:most])
    while end and is_word(before[-end]):
        end -= 1
    left = before[:start][-CONTEXT:].rpartition("\n")[2]
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    right = before[len(before) - end :][:CONTEXT].partition("\n")[0]
    return f"{left}«{old} → {new}»{right}".replace("\n", " ")


def shared(one: str, other: str) -> int:
    """Returns how many characters two texts have in common at their beginning."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def is_word(character: str) -> bool:
    """Whether a character belongs to a name, a number or a longer operator."""
    return character.isalnum() or character in "_<>=!*"
