"""Slide maps: patches put back in their places, with the model's probability over them."""

from cancernet.slides.mosaic import Mosaic, SlideMap, map_of_patches

__all__ = ["Mosaic", "SlideMap", "map_of_patches"]
