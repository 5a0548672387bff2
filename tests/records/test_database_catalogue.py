"""Every database of the catalogue: real files where they are at hand, and the table of the docs."""

from pathlib import Path

import pytest
from made_databases import listed

from coreecg_jax.records.databases.catalogue import DATABASES
from coreecg_jax.records.label_sets import load_label_set


@pytest.mark.parametrize(
    ("name", "found", "missing"),
    [
        ("ptbxl", 502, 21_335),
        ("chapman_ningbo", 43, 45_109),
        ("cpsc2018", 16, 6_861),
        ("cpsc2018_extra", 19, 3_434),
        ("ptbdb", 7, 509),
        ("ludb", 100, 100),
    ],
)
def test_real_copies_are_listed_with_what_is_missing(
    real_ecg: Path, name: str, found: int, missing: int
) -> None:
    listing = listed(name, real_ecg / name)
    assert (listing.name, len(listing.recordings), listing.missing_count) == (name, found, missing)
    first = listing.read(listing.recordings[0].file)
    assert first.present_L.all()


def test_chapman_and_ningbo_are_splits(real_ecg: Path) -> None:
    listing = listed("chapman_ningbo", real_ecg / "chapman_ningbo")
    splits = {one.recording_id: one.split for one in listing.recordings}
    assert (splits["JS09740"], splits["JS11438"]) == ("chapman", "ningbo")
    assert list(splits.values()).count("chapman") == 5


def test_a_folder_without_the_database_says_so(tmp_path: Path) -> None:
    for name in DATABASES:
        with pytest.raises(FileNotFoundError, match=r"expected .*--source"):
            listed(name, tmp_path)
        with pytest.raises(FileNotFoundError, match=r"expected .*--source"):
            listed(name, tmp_path / "absent")


def test_the_table_of_the_docs_says_what_the_code_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for one in DATABASES.values():
        said = (
            f"{one.title}, {one.release}",
            f"{one.records:,}",
            one.sampling_rate,
            one.labels,
            one.patients,
        )
        assert f"| `{one.name}` | {' | '.join(said)} | {one.folds} | {one.licence} |" in page
        assert all(load_label_set(name).classes for name in one.label_sets)
