"""From a file to its examples: what is kept, what is dropped, what is refused."""

from pathlib import Path

import numpy as np
import pytest
from made_recordings import LEADS, change, made_ecg, write_record

from coreecg_jax.records import conditioning, schema
from coreecg_jax.records.databases.listing import About, Listed
from coreecg_jax.records.one_recording import Outcome, Settings, process, signal_hash
from coreecg_jax.records.policy import Policy
from coreecg_jax.records.refusals import Reason
from coreecg_jax.records.wfdb_files import wfdb_reader

MASKING = Policy(missing="mask", nan="mask", flat="mask", saturated="mask")


def run(folder: Path, settings: Settings | None = None, about: About | None = None) -> Outcome:
    return process(
        Listed("rec", "rec.hea", "fold3", about), wfdb_reader(folder), "made", settings or Settings()
    )


def test_an_example_has_exactly_the_fields_of_the_schema(tmp_path: Path) -> None:
    write_record(tmp_path)
    about = About("p7", 3, ("NORM", "SR"), (100.0, 0.0), 61.0, "F")
    outcome = run(tmp_path, about=about)
    (example,) = outcome.examples
    assert set(example) == set(schema.FIELDS)
    assert (example["patient_id"], example["fold"], example["age"], example["sex"]) == ("p7", 3, 61.0, "F")
    assert (example["labels"], example["likelihoods"]) == (["NORM", "SR"], [100.0, 0.0])
    assert example["patient_key"] == schema.patient_key("made", "p7")
    assert (example["length"], example["window"], example["source"]) == (2500, 0, "made")
    assert outcome.line["status"] == "read"
    assert outcome.split == "fold3"


def test_the_signal_is_the_conditioned_one_in_microvolts(tmp_path: Path) -> None:
    write_record(tmp_path, ecg=made_ecg())
    (example,) = run(tmp_path).examples
    expected = conditioning.condition(made_ecg(), 500.0, schema.Preprocessing())
    assert example["ecg"].dtype == np.dtype("<i2")
    # Half a microvolt for storing, and what is left of the file's own half after the filter.
    np.testing.assert_allclose(example["ecg"] / 1000, expected, atol=1.01e-3)


def test_windows_of_one_recording_join_without_a_seam(tmp_path: Path) -> None:
    write_record(tmp_path, ecg=made_ecg(seconds=38.0))
    outcome = run(tmp_path)
    assert [example["length"] for example in outcome.examples] == [2500, 2500, 2500, 2000]
    assert not outcome.examples[3]["ecg"][:, 2000:].any()
    joined = np.concatenate([example["ecg"] for example in outcome.examples], axis=1)[:, :9500]
    expected = conditioning.condition(made_ecg(seconds=38.0), 500.0, schema.Preprocessing())
    np.testing.assert_allclose(joined / 1000, expected, atol=1.01e-3)


def test_what_no_window_holds_is_counted(tmp_path: Path) -> None:
    write_record(tmp_path, ecg=made_ecg(seconds=45.0))
    assert run(tmp_path).line["dropped_seconds"] == 5.0
    capped = run(tmp_path, Settings(max_windows=2))
    assert [example["window"] for example in capped.examples] == [0, 3]
    assert capped.line["dropped_seconds"] == 25.0


def test_an_unknown_patient_is_nobody_else(tmp_path: Path) -> None:
    write_record(tmp_path)
    (example,) = run(tmp_path).examples
    assert example["patient_id"] == "recording:rec"
    assert np.isnan(example["age"])
    assert (example["sex"], example["labels"], example["likelihoods"], example["fold"]) == ("", [], [], 0)


def test_header_comments_are_used_where_no_table_speaks(tmp_path: Path) -> None:
    write_record(tmp_path, comments=["Age: 56", "Sex: Female", "Dx: 426177001,164934002"])
    (example,) = run(tmp_path).examples
    assert (example["age"], example["sex"], example["labels"]) == (56.0, "F", ["426177001", "164934002"])
    assert np.isnan(example["likelihoods"]).all()


