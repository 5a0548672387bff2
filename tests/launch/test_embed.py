"""From recordings on disk to a Parquet file, as a user sees it."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from made_launches import launched
from made_parameters import made_parameters

import coreecg_jax
from configs import tiny
from coreecg_jax.export.description import Description, Normalisation, Representation, Training
from coreecg_jax.export.streaming import Row, embedded, write_parquet
from coreecg_jax.export.writing import write_bundle
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.refusals import RecordingRefused
from coreecg_jax.records.schema import LeadFlag, Preprocessing
from coreecg_jax.records.simulator.simulate import simulate
from coreecg_jax.records.wfdb_files import read_wfdb
from coreecg_jax.training.experiment import network_of
from launch.embedding import Counted, recordings_of


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = network_of(tiny.get_config())
    training = Training("coreecg", "made", {}, 0, 0, 400, "float32", "learned", 0.1, 10)
    about = Normalisation(), Representation("lead", 400, 2), training
    description = Description(network, Preprocessing(sampling_rate=100.0), *about)
    fda = {"s": np.zeros(17, np.float32), "a": np.float32(0.5)}
    parameters = {"network": made_parameters(network), "fda": fda}
    out = tmp_path_factory.mktemp("bundle") / "b"
    write_bundle(out, description, parameters, formats=())
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good, of other leads, flat in V2, too short, damaged."""
    out = tmp_path_factory.mktemp("wfdb")
    ecg = simulated()
    write(out, "a_good", ecg)
    write(out, "b_two", ecg[[1, 0]], ("II", "I"))
    flat = ecg.copy()
    flat[7] = 0.0
    write(out, "c_flat", flat)
    write(out, "d_short", ecg[:, :1000])
    write(out, "e_broken", ecg)
    (out / "e_broken.dat").unlink()
    return out


def simulated() -> np.ndarray:
    """float64[12, 2500] mV at 250 Hz."""
    return simulate(0, 2, 0, sampling_rate=250.0, seconds=10.0).ecg_LT


def write(
    out: Path,
    name: str,
    signal: np.ndarray,
    leads: tuple[str, ...] = LEADS,
    gain: str = "1000",
    rate: int = 250,
) -> None:
    """A WFDB record, with `gain` written for its last signal."""
    (out / f"{name}.dat").write_bytes(np.rint(signal.T * 1000).astype("<i2").tobytes())
    gains = ["1000"] * (len(leads) - 1) + [gain]
    lines = [f"{name}.dat 16 {each}(0)/mV 16 0 0 0 0 {lead}" for lead, each in zip(leads, gains)]
    head = f"{name} {len(leads)} {rate} {signal.shape[1]}"
    (out / f"{name}.hea").write_text("\n".join([head, *lines]) + "\n")


def rows_of(bundle: Path, folder: Path, bad_leads: str) -> dict[str, Row]:
    """What becomes of the recordings of a folder, by the name of their file."""
    recordings = [(Path(one.id).name, one.read) for one in recordings_of([str(folder)])]
    rows = embedded(coreecg_jax.load(bundle), recordings, bad_leads=bad_leads)
    return {row.id: row for some in rows for row in some}


def launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    return launched("launch.embed", *arguments)


def test_recordings_become_rows(bundle: Path, folder: Path, tmp_path: Path) -> None:
    loaded, out = coreecg_jax.load(bundle), tmp_path / "e.parquet"
    found = recordings_of([str(folder)])
    counts = Counted(embedded(loaded, [(Path(one.id).name, one.read) for one in found]), len(found))
    write_parquet(out, counts, loaded)
    assert counts.summary().startswith(
        "1 with fewer leads than training ever left to the encoder; 3 embedded, 2 refused (too_short 1, "
        "unreadable 1); the first: d_short: expected at least 7 s, got 4.00 s"
    )
    table = pq.read_table(out)
    rows = {row["id"]: row for row in table.to_pylist()}
    assert list(rows) == ["a_good", "b_two", "c_flat", "d_short", "e_broken"]
    assert b"coreecg-bundle" in table.schema.metadata[b"coreecg_bundle"]
    expected = loaded.embed(read_wfdb(folder / "a_good.hea").ecg_LT, fs=250)[0]
    np.testing.assert_allclose(rows["a_good"]["embedding"], expected, atol=1e-4)
    assert rows["b_two"]["leads"] == ["I", "II"]
    assert (rows["b_two"]["unseen"], rows["a_good"]["unseen"]) == (True, False)
    assert rows["c_flat"]["flags"] == [LeadFlag.FLAT if lead == "V2" else 0 for lead in LEADS]
    assert rows["d_short"]["embedding"] is None
    assert (rows["d_short"]["status"], rows["d_short"]["reason"]) == ("refused", "too_short")
    assert rows["d_short"]["flags"] == [0] * 12
    assert rows["e_broken"]["flags"] == rows["e_broken"]["ignored"] == []


