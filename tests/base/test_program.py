"""What a person is told to type, in a checkout and away from one."""

import pytest

from cancernet.base import program


@pytest.mark.parametrize(
    ("checkout", "told"),
    [(True, '`pip install -e ".[dicom]"`'), (False, '`pip install "cancernet[dicom]"`')],
)
def test_the_packages_of_an_extra(checkout, told, tmp_path, monkeypatch):
    monkeypatch.setattr(program, "_ROOT", tmp_path)
    if checkout:
        (tmp_path / "pyproject.toml").touch()
    assert program.install_extra("dicom") == told
