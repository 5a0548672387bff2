"""One made data set for all that train whole runs."""

from pathlib import Path

import pytest
from made_runs import PREPROCESSING
from made_shards import example, serialise, write_data_set


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 windows of 9 to 10 s at 100 Hz in two shards: three batches an epoch of configs/tiny.py."""
    folder = tmp_path_factory.mktemp("data")
    records = [serialise(example(number, "made", samples=1000)) for number in range(24)]
    write_data_set(folder, "made", {"all": [records[:10], records[10:]]}, preprocessing=PREPROCESSING)
    return folder