def test_one_damaged_lead_ends_no_run(bundle: Path, tmp_path: Path) -> None:
    ecg = simulated()
    tall = ecg.copy()
    tall[11, 1000:1010] = 3.2  # mV, of which the gain makes 320
    write(tmp_path, "a_good", ecg)
    write(tmp_path, "b_gain", ecg, gain="1e-30")
    write(tmp_path, "c_tall", tall, gain="10")
    masked = rows_of(bundle, tmp_path, "mask")
    assert [row.status for row in masked.values()] == ["embedded"] * 3
    assert masked["b_gain"].flags == [0] * 11 + [LeadFlag.NAN]
    assert masked["c_tall"].flags == [0] * 11 + [LeadFlag.UNIT]
    assert masked["b_gain"].leads == masked["c_tall"].leads == list(LEADS[:11])
    refused = rows_of(bundle, tmp_path, "refuse")
    assert [row.reason for row in refused.values()] == ["", "nan", "int16_overflow"]
    assert "beyond 1e+06 mV: V6" in refused["b_gain"].sentence
    assert "got 3" in refused["c_tall"].sentence
    np.testing.assert_allclose(refused["a_good"].embedding, masked["a_good"].embedding, atol=1e-5)
    np.testing.assert_allclose(masked["b_gain"].embedding, masked["c_tall"].embedding, atol=1e-5)


