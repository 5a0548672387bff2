"""Fixtures of this room."""

import ast
import csv
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def ptbxl_table(real_ecg: Path) -> list[tuple[int, dict[str, float]]]:
    """Fold, and SCP codes with likelihoods, of each record of the whole PTB-XL table."""
    with (real_ecg / "ptbxl" / "ptbxl_database.csv").open(newline="") as file:
        return [(int(row["strat_fold"]), ast.literal_eval(row["scp_codes"])) for row in csv.DictReader(file)]


@pytest.fixture(scope="session")
def ptbxl_codes(ptbxl_table: list[tuple[int, dict[str, float]]]) -> list[list[str]]:
    """The SCP codes of each record."""
    return [list(codes) for _, codes in ptbxl_table]
