"""Files of hospitals that are not WFDB: what is read, and what is refused.

EDF, GE MUSE and HL7 aECG files are written here from the specifications; DICOM by pydicom, beside the
recording that this package brings along. No file of a real device was at hand but that one.
"""

import builtins
import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_formats import MUSE_LEADS, hl7_xml, muse_xml, write_dicom, write_edf
from made_recordings import LEADS, made_ecg, write_record

from coreecg_jax.records.databases import folder
from coreecg_jax.records.databases.header_comments import parse_comments
from coreecg_jax.records.formats import limits, xml_files
from coreecg_jax.records.formats.files import read_recording
from coreecg_jax.records.leads import LIMB_FROM_I_II
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.records.refusals import Reason, RecordingRefused

ROW_OF = {name: row for row, name in enumerate(LEADS)}
ECG_YAML = "sampling_rate: 500\nunit: mV\n"


def refused(path: Path) -> RecordingRefused:
    with pytest.raises(RecordingRefused) as caught:
        read_recording(path)
    assert caught.value.sentence
    return caught.value


def lawful_ecg() -> np.ndarray:
    """With limb leads that agree, as every recording has them."""
    ecg = made_ecg()
    ecg[:6] = LIMB_FROM_I_II @ ecg[:2]
    return ecg


@pytest.mark.parametrize("prefix", ["", "ECG ", "EKG-"])
def test_edf_by_label_and_unit(tmp_path: Path, prefix: str) -> None:
    pytest.importorskip("pyedflib")
    ecg, names = made_ecg(), [prefix + name.upper() for name in reversed(LEADS)]
    raw = read_recording(write_edf(tmp_path / "r.EDF", ecg[::-1], names=names))
    np.testing.assert_allclose(raw.ecg_LT, ecg, atol=5.1e-4)
    assert (raw.sampling_rate, raw.present_L.all(), raw.ignored_signals) == (500.0, True, ())
    about = parse_comments(raw.comments)
    assert (about.patient_id, about.sex) == ("MCH-0234567", "F")
    assert "Haagse" not in " ".join(raw.comments)


def test_edf_takes_the_leads_among_other_signals(tmp_path: Path) -> None:
    pytest.importorskip("pyedflib")
    raw = read_recording(
        write_edf(tmp_path / "r.edf", made_ecg()[:3], names=("Resp", "II", "V2"), patient="X X X X")
    )
    assert raw.present_L.tolist() == [name in ("II", "V2") for name in LEADS]
    assert (raw.ignored_signals, raw.comments) == (("Resp",), ())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: raw[:-100], Reason.UNREADABLE),  # cut short
        (lambda raw: raw[:200], Reason.UNREADABLE),
        (lambda raw: raw.replace(b"uV      ", b"degC    "), Reason.UNKNOWN_UNIT),
        (lambda raw: raw.replace(b"EDF+C", b"EDF+D"), Reason.UNREADABLE),
        (lambda raw: raw.replace(b"V3  ", b"V2  "), Reason.DUPLICATED_LEAD),
        (lambda raw: raw[:236] + b"99999999" + raw[244:], Reason.UNREADABLE),  # records
        (lambda raw: raw[:252] + b"9999" + raw[256:], Reason.UNREADABLE),  # signals
    ],
)
def test_edf_that_is_refused(tmp_path: Path, change: Callable[[bytes], bytes], reason: Reason) -> None:
    pytest.importorskip("pyedflib")
    path = write_edf(tmp_path / "r.edf", made_ecg())
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before
    assert refused(path).reason == reason