def test_a_folder_becomes_a_file(bundle: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "e.parquet"
    result = launch(f"--bundle={bundle}", f"--out={out}", str(folder))
    assert result.returncode == 0, result.stderr
    assert "3 embedded, 2 refused" in result.stdout
    assert "\nleads I, II: 1 rows; accuracy: nothing known\n" in result.stdout
    assert pq.read_table(out).num_rows == 5
    assert sorted(path.name for path in out.parent.iterdir()) == ["e.parquet"]


def test_another_suffix_is_refused(bundle: Path, folder: Path, tmp_path: Path) -> None:
    result = launch(f"--bundle={bundle}", f"--out={tmp_path / 'e.csv'}", str(folder))
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith("error: --out: expected a name that ends in .parquet, got ")
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_a_file_that_is_there_stays(bundle: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "e.parquet").write_text("mine")
    again = launch(f"--bundle={bundle}", f"--out={tmp_path / 'e.parquet'}", str(folder))
    assert again.returncode == 2
    assert again.stderr.startswith(f"error: --out: {tmp_path / 'e.parquet'} is there already")
    assert (tmp_path / "e.parquet").read_text() == "mine"


def test_few_are_held_at_a_time(bundle: Path, folder: Path) -> None:
    """The next recordings are read when the rows of those before are taken."""
    taken: list[int] = []

    def reading():
        for number in range(130):
            taken.append(number)
            yield f"r{number}", lambda: read_wfdb(folder / "d_short.hea")

    rows = embedded(coreecg_jax.load(bundle), reading())
    assert len(next(rows)) == 64
    assert len(taken) == 64
    assert sum(len(some) for some in rows) == 66


def test_files_folders_and_records_are_named(folder: Path, tmp_path: Path) -> None:
    names = [str(folder / "c_flat"), str(folder / "a_good.hea"), str(folder)]
    assert [one.path.stem for one in recordings_of(names)] == [
        "c_flat",
        "a_good",
        "b_two",
        "d_short",
        "e_broken",
    ]
    np.save(folder / "array.npy", np.zeros((12, 5000)))
    with pytest.raises(RecordingRefused, match=r"expected ecg\.yaml or array\.yaml beside it"):
        recordings_of([str(folder / "array.npy")])[0].read()
    assert len(recordings_of([str(folder)])) == 5  # an array that nobody describes is no recording
    for wrong in (str(tmp_path), str(folder / "missing"), str(folder / "a_good.dat")):
        with pytest.raises(FileNotFoundError, match="expected a file"):
            recordings_of([wrong])
    with pytest.raises(ValueError, match="after the flags, got none"):
        recordings_of([])


@pytest.mark.parametrize("typed", ["{}", "{}/", "./{}", "{}//", "x/../{}", "{0}/../{0}", "/{}", "/./{}/"])
def test_the_ids_are_the_same_however_the_folder_is_typed(
    folder: Path, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    (folder.parent / "x").mkdir(exist_ok=True)
    name = typed.format(str(folder).removeprefix("/") if typed.startswith("/") else folder.name)
    ids = [one.id for one in recordings_of([name, folder.name, str(folder / "a_good.hea")])]
    expected = ("a_good", "b_two", "c_flat", "d_short", "e_broken")
    assert ids == [f"{folder.name}/{each}" for each in expected]
    assert all(one.path.is_file() for one in recordings_of([name]))


def test_outside_of_the_current_folder_the_typed_path_is_the_id(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (first, *_) = recordings_of([f"{folder}/."])
    assert first.id == f"{folder}/a_good"
    above = os.path.relpath(folder)
    (first, *_) = recordings_of([f"./{above}/"])
    assert first.id == f"{above}/a_good"


def test_what_became_of_them_is_counted() -> None:
    row = Row("x", "embedded", "", "", 1, ["I"], False, [0] * 12, [], np.zeros(3))
    counts = Counted([[row], [row]], 2)
    assert sum(len(rows) for rows in counts) == 2
    assert counts.summary() == "2 embedded, 0 refused"


def test_sets_of_leads_that_training_never_left_are_told() -> None:
    def row(*leads: str, ignored: tuple[str, ...] = ()) -> Row:
        unseen = len(leads) < 10
        return Row("x", "embedded", "", "", 1, list(leads), unseen, [0] * 12, list(ignored), np.zeros(3))

    counts = Counted([[row("I"), row(*LEADS)], [row("V5", ignored=("MLII",)), row("I")]], 4)
    assert sum(len(rows) for rows in counts) == 4
    assert counts.summary() == (
        "3 with fewer leads than training ever left to the encoder; 4 embedded, 0 refused\n"
        "signals that are none of the twelve leads, ignored: MLII 1"
    )
    known = {("I",): "all of it", ("V5",): "nothing known"}
    assert list(counts.unseen_sets(lambda leads: known[tuple(leads)])) == [
        "leads I: 2 rows; accuracy: all of it",
        "leads V5: 1 rows; accuracy: nothing known",
    ]
    pairs = [row(one, other) for one in LEADS for other in LEADS if one < other]
    many = Counted([pairs], len(pairs))
    assert [len(rows) for rows in many] == [66]
    lines = list(many.unseen_sets(lambda leads: "nothing known"))
    assert len(lines) == 21
    assert lines[-1] == "46 other sets of leads: 46 rows"


def test_what_the_file_holds_besides_is_named(bundle: Path, tmp_path: Path) -> None:
    ecg = simulated()
    write(tmp_path, "a_both", ecg[[1, 10]], ("MLII", "V5"))
    write(tmp_path, "b_alone", ecg[:1], ("MLII",))
    write(tmp_path, "c_slow", ecg[:, :1000], rate=50)
    rows = rows_of(bundle, tmp_path, "mask")
    assert rows["a_both"].leads == ["V5"]
    assert [row.ignored for row in rows.values()] == [["MLII"], ["MLII"], []]
    assert rows["b_alone"].reason == "no_good_lead"
    assert rows["b_alone"].sentence.endswith("signals that are none of these: MLII")
    assert rows["b_alone"].flags == [LeadFlag.MISSING] * 12
    assert rows["c_slow"].reason == "sampling_rate"
    assert "got 50 Hz" in rows["c_slow"].sentence
    assert rows["c_slow"].flags == [0] * 12
    assert rows["c_slow"].embedding is None


def test_the_table_of_a_described_folder_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "ecg.yaml").write_text(f"sampling_rate: 250\nunit: mV\nleads: [{', '.join(LEADS)}]\n")
    np.save(tmp_path / "a.npy", simulated())
    (tmp_path / "recordings.csv").write_text("file,labels\na.npy,AF\n")
    assert [one.path.name for one in recordings_of([str(tmp_path)])] == ["a.npy"]
