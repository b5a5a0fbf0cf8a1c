"""Changes every sentence of the package while it is imported, to show that no code reads them.

Run as a program, it reads scripts and their flags from stdin and runs them one after another
with the changed package, as `tests/golden/refusals.py: RUNNER` does with the package as it is:

    python tests/helpers/reworded.py ROOT < cases.json

A sentence is a literal text of two words or more, or a part of an f-string with a word and a
space. What identifies something is none: keys, patterns, names of options.
"""

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import io
import re
import sys
import zlib
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Any

PACKAGE = "cancernet"

_SENTENCE = re.compile(r"[A-Za-z]{2,}[,;:.)]* +[A-Za-z({]")
_PART = re.compile(r"(?=.* )(?=.*[A-Za-z]{2})", re.DOTALL)
# Not fields of a format, nor flags; of a page not its tags, nor what a template computes.
_KEPT = re.compile(
    r"\{[{%#].*?[}%#]\}|<(?:style|script)\b.*?</(?:style|script)>|<[^>]*>"
    r"|\{[^}]*\}|%\(\w+\)\w|%\S|\\.|--[\w-]+",
    re.DOTALL,
)
_WORD = re.compile(r"[A-Za-z]{2,}")
_CHANGED = re.compile(r"zq[0-9a-f]z([A-Za-z]+?)zqz", re.IGNORECASE)
# Arguments that take one of a library's own words, such as the place of a legend.
_NAMES = frozenset({"loc", "format"})


def reword(text: str, place: str) -> str:
    """Returns a text with other words, each with its letters' case changed between two marks.

    The marks depend on the place in the code: the same phrase at two places is no longer equal.
    """
    opening = f"zq{zlib.crc32(place.encode()) % 16:x}z"

    def changed(part: str) -> str:
        return _WORD.sub(lambda word: f"{opening}{word[0].swapcase()}zqz", part)

    done, end = "", 0
    for kept in _KEPT.finditer(text):
        done += changed(text[end : kept.start()]) + kept[0]
        end = kept.end()
    return done + changed(text[end:])


def restored(text: str) -> str:
    """Returns a text with its first words, wherever they were put together."""
    return _CHANGED.sub(lambda word: word[1].swapcase(), text)


class _Reworder(ast.NodeTransformer):
    """Changes the sentences of a module."""

    def __init__(self, module: str) -> None:
        self.module = module

    def _reworded(self, node: ast.Constant) -> None:
        node.value = reword(str(node.value), f"{self.module}:{node.lineno}")

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and _SENTENCE.search(node.value):
            self._reworded(node)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                part.value = self.visit(part.value)
            elif isinstance(part, ast.Constant) and _PART.match(part.value):
                self._reworded(part)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.value = self.visit(node.value)
        return node

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        node.values = [self.visit(value) for value in node.values]
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        return node if node.arg in _NAMES else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        is_pattern = ast.unparse(node.func).startswith("re.")
        return node if is_pattern else self.generic_visit(node)


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = _Reworder(fullname).visit(ast.parse(self.get_data(path), path))
        return compile(tree, path, "exec")


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of the package and loads them with other sentences."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.split(".")[0] != PACKAGE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.origin is None:
            return spec
        return importlib.util.spec_from_file_location(
            name,
            spec.origin,
            loader=_Loader(name, spec.origin),
            submodule_search_locations=spec.submodule_search_locations,
        )


def _reword_templates() -> None:
    import jinja2

    read = jinja2.FileSystemLoader.get_source

    def reworded(self, environment, template):
        source, *rest = read(self, environment, template)
        return reword(source, template), *rest

    jinja2.FileSystemLoader.get_source = reworded


def draw_nothing() -> None:
    """Leaves pictures empty: no record has their words, and drawing takes a third of the time."""
    from matplotlib.backends import backend_agg, backend_svg

    def print_svg(canvas: Any, target: Any, **_: Any) -> None:
        if isinstance(target, io.BytesIO):
            target.write(b"<svg/>")

    backend_agg.FigureCanvasAgg.draw = backend_agg.FigureCanvasAgg.get_renderer  # all white
    backend_svg.FigureCanvasSVG.print_svg = print_svg


if __name__ == "__main__":
    from pathlib import Path

    root = Path(sys.argv[1])
    sys.path.insert(0, str(root))
    from tests.golden.refusals import RUNNER

    sys.meta_path.insert(0, Finder())
    _reword_templates()
    draw_nothing()
    exec(RUNNER)
