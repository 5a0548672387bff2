"""Databases written here, and what is read of them."""

import csv
from pathlib import Path

from coreecg_jax.records.databases.catalogue import DATABASES
from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.one_recording import Settings, process


def listed(name: str, source: Path) -> Listing:
    return DATABASES[name].list_recordings(source)


def read_all(listing: Listing) -> list[dict]:
    """The first example of each recording."""
    outcomes = [process(one, listing.read, listing.name, Settings()) for one in listing.recordings]
    assert [outcome.line for outcome in outcomes if outcome.line["status"] != "read"] == []
    return [outcome.examples[0] for outcome in outcomes]


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
