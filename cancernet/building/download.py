"""Fetches a published data set with `kagglehub`, where that is installed."""

from pathlib import Path

from cancernet.base.errors import CancerNetError, first_line
from cancernet.catalog import Dataset


def download(dataset: Dataset) -> Path:
    """Returns the folder that Kaggle's own client keeps the data set in.

    A folder that is there already is not fetched again. Nothing is copied out of it: the
    build reads the images there.

    Raises:
        CancerNetError: not on Kaggle, `kagglehub` is not installed, or Kaggle refused.
    """
    if not dataset.kaggle:
        raise CancerNetError(f"{dataset.name} is not on Kaggle; it comes from {dataset.origin}")
    try:
        import kagglehub
    except ImportError:
        raise CancerNetError(
            "--download needs kagglehub, which is not installed: pip install kagglehub; "
            f"or fetch {dataset.address} by hand"
        ) from None
    try:
        return Path(kagglehub.dataset_download(dataset.kaggle))
    except Exception as error:
        # A client of somebody else's: network, login and disk errors of every kind.
        raise CancerNetError(
            f"Kaggle did not give {dataset.kaggle} ({first_line(error)}); try again, or fetch "
            f"it by hand from {dataset.address}"
        ) from None
