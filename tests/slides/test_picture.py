"""The picture of a slide map: its words are not longer than what they name."""

import pytest
from matplotlib.figure import Figure

from cancernet.slides.output import picture_of
from cancernet.slides.slide_map import ScoredPatch, map_of_patches
from tests.helpers.building_trees import write_patch


@pytest.mark.parametrize(("columns", "rows", "beside"), [(40, 1, False), (3, 3, True)])
def test_the_colours_are_named_where_there_is_room(tmp_path, monkeypatch, columns, rows, beside):
    made = []
    colorbar = Figure.colorbar
    keep = lambda *given, **named: made.append(colorbar(*given, **named)) or made[-1]  # noqa: E731
    monkeypatch.setattr(Figure, "colorbar", keep)
    path = tmp_path / "a.png"
    write_patch(path, 1, side=50)
    patches = [
        ScoredPatch(path=path, x=50 * x, y=50 * y, probability=0.5)
        for x in range(columns)
        for y in range(rows)
    ]
    picture_of(map_of_patches("1", patches, size=(50, 50), threshold=0.5), word="IDC", footer="")
    axes = made[0].ax
    assert axes.get_ylabel() == ("probability of IDC" if beside else "")
    assert ("probability of IDC" in axes.figure.get_supxlabel()) != beside
