"""Apache Beam writes what this machine's own processes write. DirectRunner only: no other was run."""

import functools
import sys
from pathlib import Path

import pytest
from made_recordings import made_ecg, write_record

from coreecg_jax.records import on_beam, plan, schema
from coreecg_jax.records.databases import wfdb_folder
from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.one_recording import Settings
from coreecg_jax.records.one_shard import DATA
from coreecg_jax.records.prepare import prepare

SETTINGS = Settings(schema.Preprocessing(sampling_rate=100.0))


@pytest.fixture
def listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listing:
    """Four recordings in three shards."""
    monkeypatch.setattr(plan, "number_of_shards", lambda recordings, samples: 3)
    for number in range(4):
        write_record(tmp_path / "source", f"r{number}", made_ecg(seed=number))
    return wfdb_folder.list_recordings(tmp_path / "source", "made")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.filterwarnings("ignore")  # of Beam's own code
def test_beam_writes_the_same_bytes(listing: Listing, tmp_path: Path) -> None:
    pytest.importorskip("apache_beam", reason="pip install 'coreecg-jax[beam]'")
    told = []

    def run(work, shards, tick):
        # One shard is finished before: it stays.
        (shard, *_) = [shard for shard in shards if shard.recordings]
        work.write(shard)
        before = (work.folder / DATA / shard.file).stat().st_ino
        yield from on_beam.run_on_beam(work, shards, told.append, runner="DirectRunner")
        assert (work.folder / DATA / shard.file).stat().st_ino == before

    expected = contents(prepare(listing, tmp_path / "local", SETTINGS).folder)
    assert contents(prepare(listing, tmp_path / "beam", SETTINGS, run=run).folder) == expected
    assert sum(told) == len(listing.recordings)


def test_what_beam_does_not_know_is_named(listing: Listing, tmp_path: Path) -> None:
    pytest.importorskip("apache_beam", reason="pip install 'coreecg-jax[beam]'")
    run = functools.partial(on_beam.run_on_beam, runner="DirectRuner")
    with pytest.raises(ValueError, match="--beam_runner=DirectRuner: Unexpected pipeline runner"):
        prepare(listing, tmp_path / "out", SETTINGS, run=run)
    with pytest.raises(ValueError, match=r"got 'direct_num_worker=2'; did you mean direct_num_workers\?"):
        on_beam._checked_options(["direct_num_worker=2"], on_beam._apache_beam()[1])


@pytest.mark.filterwarnings("ignore")
def test_a_failure_on_beam_is_one_sentence(listing: Listing, tmp_path: Path) -> None:
    pytest.importorskip("apache_beam", reason="pip install 'coreecg-jax[beam]'")
    run = functools.partial(on_beam.run_on_beam, runner="DirectRunner")
    with pytest.raises(
        ChildProcessError, match=r"Beam's DirectRunner stopped \(.*run the same command again"
    ):
        prepare(listing, tmp_path / "out", SETTINGS, run=run, source=tmp_path / "gone")


def test_without_beam_it_says_what_to_install(
    listing: Listing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    run = functools.partial(on_beam.run_on_beam, runner="DirectRunner")
    with pytest.raises(ValueError, match=r"needs pip install 'coreecg-jax\[beam\]'"):
        prepare(listing, tmp_path / "out", SETTINGS, run=run)
    assert list((tmp_path / "out").iterdir()) == []
