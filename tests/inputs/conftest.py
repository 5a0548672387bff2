"""The data sets that the tests of this room read."""

from pathlib import Path

import pytest
from made_shards import records, write_data_set


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ptbxl: fold1 (windows 0-38 in two shards), fold2 (39-49), fold10 (50-54); ludb: all (100-106)."""
    root = tmp_path_factory.mktemp("data")
    write_data_set(
        root,
        "ptbxl",
        {"fold1": [records(0, 20), records(20, 39)], "fold10": [records(50, 55)], "fold2": [records(39, 50)]},
    )
    write_data_set(root, "ludb", {"all": [records(100, 107, "ludb")]})
    return root
