"""Many shards: a run that is killed goes on, and whoever writes them, the bytes are the same."""

import dataclasses
import errno
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_recordings import kill_the_process, made_ecg, write_record

from coreecg_jax.records import local_runs, one_shard, plan, schema
from coreecg_jax.records.checksums import SUMS, damaged, read_sums, write_sums
from coreecg_jax.records.databases import wfdb_folder
from coreecg_jax.records.databases.listing import Listed, Listing
from coreecg_jax.records.one_recording import Settings
from coreecg_jax.records.prepare import prepare
from coreecg_jax.records.shards import hash_of, number_of_shards, shard_of
from coreecg_jax.records.spill import Spill

SETTINGS = Settings(schema.Preprocessing(sampling_rate=100.0))
SHARDS = 6
ROOT = Path(__file__).parents[2]
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(autouse=True)
def six_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a large data set has them."""
    monkeypatch.setattr(plan, "number_of_shards", lambda recordings, samples: SHARDS)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve recordings, one of three windows, and one that is too short."""
    folder = tmp_path_factory.mktemp("source")
    for number in range(11):
        write_record(folder, f"r{number:02}", made_ecg(seed=number))
    write_record(folder, "long", made_ecg(seconds=30.0, seed=20))
    write_record(folder, "short", made_ecg(seconds=3.0))
    return folder


@pytest.fixture
def listing(source: Path) -> Listing:
    return wfdb_folder.list_recordings(source, "made")


