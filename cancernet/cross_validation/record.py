"""`cross_validation.json`: what was asked, which patients are in which fold, and what came out.

output/<run>/
cross_validation.json   predictions.csv (every image once, by the fold that tested it)
metrics.json  figures/  report.html     fold-01/ fold-02/ ... each a whole run
"""

from pathlib import Path
from typing import Any

from cancernet.base.errors import RunError
from cancernet.base.files import read_json, write_json
from cancernet.cross_validation.plan import Fold
from cancernet.runs.run_folder import CROSS_VALIDATION


def write_record(folder: Path, content: dict[str, Any]) -> None:
    """Writes the record atomically."""
    write_json(folder / CROSS_VALIDATION, content)


def read_record(folder: Path) -> dict[str, Any]:
    """Reads the record.

    Raises:
        RunError: there is none, or it is damaged.
    """
    try:
        content = read_json(folder / CROSS_VALIDATION)
        folds_of(content)
    except FileNotFoundError:
        raise RunError(f"{folder} holds no cross-validation ({CROSS_VALIDATION})") from None
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise RunError(
            f"{folder / CROSS_VALIDATION} is damaged ({error}); start a new run"
        ) from None
    return dict(content)


def folds_of(content: dict[str, Any]) -> list[Fold]:
    """Returns the folds of a record."""
    return [Fold.from_dict(fold) for fold in content["folds"]]