def test_dicom_by_the_codes_of_its_channels(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    ecg = made_ecg()
    ecg[4, 100:200] = np.nan
    raw = read_recording(write_dicom(tmp_path / "r.dcm", ecg))
    np.testing.assert_allclose(raw.ecg_LT, ecg, atol=6.3e-4)
    about = parse_comments(raw.comments)
    assert (about.patient_id, about.sex, about.age) == ("P9", "F", 64.0)
    assert "SECRET" not in " ".join(raw.comments)


def test_the_recording_that_pydicom_brings(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    try:
        path = pydicom.data.get_testdata_file("waveform_ecg.dcm", download=False)
    except ValueError:
        path = None
    if path is None:
        pytest.skip("this pydicom brings no waveform_ecg.dcm")
    raw = read_recording(Path(path))  # a device's file: codes of SCP-ECG, a rhythm and a median beat
    assert (raw.ecg_LT.shape, raw.sampling_rate, raw.present_L.all()) == ((12, 10_000), 1000.0, True)
    np.testing.assert_allclose(raw.ecg_LT[:6], LIMB_FROM_I_II @ raw.ecg_LT[:2], atol=2e-3)
    group = pydicom.dcmread(path).WaveformSequence[0]  # int16, the channels of a sample together, 1.25 uV
    names = [str(one.ChannelSourceSequence[0].CodeMeaning) for one in group.ChannelDefinitionSequence]
    steps_TC = np.frombuffer(group.WaveformData, "<i2").reshape(10_000, 12)
    for name, steps in zip(names, steps_TC.T):
        row = ROW_OF[name.partition(",")[0].partition(" (")[0].removeprefix("Lead ")]
        np.testing.assert_allclose(raw.ecg_LT[row], steps * 1.25e-3)


def test_dicom_that_is_refused(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    path = write_dicom(tmp_path / "r.dcm", made_ecg())

    def changed(change: Callable) -> RecordingRefused:
        file = pydicom.dcmread(path)
        change(file.WaveformSequence[0], file)
        file.save_as(tmp_path / "changed.dcm")
        return refused(tmp_path / "changed.dcm")

    def lack_sensitivity(group, file) -> None:
        del group.ChannelDefinitionSequence[3].ChannelSensitivity

    def other_start(group, file) -> None:
        import copy

        other = copy.deepcopy(group)
        other.MultiplexGroupTimeOffset = 2500
        file.WaveformSequence.append(other)

    assert changed(lack_sensitivity).reason == Reason.UNKNOWN_UNIT
    assert "recorded together" in changed(other_start).sentence
    assert "none" in changed(lambda group, file: setattr(group, "WaveformOriginality", "DERIVED")).sentence
    assert "at most" in changed(lambda group, file: setattr(group, "NumberOfWaveformSamples", 2**30)).sentence
    path.write_bytes(b"no DICOM")
    assert refused(path).reason == Reason.UNREADABLE


def test_hl7_by_code_and_scale(tmp_path: Path) -> None:
    pytest.importorskip("defusedxml")
    ecg, path = made_ecg(), tmp_path / "r.xml"
    path.write_text(hl7_xml(ecg))
    raw = read_recording(path)
    np.testing.assert_allclose(raw.ecg_LT, ecg, atol=1.26e-3)
    assert raw.sampling_rate == pytest.approx(500.0)
    about = parse_comments(raw.comments)
    assert (about.patient_id, about.sex, about.age) == ("SBJ_1", "M", 49.0)
    path.write_text(hl7_xml(ecg).replace('<origin value="0"', '<origin value="100"'))
    np.testing.assert_allclose(read_recording(path).ecg_LT, ecg + 0.1, atol=1.26e-3)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('unit="uV"/><digits>', 'unit="1"/><digits>', Reason.UNKNOWN_UNIT),
        ('<scale value="2.5" unit="uV"/>', "", Reason.UNKNOWN_UNIT),
        ('value="0.002"', 'value="x"', Reason.UNREADABLE),
        ('value="0.002"', 'value="0"', Reason.SAMPLING_RATE),
        ('unit="s"', 'unit="min"', Reason.SAMPLING_RATE),
        ("LEAD_V3", "LEAD_V2", Reason.DUPLICATED_LEAD),
        ("<digits>", "<digits>1 2 3 ", Reason.UNREADABLE),  # of the first lead only
        ("<digits>", "<digits>nonsense ", Reason.UNREADABLE),
    ],
)
def test_hl7_that_is_refused(tmp_path: Path, old: str, new: str, reason: Reason) -> None:
    pytest.importorskip("defusedxml")
    text = hl7_xml(made_ecg(seconds=1))
    assert old in text
    (tmp_path / "r.xml").write_text(text.replace(old, new, 1))
    assert refused(tmp_path / "r.xml").reason == reason


def test_muse_computes_the_limb_leads_that_it_leaves_out(tmp_path: Path) -> None:
    pytest.importorskip("defusedxml")
    ecg, path = lawful_ecg(), tmp_path / "r.xml"
    path.write_text(muse_xml(ecg[[ROW_OF[name] for name in MUSE_LEADS]]), encoding="latin-1")
    raw = read_recording(path)
    np.testing.assert_allclose(raw.ecg_LT, ecg, atol=2 * 2.45e-3)
    assert (raw.sampling_rate, raw.present_L.all()) == (500.0, True)
    about = parse_comments(raw.comments)
    assert (about.patient_id, about.sex, about.age, about.labels) == ("P 17", "F", 64.0, ())
    assert "SECRET" not in " ".join(raw.comments)


def test_muse_with_all_twelve_keeps_them_and_marks_invalid_samples(tmp_path: Path) -> None:
    pytest.importorskip("defusedxml")
    ecg = made_ecg()
    ecg[3, :10] = -32768 * 4.88e-3
    (tmp_path / "r.xml").write_text(muse_xml(ecg, names=LEADS))
    raw = read_recording(tmp_path / "r.xml")
    assert np.isnan(raw.ecg_LT[3, :10]).all()
    assert np.isnan(raw.ecg_LT).sum() == 10
    np.testing.assert_allclose(raw.ecg_LT[4], ecg[4], atol=2.45e-3)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("MICROVOLTS", "PARSECS", Reason.UNKNOWN_UNIT),
        ("<SampleBase>500", "<SampleBase>0", Reason.SAMPLING_RATE),
        ("<WaveformType>Rhythm", "<WaveformType>Median", Reason.UNREADABLE),
        ("<LeadSampleCountTotal>500", "<LeadSampleCountTotal>501", Reason.UNREADABLE),
        ("<LeadSampleSize>2", "<LeadSampleSize>4", Reason.UNREADABLE),
        ("<WaveFormData>\n", "<WaveFormData>%", Reason.UNREADABLE),
        ("<LeadID>V2", "<LeadID>V1", Reason.DUPLICATED_LEAD),
        ("</RestingECG>", "", Reason.UNREADABLE),
        ("RestingECG>", "HolterECG>", Reason.UNREADABLE),
    ],
)
def test_muse_that_is_refused(tmp_path: Path, old: str, new: str, reason: Reason) -> None:
    pytest.importorskip("defusedxml")
    text = muse_xml(made_ecg(seconds=1)[:8])
    assert old in text
    (tmp_path / "r.xml").write_text(text.replace(old, new))
    assert refused(tmp_path / "r.xml").reason == reason


