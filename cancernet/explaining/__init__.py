"""Heat maps of what a network's answer depends on.

`Explainer` is light to import; TensorFlow is loaded with the first gradient.
"""

from cancernet.explaining.explainer import Explainer
from cancernet.explaining.maps import METHODS, colours, overlay