def broken(folder: Path, fault: str) -> None:
    """A record with one fault, as `rec`."""
    ecg, names = made_ecg(), list(LEADS)
    if fault == "nan":
        ecg[0, 9] = np.nan
    elif fault == "flat_lead":
        ecg[0] = 0.1
    elif fault == "saturated":
        ecg[0] = np.clip(ecg[0] * 20, -3, 3)
    elif fault == "wrong_unit":
        ecg /= 1000
    elif fault == "too_short":
        ecg = ecg[:, :3499]
    elif fault == "missing_lead":
        ecg, names = ecg[1:], names[1:]
    elif fault == "unknown_lead":
        names[0] = "MLI"
    elif fault == "int16_overflow":
        ecg[0, 2500:2520] = 40.0
    header = write_record(folder, ecg=ecg, names=names, gains=800.0 if fault == "int16_overflow" else 1000.0)
    if fault == "sampling_rate":
        change(header, "rec 12 500", "rec 12 75")
    if fault == "unreadable":
        (folder / "rec.dat").unlink()


LEAD_FAULTS = ("nan", "flat_lead", "saturated", "missing_lead", "unknown_lead")
OTHER_FAULTS = ("wrong_unit", "too_short", "int16_overflow", "sampling_rate", "unreadable")


@pytest.mark.parametrize("fault", LEAD_FAULTS + OTHER_FAULTS)
def test_each_fault_is_refused_with_its_reason(tmp_path: Path, fault: str) -> None:
    broken(tmp_path, fault)
    outcome = run(tmp_path)
    assert outcome.examples == ()
    assert (outcome.line["status"], outcome.line["reason"]) == ("refused", str(Reason(fault)))
    assert "expected" in outcome.line["sentence"] or fault == "unreadable"


@pytest.mark.parametrize(
    ("fault", "bit"),
    [
        ("nan", schema.LeadFlag.NAN),
        ("flat_lead", schema.LeadFlag.FLAT),
        ("saturated", schema.LeadFlag.SATURATED),
        ("missing_lead", schema.LeadFlag.MISSING),
        ("unknown_lead", schema.LeadFlag.MISSING),
    ],
)
def test_masking_keeps_the_good_leads(tmp_path: Path, fault: str, bit: schema.LeadFlag) -> None:
    broken(tmp_path / "broken", fault)
    write_record(tmp_path / "good")
    (example,) = run(tmp_path / "broken", Settings(policy=MASKING)).examples
    (good,) = run(tmp_path / "good").examples
    assert example["quality"].tolist() == [bit] + [0] * 11
    assert not example["ecg"][0].any()
    np.testing.assert_array_equal(example["ecg"][1:], good["ecg"][1:])


def test_a_damaged_gain_is_a_bad_lead(tmp_path: Path) -> None:
    header = write_record(tmp_path / "broken")
    change(header, "rec.dat 16 1000(0)/mV 16 0 0 0 0 I\n", "rec.dat 16 1e-30(0)/mV 16 0 0 0 0 I\n")
    write_record(tmp_path / "good")
    refused = run(tmp_path / "broken").line
    assert refused["reason"] == "nan"
    assert refused["sentence"].endswith("invalid or beyond 1e+06 mV: I")
    (example,) = run(tmp_path / "broken", Settings(policy=MASKING)).examples
    (good,) = run(tmp_path / "good").examples
    assert example["quality"].tolist() == [schema.LeadFlag.NAN] + [0] * 11
    np.testing.assert_array_equal(example["ecg"][1:], good["ecg"][1:])


def test_the_hash_tells_signals_apart() -> None:
    ecg = made_ecg()
    other = ecg.copy()
    other[11, -1] += 0.002
    missing = ecg.copy()
    missing[0] = np.nan
    assert len({signal_hash(x) for x in (ecg, other, missing, ecg[:, :-1])}) == 4
    assert signal_hash(ecg) == signal_hash(ecg + 1e-6 * (np.rint(ecg * 1000) - ecg * 1000))


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="max_windows: expected at least 1, got 0"):
        Settings(max_windows=0)
    with pytest.raises(ValueError, match=r"low_pass: .* got 200"):
        Settings(schema.Preprocessing(low_pass=200.0))
