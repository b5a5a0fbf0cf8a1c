"""The tutorial's import, `from cancernet.cancernet import CancerNet`, kept working."""

from cancernet.models.cancernet import CancerNet

__all__ = ["CancerNet"]