@pytest.fixture
def expected(listing: Listing, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of a data set that was prepared without any trouble."""
    return contents(prepare(listing, tmp_path_factory.mktemp("expected"), SETTINGS).folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stopping(after: int, stop: Callable[[], Any]) -> local_runs.Run:
    """Writes so many shards, then stops."""

    def run(*arguments: Any) -> Iterator[one_shard.Written]:
        for number, written in enumerate(local_runs.run_here(*arguments), start=1):
            yield written
            if number == after:
                stop()

    return run


def interrupt() -> None:
    raise KeyboardInterrupt


def shard_files(out: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of each shard of an unfinished data set."""
    found = (out / ".incomplete-made" / one_shard.DATA).glob("*.tfrecord*")
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def test_a_killed_run_is_gone_on_with(
    source: Path, listing: Listing, expected: dict[str, bytes], tmp_path: Path
) -> None:
    # The fourth shard that has recordings is half written when the process is killed.
    held = [shard for shard in plan.planned(listing, 1000) if len(shard.recordings) > 1]
    last = held[2].recordings[-1].recording_id
    whole = tmp_path.parent / f"{tmp_path.name}_whole"
    script = f"""
import os, signal, sys
from pathlib import Path
from coreecg_jax.records import one_shard, plan, prepare, schema
from coreecg_jax.records.databases import wfdb_folder
from coreecg_jax.records.one_recording import Settings, process
def outcome(work, listed):
    if listed.recording_id == {last!r}:
        os.kill(os.getpid(), signal.SIGKILL)
    return process(listed, work.read, work.name, work.settings)
plan.number_of_shards = lambda recordings, samples: {SHARDS}
listing = wfdb_folder.list_recordings(Path({str(source)!r}), "made")
settings = Settings(schema.Preprocessing(sampling_rate=100.0))
prepare.prepare(listing, Path({str(whole)!r}), settings)
assert "tensorflow" not in sys.modules  # preparing does without
one_shard.Work.outcome = outcome
prepare.prepare(listing, Path({str(tmp_path)!r}), settings)
"""
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert contents(whole / "made" / "1.0.0") == expected
    assert [path.name for path in tmp_path.iterdir()] == [".incomplete-made"]
    before = shard_files(tmp_path)
    finished = {name: about for name, about in before.items() if not name.startswith(".")}
    assert 1 <= len(finished) < SHARDS
    assert list((tmp_path / ".incomplete-made" / one_shard.PARTS).glob(f"{one_shard.TEMPORARY}*"))
    seen = {}

    def run(work: one_shard.Work, shards: Any, tick: Any) -> Iterator[one_shard.Written]:
        yield from local_runs.run_here(work, shards, tick)
        seen.update(shard_files(tmp_path))

    prepared = prepare(listing, tmp_path, SETTINGS, run=run)
    assert contents(prepared.folder) == expected
    assert {name: seen[name] for name in finished} == finished
    assert 0 < prepared.kept < len(listing.recordings)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_ctrl_c_keeps_what_is_finished(listing: Listing, expected: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match="the same command goes on, with 2 shards finished"):
        prepare(listing, tmp_path, SETTINGS, run=stopping(2, interrupt))
    prepared = prepare(listing, tmp_path, SETTINGS)
    assert contents(prepared.folder) == expected
    assert f"(went on; {prepared.kept} recordings were in finished shards)" in prepared.report()


def test_three_processes_write_the_same_bytes(
    listing: Listing, expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_runs, "_ENOUGH", 1)  # a shard each, although there are few
    assert contents(prepare(listing, tmp_path, SETTINGS, run=local_runs.local(3)).folder) == expected


def test_other_settings_are_refused_or_start_anew(
    listing: Listing, expected: dict[str, bytes], tmp_path: Path
) -> None:
    other = Settings(SETTINGS.preprocessing, max_windows=1)
    with pytest.raises(KeyboardInterrupt):
        prepare(listing, tmp_path, other, run=stopping(2, interrupt))
    with pytest.raises(schema.OtherSettings, match=r"max_windows was 1, asked for 6\): go on with those"):
        prepare(listing, tmp_path, SETTINGS)
    prepared = prepare(listing, tmp_path, SETTINGS, overwrite=True)
    assert (contents(prepared.folder), prepared.kept) == (expected, 0)


def test_what_the_tables_say_may_not_change_in_between(listing: Listing, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        prepare(listing, tmp_path, SETTINGS, run=stopping(2, interrupt))
    first, *others = listing.recordings
    moved = Listing("made", listing.read, (Listed(first.recording_id, "r01.hea", first.split), *others))
    with pytest.raises(schema.OtherSettings, match="contents of the listing was"):
        prepare(moved, tmp_path, SETTINGS)


def test_two_at_once_are_refused(listing: Listing, tmp_path: Path) -> None:
    def second() -> None:
        with pytest.raises(BlockingIOError, match=r"another run \(process .*\) prepares made there; wait"):
            prepare(listing, tmp_path, SETTINGS)

    assert prepare(listing, tmp_path, SETTINGS, run=stopping(1, second)).summary["read"] == 12


def test_a_full_disk_leaves_nothing_half_written(
    listing: Listing, expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = []

    def framed(record: bytes) -> bytes:
        pieces.append(record)
        if len(pieces) == 6:
            raise FULL
        return real(record)

    real = one_shard.framed
    monkeypatch.setattr(one_shard, "framed", framed)
    with pytest.raises(OSError, match="No space left"):
        prepare(listing, tmp_path, SETTINGS)
    left = contents(tmp_path / ".incomplete-made" / one_shard.DATA)
    assert left
    assert {name: expected[name] for name in left} == left
    assert not list(tmp_path.rglob(f"{one_shard.TEMPORARY}*"))
    assert contents(prepare(listing, tmp_path, SETTINGS).folder) == expected


def test_an_unfinished_shard_is_written_again(
    listing: Listing, expected: dict[str, bytes], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        prepare(listing, tmp_path, SETTINGS, run=stopping(4, interrupt))
    shards = sorted((tmp_path / ".incomplete-made" / one_shard.DATA).iterdir())
    shards[0].write_bytes(shards[0].read_bytes()[:-1])
    shards[1].unlink()
    assert contents(prepare(listing, tmp_path, SETTINGS).folder) == expected


def test_a_source_that_vanishes_stops_the_run(
    listing: Listing, expected: dict[str, bytes], tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    (gone / "r").touch()
    with pytest.raises(FileNotFoundError, match=r"gone is no longer there, or empty: bring it back"):
        prepare(listing, tmp_path / "out", SETTINGS, run=stopping(2, (gone / "r").unlink), source=gone)
    assert contents(prepare(listing, tmp_path / "out", SETTINGS).folder) == expected


def test_a_killed_worker_is_told(listing: Listing, tmp_path: Path) -> None:
    deadly = Listing("made", kill_the_process, listing.recordings)
    with pytest.raises(ChildProcessError, match="a worker process was killed, perhaps for memory"):
        prepare(deadly, tmp_path, SETTINGS, run=local_runs.local(2))


@pytest.mark.parametrize("split", ["recordings", "fold2"])
def test_an_id_stands_once_also_in_different_splits(listing: Listing, tmp_path: Path, split: str) -> None:
    again = dataclasses.replace(listing.recordings[3], split=split)
    twice = Listing("made", listing.read, (*listing.recordings, again))
    said = rf"expected each recording once, 'r02' is there twice \(splits recordings, {split}\)"
    with pytest.raises(ValueError, match=said):
        prepare(twice, tmp_path, SETTINGS)


def test_a_plan_needs_no_neighbours(listing: Listing) -> None:
    shards = plan.planned(listing, 1000)
    assert [shard.file for shard in shards] == [
        f"made-recordings.tfrecord-{index:05}-of-00006" for index in range(SHARDS)
    ]
    of = {listed.recording_id: shard.file for shard in shards for listed in shard.recordings}
    assert len(of) == len(listing.recordings)
    assert sorted(place for shard in shards for place in shard.places) == list(range(len(of)))
    fewer = Listing("made", listing.read, listing.recordings[::2])
    for shard in plan.planned(fewer, 1000):
        assert all(of[listed.recording_id] == shard.file for listed in shard.recordings)


def test_hashes_fill_shards_evenly() -> None:
    hashed = hash_of("train")
    counts = [0] * 64
    for number in range(64_000):
        counts[shard_of(hashed(f"r{number}"), 64)] += 1
    assert min(counts) > 850  # the binomial's standard deviation is 31
    assert max(counts) < 1150
    assert shard_of(0, 64) == 0
    assert shard_of(2**128 - 1, 64) == 63


def test_the_number_of_shards_is_the_packages() -> None:
    # 60 kB a window: below 128 MiB one shard, 800,000 make 512 of 94 MB each.
    assert [number_of_shards(count, 2500) for count in (1, 2_000, 2_300, 21_837, 800_035)] == [
        1,
        1,
        2,
        16,
        512,
    ]


def test_a_changed_file_is_found(listing: Listing, tmp_path: Path) -> None:
    folder = prepare(listing, tmp_path, SETTINGS).folder
    sums = read_sums(folder)
    assert set(sums) == set(contents(folder)) - {SUMS}
    assert list(damaged(folder, sums)) == []
    shard = max(folder.glob("*.tfrecord*"), key=lambda path: path.stat().st_size)
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    (folder / schema.MANIFEST_FILE).unlink()
    found = list(damaged(folder, sums))
    assert {sentence.split(" ")[0] for sentence in found} == {str(folder / schema.MANIFEST_FILE), str(shard)}
    assert len(found) == 2
    (folder / SUMS).write_text("nonsense\n")
    with pytest.raises(ValueError, match="expected lines of digest and file name"):
        read_sums(folder)


def test_digests_are_those_of_sha256sum(listing: Listing, tmp_path: Path) -> None:
    folder = prepare(listing, tmp_path, SETTINGS).folder
    subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=folder, check=True)
    known = (folder / SUMS).read_bytes()
    write_sums(folder, {})
    assert (folder / SUMS).read_bytes() == known


def test_pieces_come_in_the_order_of_their_keys(tmp_path: Path) -> None:
    with Spill(tmp_path) as spill:
        for key in (5, 2**127, 0, 3):
            spill.add(key, str(key).encode() * key.bit_length())
        assert len(spill) == 4
        assert list(spill.in_order()) == [b"", b"33", b"555", str(2**127).encode() * 128]
        assert list(tmp_path.iterdir()) == []  # the file has no name
