"""Runs the code cells of a notebook one after another and stores what they show; no Jupyter.

    python tools/run_notebook.py docs/python.ipynb

It runs in a new folder, so that nothing is left behind.
"""

import argparse
import ast
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def shown_by(cells: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Runs code cells in one namespace; yields each with the value of its last expression."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        yield cell, value


def _output(value: Any, number: int) -> dict[str, Any]:
    data = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_().splitlines(keepends=True)
    return {
        "output_type": "execute_result",
        "execution_count": number,
        "metadata": {},
        "data": data,
    }


def main() -> None:
    """Runs the notebook that is named and writes it back with its outputs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path)
    path = parser.parse_args().notebook.resolve()
    notebook = json.loads(path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for number, (cell, value) in enumerate(shown_by(notebook["cells"]), 1):
            print("".join(cell["source"]), file=sys.stderr)
            cell["execution_count"] = number
            cell["outputs"] = [] if value is None else [_output(value, number)]
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.path.insert(0, str(ROOT))
    main()
