"""Flags of predict.py that do not go together: refused, so that none is passed over in silence."""

import argparse

# Scoring image by image: what a slide map has no use for.
_OF_IMAGES = (
    "csv", "json", "list", "figure", "explain", "method", "layer", "class_name", "workers",
    "scheduler",
)  # fmt: skip
_OF_SLIDES = ("output", "patch_size")


def odd_pair(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> str:
    """Says which two flags do not go together, in a sentence; empty where all do.

    Only flags that were given count: those that differ from their defaults.
    """

    def first(names: tuple[str, ...]) -> str:
        given = (n for n in names if getattr(arguments, n) != parser.get_default(n))
        return next(("--" + n.removesuffix("_name").replace("_", "-") for n in given), "")

    if arguments.slide and (flag := first(_OF_IMAGES)):
        return f"{flag} does not go with --slide"
    if not arguments.slide and (flag := first(_OF_SLIDES)):
        return f"{flag} goes with --slide"
    if arguments.csv and arguments.explain:
        return (
            "--csv goes on after a stop and --explain cannot, so they do not go together; use one "
            "after the other"
        )
    return ""
