"""What both files of this room share: the programs in other words can run beside the others."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.golden.test_reworded import Reworded


@pytest.fixture(scope="session")
def rewording(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Future[Reworded]"]:
    """Begins to run the programs in other words; the result comes when they are done."""
    from tests.golden.test_reworded import Reworded

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(Reworded, tmp_path_factory.mktemp("reworded"))