def test_xml_that_would_grow_or_reach_out_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("defusedxml")
    (tmp_path / "secret").write_text("hidden")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bombs = {
        "laughs": f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><RestingECG>&l9;</RestingECG>',
        "quadratic": f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]><RestingECG>{"&a;" * 10_000}</RestingECG>',
        "file": f'<!DOCTYPE x [<!ENTITY f SYSTEM "file://{tmp_path}/secret">]><RestingECG>&f;</RestingECG>',
        "dtd": f'<!DOCTYPE RestingECG SYSTEM "file://{tmp_path}/secret"><RestingECG>&f;</RestingECG>',
        "parameter": '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]><RestingECG/>',
        "deep": "<RestingECG>" + "<a>" * 100_000,
    }
    opened: list[str] = []
    whole = builtins.open
    monkeypatch.setattr(
        builtins, "open", lambda *args, **kwargs: opened.append(str(args[0])) or whole(*args, **kwargs)
    )
    for name, text in bombs.items():
        (tmp_path / "r.xml").write_text(text)
        assert "hidden" not in refused(tmp_path / "r.xml").sentence, name
    assert not [path for path in opened if path.endswith("secret")]
    monkeypatch.setattr(xml_files, "MAX_ELEMENTS", 100)
    (tmp_path / "r.xml").write_text(f"<RestingECG>{'<a/>' * 101}</RestingECG>")
    assert "100 elements" in refused(tmp_path / "r.xml").sentence
    monkeypatch.setattr(xml_files, "MAX_BYTES", 10)
    assert "at most 10 bytes" in refused(tmp_path / "r.xml").sentence


@pytest.mark.parametrize("kind", ["rows", "columns", "float16", "fortran"])
def test_npy_of_either_orientation(tmp_path: Path, kind: str) -> None:
    ecg = made_ecg()
    changed = {
        "rows": ecg,
        "columns": ecg.T,
        "float16": ecg.astype(np.float16),
        "fortran": np.asfortranarray(ecg),
    }
    (tmp_path / "sub").mkdir()
    np.save(tmp_path / "sub" / "r.npy", changed[kind])
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + f"leads: [{', '.join(LEADS)}]\n")
    raw = read_recording(tmp_path / "sub" / "r.npy", tmp_path)
    np.testing.assert_allclose(raw.ecg_LT, ecg, atol=2e-3)
    assert (
        refused(tmp_path / "sub" / "r.npy").reason == Reason.UNREADABLE
    )  # alone, only its own folder counts


