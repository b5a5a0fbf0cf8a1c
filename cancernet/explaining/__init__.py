"""Heat maps of what a network's answer depends on.

`Explainer` is light to import; TensorFlow is loaded with the first gradient.
"""

from cancernet.explaining.explainer import Explainer, Explanation
from cancernet.explaining.maps import GRADIENT_METHODS, METHODS, colours, overlay

__all__ = ["GRADIENT_METHODS", "METHODS", "Explainer", "Explanation", "colours", "overlay"]
