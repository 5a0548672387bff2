"""A whole file of every kind that is read, small, to be damaged."""

import os
from pathlib import Path

import numpy as np
from made_formats import MUSE_LEADS, hl7_xml, muse_xml, write_dicom, write_edf
from made_recordings import LEADS, made_ecg, write_record

from coreecg_jax.records.databases import code15, cpsc2018, mimic_iv_ecg, ptbxl, sph
from coreecg_jax.records.databases import folder as own

TABLES = {
    "ptbxl": (ptbxl.TABLE,),
    "mimic_iv_ecg": (mimic_iv_ecg.TABLE, mimic_iv_ecg.REPORTS),
    "code15": (code15.TABLE, "exams_part0.hdf5"),
    "sph": (sph.TABLE,),
    "cpsc2018": (cpsc2018.TABLE,),
    "folder": (own.TABLE,),
}
KINDS = (
    *TABLES,
    "hea",
    "dat",
    "hea212",
    "edf",
    "dcm",
    "hl7",
    "muse",
    "npy",
    "csv",
    "h5",
    "yaml",
    "contest",
    "real",
)
_YAML = "sampling_rate: 500\nunit: mV\nleads: [{}]\ndataset: ecg\n"


def whole_files(kind: str, folder: Path) -> list[tuple[Path, Path]]:
    """(what is read, what is damaged)."""
    folder.mkdir(parents=True)
    ecg, path = made_ecg(seconds=2), folder / f"r.{kind}"
    if kind in ("hea", "dat"):
        header = write_record(folder, "r", ecg, comments=["Age: 61", "Dx: 426177001"])
        return [(header, folder / f"r.{kind}")]
    if kind == "hea212":
        return [(_write_212(folder, ecg), folder / name) for name in ("r.hea", "r.dat")]
    if kind == "edf":
        write_edf(path, ecg)
    elif kind == "dcm":
        write_dicom(path, ecg)
    elif kind in ("hl7", "muse"):
        path = folder / "r.xml"
        rows = ecg[[LEADS.index(name) for name in MUSE_LEADS]]
        path.write_text(hl7_xml(ecg) if kind == "hl7" else muse_xml(rows), encoding="utf-8")
    elif kind == "contest":
        return [(one, one) for one in _contest(folder, ecg)]
    elif kind == "real":
        return _real(folder)
    elif kind in TABLES:
        _tables(kind, folder)
        return [(folder, folder / name) for name in TABLES[kind]]
    else:
        return [_array(kind, folder, ecg)]
    return [(path, path)]


def _array(kind: str, folder: Path, ecg: np.ndarray) -> tuple[Path, Path]:
    described = folder / "ecg.yaml"
    described.write_text(_YAML.format(", ".join(LEADS)))
    path = folder / f"r.{'npy' if kind == 'yaml' else kind}"
    if kind == "csv":
        np.savetxt(path, ecg.T, "%.3f", ",", header=",".join(LEADS), comments="")
    elif kind == "h5":
        import h5py

        with h5py.File(path, "w") as file:
            file.create_dataset("ecg", data=ecg.astype(np.float32), chunks=(12, 100))
    else:
        np.save(path, ecg)
    return path, described if kind == "yaml" else path


def _write_212(folder: Path, ecg: np.ndarray) -> Path:
    """Two leads in format 212, pairs of 12-bit samples in three bytes: read by the wfdb package."""
    first, second = np.rint(ecg[:2] * 200).astype(int) & 0xFFF
    packed = np.stack([first & 0xFF, (first >> 8) | ((second >> 8) << 4), second & 0xFF], axis=1)
    (folder / "r.dat").write_bytes(packed.astype(np.uint8).tobytes())
    lines = ["r 2 500 1000", *(f"r.dat 212 200(0)/mV 12 0 0 0 0 {name}" for name in LEADS[:2])]
    (folder / "r.hea").write_text("\n".join(lines) + "\n")
    return folder / "r.hea"


def _contest(folder: Path, ecg: np.ndarray) -> list[Path]:
    """MATLAB's file, compressed and not."""
    import scipy.io

    paths = [folder / "packed.mat", folder / "plain.mat"]
    for path in paths:
        struct = {"sex": "Male", "age": 61.0, "data": ecg}
        scipy.io.savemat(path, {"ECG": struct}, do_compression=path.stem == "packed")
    return paths


def _tables(kind: str, folder: Path) -> None:
    """What a publisher lists of forty recordings, whose own files are empty: only their names matter."""
    numbers = range(10, 50)
    records = {
        "ptbxl": [f"records500/00000/0000{k}_hr" for k in numbers],
        "mimic_iv_ecg": [f"files/p1000/p1000003{k}/s4068923{k}/4068923{k}" for k in numbers],
        "code15": ["exams_part0.hdf5"] * len(numbers),
        "sph": [f"A0000{k}" for k in numbers],
        "cpsc2018": [f"A00{k}" for k in numbers],
        "folder": [f"ward/r{k}" for k in numbers],
    }[kind]
    header, rows = {
        "ptbxl": (
            "ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_hr",
            "{k},15709.0,56.0,1,\"{{'NORM': 100.0, 'SR': 0.0}}\",3,{record}",
        ),
        "mimic_iv_ecg": ("subject_id,study_id,path", "1000003{k},4068923{k},{record}"),
        "code15": (",".join(code15.COLUMNS), "{k},61,True,7,{record},True,0,0,0,0,0,False"),
        "sph": ("ECG_ID,AHA_Code,Patient_ID,Age,Sex", "{record},60+310;147,S0000{k},55,M"),
        "cpsc2018": ("Recording,First_label,Second_label,Third_label", "{record},1,5,"),
        "folder": ("file,patient_id,age,sex,labels", "{record}.hea,p{k},55,M,AF; RBBB"),
    }[kind]
    lines = [header, *(rows.format(k=k, record=record) for k, record in zip(numbers, records))]
    (folder / TABLES[kind][0]).write_text("\n".join(lines) + "\n")
    suffix = {"sph": ".h5", "code15": None}.get(kind, ".hea")
    for record in records if suffix else ():
        (folder / record).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{record}{suffix}").touch()
    if kind == "mimic_iv_ecg":
        columns = ["study_id", *(f"report_{k}" for k in range(18))]
        said = [f"4068923{k},Sinus rhythm,,Borderline ECG{',' * 15}" for k in numbers]
        (folder / TABLES[kind][1]).write_text("\n".join([",".join(columns), *said]) + "\n")
    if kind == "code15":
        import h5py

        with h5py.File(folder / TABLES[kind][1], "w") as file:
            file["exam_id"] = np.array(numbers)


def _real(folder: Path) -> list[tuple[Path, Path]]:
    """A header and a signal of each real folder at hand, copied."""
    pairs = []
    for number, source in enumerate(sorted(Path(os.environ["COREECG_REAL_ECG"]).iterdir())):
        header = next(iter(sorted(source.rglob("*.hea"))), None) if source.is_dir() else None
        if header is None:
            continue
        here = folder / str(number)
        here.mkdir()
        for part in header.parent.glob(f"{header.stem}.*"):
            (here / part.name).write_bytes(part.read_bytes())
        signal = next(part for part in here.iterdir() if part.suffix in (".dat", ".mat"))
        pairs += [(here / header.name, here / header.name), (here / header.name, signal)]
    return pairs