def test_counts_with_a_scale(tmp_path: Path) -> None:
    ecg = made_ecg()
    np.save(tmp_path / "r.npy", np.rint(ecg[:2] / 0.00488).astype(np.int16))
    (tmp_path / "r.yaml").write_text("sampling_rate: 500\nmillivolts_per_unit: 0.00488\nleads: [V2, I]\n")
    (tmp_path / "ecg.yaml").write_text("nonsense: true\n")  # the file's own goes before
    raw = read_recording(tmp_path / "r.npy")
    np.testing.assert_allclose(raw.ecg_LT[[ROW_OF["V2"], ROW_OF["I"]]], ecg[:2], atol=2.5e-3)
    assert raw.present_L.sum() == 2


def test_npy_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.npy"
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + f"leads: [{', '.join(LEADS)}]\n")
    for array in (
        np.zeros((12, 12)),
        np.zeros((5, 600)),
        np.zeros(12),
        np.zeros((12, 9), complex),
        np.zeros((12, 0)),
    ):
        np.save(path, array)
        refused(path)
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    assert "objects" in refused(path).sentence
    np.save(path, np.zeros((12, 5000)))
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"5000), }", b"9999999999999), }"))
    refused(path)
    path.write_bytes(raw[:-8])
    refused(path)
    path.write_bytes(raw)
    monkeypatch.setattr(limits, "MAX_VALUES", 1000)
    assert "cut the recording" in refused(path).sentence


def test_csv_with_and_without_a_header_line(tmp_path: Path) -> None:
    ecg, path = made_ecg(seconds=2), tmp_path / "r.csv"
    lines = "\n".join(",".join(f"{value:.4f}" for value in row) for row in ecg.T)
    (tmp_path / "ecg.yaml").write_text(ECG_YAML)
    path.write_text(",".join(LEADS) + "\n" + lines)
    np.testing.assert_allclose(read_recording(path).ecg_LT, ecg, atol=5.1e-5)
    path.write_text('"time",' + ",".join(LEADS) + "\n" + "\n".join(f"0,{line}" for line in lines.split("\n")))
    assert read_recording(path).ignored_signals == ("time",)
    path.write_text(lines)
    assert "columns" in refused(path).sentence
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + f"leads: [{', '.join(LEADS)}]\n")
    np.testing.assert_allclose(read_recording(path).ecg_LT, ecg, atol=5.1e-5)
    path.write_text(",".join(reversed(LEADS)) + "\n" + lines)
    assert "leave one of them out" in refused(path).sentence
    for text in ("", "I,II\n", lines + "\n1,2", lines.replace(",", ";"), "\xff"):
        path.write_text(text, encoding="latin-1")
        refused(path)


def test_hdf5_of_one_recording(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path, ecg = tmp_path / "r.h5", made_ecg()
    with h5py.File(path, "w") as file:
        file.create_dataset("lead/ecg", data=ecg.T, compression="gzip")
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + f"leads: [{', '.join(LEADS)}]\ndataset: lead/ecg\n")
    np.testing.assert_allclose(read_recording(path).ecg_LT, ecg)
    with h5py.File(path, "w") as file:
        file["lead/other"] = ecg
    assert "there are other" in refused(path).sentence


def test_hdf5_that_reaches_out_or_grows_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + "leads: [I, II]\ndataset: ecg\n")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["ecg"] = made_ecg()[:2]
    (tmp_path / "raw").write_bytes(made_ecg()[:2].tobytes())
    path = tmp_path / "r.h5"

    def written(write: Callable) -> RecordingRefused:
        path.unlink(missing_ok=True)
        with h5py.File(path, "w") as file:
            write(file)
        return refused(path)

    def link(file) -> None:
        file["ecg"] = h5py.ExternalLink("other.h5", "ecg")

    def stored_outside(file) -> None:
        file.create_dataset("ecg", (2, 5000), "<f8", external=[(str(tmp_path / "raw"), 0, 80_000)])

    def virtual(file) -> None:
        layout = h5py.VirtualLayout((2, 5000), "<f8")
        layout[:] = h5py.VirtualSource("other.h5", "ecg", (2, 5000))
        file.create_virtual_dataset("ecg", layout)

    for write in (link, stored_outside, virtual):
        assert written(write).reason == Reason.OUTSIDE_FOLDER
    assert (
        "at most"
        in written(lambda file: file.create_dataset("ecg", (2, 10**12), "<f8", chunks=(1, 1000))).sentence
    )
    assert (
        "chunks"
        in written(lambda file: file.create_dataset("ecg", (2, 10**8), "<f8", chunks=(1, 10**8))).sentence
    )
    assert "numbers" in written(lambda file: file.create_dataset("ecg", data=[b"text"])).sentence


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        "unit: mV",
        "sampling_rate: true\nunit: mV",
        "sampling_rate: .nan\nunit: mV",
        "sampling_rate: 500",
        "sampling_rate: 500\nunit: mmHg",
        "sampling_rate: 500\nunit: mV\nmillivolts_per_unit: 1",
        "sampling_rate: 500\nmillivolts_per_unit: -1",
        "sampling_rate: 500\nunit: mV\nhz: 500",
        "sampling_rate: 500\nunit: mV\nleads: I",
        "sampling_rate: 500\nunit: mV\nleads: [I, i]",
        "sampling_rate: !!python/object/apply:os.system ['true']\nunit: mV",
        "a: &a [x, x]\nb: &b [*a, *a]\nsampling_rate: *b",
        "[" * 5000,
    ],
)
def test_descriptions_that_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "ecg.yaml").write_text(text)
    np.save(tmp_path / "r.npy", made_ecg())
    refused(tmp_path / "r.npy")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + "dataset: ecg")
    for suffix, package in (
        (".edf", "pyedflib"),
        (".dcm", "pydicom"),
        (".xml", "defusedxml"),
        (".h5", "h5py"),
    ):
        (tmp_path / f"r{suffix}").write_bytes(b"")
        with pytest.raises(limits.MissingPackage, match=rf"{package}: pip install 'coreecg-jax\[formats\]'"):
            read_recording(tmp_path / f"r{suffix}")


