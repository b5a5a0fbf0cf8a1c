"""Reads JSON as every other language does: NaN and Infinity are refused."""

import json
from pathlib import Path
from typing import Any


def strict_json(text: str) -> Any:
    """Returns the content of JSON without NaN and Infinity."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def check_json_files(folder: Path) -> set[str]:
    """Reads every JSON file below a folder strictly; returns their names."""
    found = set()
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix in (".json", ".geojson", ".jsonl") and path.is_file():
            text = path.read_text(encoding="utf-8")
            for part in text.splitlines() if path.suffix == ".jsonl" else [text]:
                strict_json(part)
            found.add(path.name)
    return found
