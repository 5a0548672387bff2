"""One signal is found under other rates, gains, orders, crops and noise; two signals are never called one."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coreecg_jax.downstream.overlaps import Windows, joined, same_signals, signal_names
from coreecg_jax.records import conditioning
from coreecg_jax.records.databases import simulated
from coreecg_jax.records.fingerprint import beat_times, fingerprints_of
from coreecg_jax.records.likeness import likeness
from coreecg_jax.records.one_recording import Settings
from coreecg_jax.records.prepare import prepare
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.records.wfdb_files import read_wfdb
from launch.auditing import sides

BAND = Preprocessing(sampling_rate=100.0)
Raw = list[tuple[str, str, np.ndarray, float]]  # name, patient, mV, Hz
Change = Callable[[np.ndarray, float], tuple[np.ndarray, float]]


def windows(raw: Raw, change: Change = lambda ecg, rate: (ecg, rate), prefix: str = "") -> Windows:
    """The windows of recordings, each changed before it is conditioned."""
    names, patients, signals = [], [], []
    for name, patient, ecg, rate in raw:
        conditioned = conditioning.condition(*change(ecg, rate), BAND)
        for _, start, length in conditioning.window_spans(conditioned.shape[1], BAND, 6):
            names.append(prefix + name)
            patients.append(patient)
            signals.append(np.rint(conditioned[:, start : start + length] * 1000))
    return Windows(
        np.array(names),
        np.array(patients),
        np.array(names),
        fingerprints_of(signals),
        lambda numbers: {number: signals[number] for number in numbers},
    )


def changes() -> dict[str, Change]:
    rng = np.random.default_rng(0)

    def noisy(microvolts: float) -> Change:
        return lambda ecg, rate: (ecg + rng.normal(0, microvolts / 1000, ecg.shape), rate)

    return {
        "250 Hz": lambda ecg, rate: (conditioning.resample(ecg, rate, 250.0), 250.0),
        "250, then 100 Hz": lambda ecg, rate: (
            conditioning.resample(conditioning.resample(ecg, rate, 250.0), 250.0, 100.0),
            100.0,
        ),
        "gain x 2": lambda ecg, rate: (2 * ecg, rate),
        "other order of leads": lambda ecg, rate: (ecg[rng.permutation(12)], rate),
        "0.5 s less": lambda ecg, rate: (ecg[:, int(0.5 * rate) :], rate),
        "noise of 20 uV": noisy(20.0),
        "noise of 50 uV": noisy(50.0),
    }


@pytest.fixture(scope="module")
def virtual() -> Raw:
    """80 simulated recordings: some patients have several."""
    listing = simulated.list_recordings(80, seed=3)
    read = [(listed, listing.read(listed.file)) for listed in listing.recordings]
    return [
        (one.recording_id, one.about.patient_id or "", raw.ecg_LT, raw.sampling_rate)
        for one, raw in read
        if one.about
    ]


LESS = ("250, then 100 Hz", "gain x 2", "noise of 20 uV")  # than another of the changes


@pytest.mark.parametrize(
    "change",
    [pytest.param(name, marks=pytest.mark.slow) if name in LESS else name for name in changes()],
)
def test_a_changed_copy_is_found_and_nothing_else(virtual: Raw, change: str) -> None:
    pairs = same_signals(windows(virtual), windows(virtual, changes()[change], "copy of "))
    wrong = [pair for pair in pairs if pair.second != f"copy of {pair.first}"]
    assert wrong == []
    assert len(pairs) >= 0.97 * len(virtual)
    assert not any(pair.exact for pair in pairs)
    shift = np.median([pair.shift for pair in pairs])
    assert shift == pytest.approx(0.5 if change == "0.5 s less" else 0.0, abs=0.005)
    gain = np.median([pair.like.gain for pair in pairs if pair.like])
    assert gain == pytest.approx(0.5 if change == "gain x 2" else 1.0, abs=0.03)
    in_order = np.mean([pair.like.leads_in_order for pair in pairs if pair.like])
    assert in_order < 0.2 if change == "other order of leads" else in_order > 0.9


def test_no_two_recordings_are_one(virtual: Raw) -> None:
    assert same_signals(windows(virtual)) == []


def test_one_name_for_all_that_is_one_signal(virtual: Raw) -> None:
    first, other = virtual[0][2], virtual[7][2]
    three = [("a", "1", first, 500.0), ("b", "2", 2 * first, 500.0), ("c", "3", other, 500.0)]
    names = signal_names(windows(three)).tolist()
    assert names[0] == names[1] != names[2]


def test_parts_that_were_joined_are_compared_as_one(virtual: Raw) -> None:
    others = windows(virtual[5:12], changes()["250 Hz"], "copy of ")
    whole, parts = (
        windows(virtual[:10]),
        [windows(virtual[:4]), windows(virtual[4:5]), windows(virtual[5:10])],
    )
    together = joined(parts)
    assert same_signals(together, others) == same_signals(whole, others) != []
    assert same_signals(others, together) == same_signals(others, whole)
    loaded, expected = together.load([0, 4, 8, 4]), whole.load([0, 4, 8])
    assert list(loaded) == [0, 4, 8]
    for number, signal in expected.items():
        np.testing.assert_array_equal(loaded[number], signal)


def test_the_likeness_of_a_shifted_copy_is_that_of_the_slow_way(virtual: Raw) -> None:
    ecg = conditioning.condition(virtual[0][2], 500.0, BAND)
    moved = ecg[:, 40:]  # the time in the first is that in the second plus 0.4 s
    found = likeness(ecg, moved, beat_times(ecg), 0.4)
    assert found.correlation == pytest.approx(1.0, abs=1e-9)
    assert found.remainder == pytest.approx(1.0, abs=1e-9)
    assert found.overlap == 1.0
    assert found.gain == pytest.approx(1.0)
    apart = likeness(ecg, moved, beat_times(ecg), 0.6)  # 20 samples too far
    one, other = ecg[:, 90:-30], moved[:, 30:-50][:, : ecg.shape[1] - 120]
    expected = [max(abs(np.corrcoef(a, b)[0, 1]) for b in other) for a in one]
    assert apart.correlation == pytest.approx(np.median(expected), abs=0.02)
    assert not apart.one_signal


@pytest.mark.slow
def test_every_known_pair_of_the_real_recordings_is_found_and_no_other(real_ecg: Path) -> None:
    with (real_ecg / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    raw = []
    for row in rows:
        recording = read_wfdb(real_ecg / f"{row['path']}.hea")
        patient = row["patient_id"] or row["record"]
        raw.append((row["record"], patient, np.nan_to_num(recording.ecg_LT), recording.sampling_rate))
    known = {frozenset((row["record"], row["duplicate_of"])) for row in rows if row["duplicate_of"]}
    assert len(known) == 5
    real = windows(raw)
    found = same_signals(real)
    assert {frozenset((pair.first, pair.second)) for pair in found} == known
    copies = same_signals(real, windows(raw[:60], changes()["250, then 100 Hz"], "copy of "))
    paired = {(pair.first, pair.second.removeprefix("copy of ")) for pair in copies}
    assert {(name, name) for name, *_ in raw[:60]} <= paired
    assert all(first == second or frozenset((first, second)) in known for first, second in paired)


def test_the_launcher_says_what_two_data_sets_share(tmp_path: Path) -> None:
    for seed in (5, 6):
        prepare(simulated.list_recordings(6, seed=seed, name=f"made{seed}"), tmp_path, Settings(BAND))
    out = tmp_path / "new" / "audit.json"
    command = [sys.executable, "-m", "launch.audit", f"--data_root={tmp_path}", f"--out={out}"]
    command += ["--data=made5", "--data=made6, made5", "--data=made6", "--fail_on_overlap"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 4, done.stderr
    report = json.loads(out.read_text())
    assert [row["recordings"] for row in report["data"].values()] == [6, 12, 6]
    between = {(row["first"], row["second"]): row for row in report["compared"]}
    both = between["made5", "made6, made5"]
    assert (both["recordings"], both["exact"], both["near"]) == (6, 0, 0)
    assert between["made5", "made6"]["recordings"] == 0
    assert "| made5 and made6, made5 | 6 |" in done.stdout


def test_sides_of_an_audit_may_lie_under_two_roots() -> None:
    assert sides(["a"], ["x", "y:fold1"]) == {"x": ("a", "x"), "y:fold1": ("a", "y:fold1")}
    assert sides(["a", "b"], ["x", "x"]) == {"a/x": ("a", "x"), "b/x": ("b", "x")}
    assert sides(["a", "a"], ["x", "y"]) == {"x": ("a", "x"), "y": ("a", "y")}
    with pytest.raises(ValueError, match="--data: expected each specification once, got x more than once"):
        sides(["a", "b", "a"], ["x", "x", "x"])
    with pytest.raises(ValueError, match="--data_root: expected one, or one for each of 3 --data, got 2"):
        sides(["a", "b"], ["x", "y", "z"])