def test_other_files_are_no_recordings(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("")
    assert "expected one of .hea, .edf" in refused(tmp_path / "r.txt").sentence
    assert refused(tmp_path / "absent.npy").reason == Reason.UNREADABLE


def test_a_folder_of_all_kinds_is_one_data_set(tmp_path: Path) -> None:
    for package in ("pyedflib", "pydicom", "defusedxml"):
        pytest.importorskip(package)
    source, ecg = tmp_path / "hospital", lawful_ecg()
    write_record(source / "wfdb", "a", ecg)
    write_edf(source / "b.edf", ecg)
    write_dicom(source / "c.dcm", ecg)
    (source / "d.xml").write_text(hl7_xml(ecg))
    (source / "e.xml").write_text(muse_xml(ecg[[ROW_OF[name] for name in MUSE_LEADS]]))
    (source / "arrays").mkdir()
    np.save(source / "arrays" / "d.npy", ecg)
    np.save(source / "no_recording.npy", ecg)
    (source / "arrays" / "ecg.yaml").write_text(ECG_YAML + f"leads: [{', '.join(LEADS)}]\n")
    np.save(source / "b.npy", ecg)
    (source / "b.yaml").write_text(ECG_YAML + f"leads: [{', '.join(LEADS)}]\n")
    (source / "recordings.csv").write_text(
        "file,patient_id,age,sex,labels\nb.edf,p1,70,male,AFIB; LVH;AFIB\nabsent.edf,p2,,,\n"
    )
    listing = folder.list_recordings(source)
    assert (listing.name, listing.missing) == ("hospital", ("absent.edf",))
    ids = [one.recording_id for one in listing.recordings]
    assert ids == ["arrays/d", "b.edf", "b.npy", "c", "d", "e", "wfdb/a"]
    outcomes = [process(one, listing.read, listing.name, Settings()) for one in listing.recordings]
    assert {outcome.line["status"] for outcome in outcomes} == {"read"}
    windows = [outcome.examples[0]["ecg"].astype(int) for outcome in outcomes]
    for window in windows[1:]:
        assert np.abs(window - windows[0]).max() <= 6  # microvolts: MUSE's steps are 4.88
    told = outcomes[1].examples[0]
    assert (told["patient_id"], told["age"], told["sex"], told["labels"]) == (
        "p1",
        70.0,
        "M",
        ["AFIB", "LVH"],
    )
    assert [outcome.examples[0]["patient_id"] for outcome in outcomes[3:6]] == ["P9", "SBJ_1", "P 17"]


def test_a_folder_of_wfdb_alone_is_listed_as_ever(tmp_path: Path) -> None:
    for name in ("b/2", "b/10", "a"):
        write_record((tmp_path / name).parent, Path(name).name)
    listing = folder.list_recordings(tmp_path, "mine")
    assert [one.recording_id for one in listing.recordings] == ["a", "b/10", "b/2"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="found none: check --source"):
        folder.list_recordings(tmp_path / "empty", "mine")
    (tmp_path / "recordings.csv").write_text("file\na.hea\na.hea\n")
    with pytest.raises(ValueError, match=r"a\.hea stands there twice"):
        folder.list_recordings(tmp_path, "mine")
