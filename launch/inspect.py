"""Draws a recording on ECG paper, with what is wrong with it and what it measures, into a PNG.

python -m launch.inspect hospital/rec.hea [--out=rec.png] [--start=20]
python -m launch.inspect exams_part0.hdf5#0 --database=code15 --source=code15
With --database the recording is one that launch.prepare would list there: its id, or its file as the manifest
has it.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from coreecg_jax.figures.ecg_paper import Trace, draw_ecg
from coreecg_jax.records.databases import folder, wfdb_folder
from coreecg_jax.records.databases.catalogue import DATABASES
from coreecg_jax.records.formats.files import SUFFIXES, read_recording
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.measures import invalid_in_words
from coreecg_jax.records.one_recording import looked_at
from coreecg_jax.records.policy import Policy
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.suspicions import in_words, power_of_ten
from launch.shell import run_main
from launch.writable import in_its_folder, require_picture

_DATABASE = flags.DEFINE_enum(
    "database", None, [*DATABASES, "folder", "wfdb_folder"], "Whose reader it needs; default: by the suffix."
)
_SOURCE = flags.DEFINE_string("source", None, "Folder of that database.")
_OUT = flags.DEFINE_string("out", None, "PNG file; default: the recording's name in this folder.")
_START = flags.DEFINE_float("start", 0.0, "Second from which 10 s are drawn.", lower_bound=0.0)
_SECONDS = 10.0


def main(argv: Sequence[str]) -> None:
    """Reads one recording, draws it and says the same in words."""
    if _OUT.value:
        require_picture("--out", _OUT.value)
    if len(argv) != 2:
        raise ValueError(f"expected one recording (a file, of WFDB its header), got {len(argv) - 1}")
    name, raw = _listed(_DATABASE.value, argv[1]) if _DATABASE.value else _read(Path(argv[1]))
    first, last = (round(second * raw.sampling_rate) for second in (_START.value, _START.value + _SECONDS))
    shown_LT = raw.ecg_LT[:, first:last]
    if shown_LT.shape[1] < raw.sampling_rate:
        end = raw.ecg_LT.shape[1] / raw.sampling_rate - 1
        raise ValueError(f"--start: expected at most {end:g}, a second before the end, got {_START.value:g}")
    if not raw.present_L.any():
        raise ValueError(
            f"expected one of {', '.join(LEADS)}, got {', '.join(raw.ignored_signals) or 'none'}"
        )
    flags_L, measures, _ = looked_at(raw, Policy())
    power, unknown = power_of_ten(measures), ", ".join(raw.ignored_signals)
    title = f"{name}, divided by {10.0**power:g}" if power else name
    note = in_words(flags_L.tolist(), measures.pop("suspected")) or "nothing suspected"
    invalid = invalid_in_words(measures.pop("nan"))
    note += f"; invalid: {invalid}" if invalid else ""
    note += f"; not drawn: {unknown}" if unknown else ""
    trace = Trace(name, shown_LT / 10.0**power)
    figure = draw_ecg(
        [trace], sampling_rate=raw.sampling_rate, leads=LEADS, title=title, note=note, own_scales=True
    )
    out = Path(_OUT.value or f"{name}.png")
    figure.savefig(in_its_folder(out), dpi=120)
    print(f"{note}\n{', '.join(f'{name} {value}' for name, value in measures.items())}\ndrawn: {out}")


def _read(path: Path) -> tuple[str, Recording]:
    """Name and recording of a file, by its suffix."""
    if _SOURCE.value:
        raise ValueError("--source is the folder of a --database: expected both, or a file alone")
    if path.suffix.lower() not in SUFFIXES and path.with_suffix(".hea").is_file():
        path = path.with_suffix(".hea")
    return path.stem, read_recording(path)


def _listed(database: str, wanted: str) -> tuple[str, Recording]:
    """Name and recording of what a database lists, by its id or file."""
    if not _SOURCE.value:
        raise ValueError(f"--source: expected the folder of --database={database}")
    source = Path(_SOURCE.value)
    own = {"folder": folder, "wfdb_folder": wfdb_folder}.get(database)
    listing = own.list_recordings(source, "own") if own else DATABASES[database].list_recordings(source)
    within = Path(wanted).relative_to(source).as_posix() if Path(wanted).is_relative_to(source) else wanted
    for one in listing.recordings:
        if within in (one.recording_id, one.file):
            return Path(one.recording_id).name, listing.read(one.file)
    first, many = listing.recordings[0], len(listing.recordings)
    raise ValueError(
        f"expected one of {many} recordings of --database={database} by id or file, such "
        f"as {first.recording_id!r} or {first.file!r}, got {wanted!r}"
    )


if __name__ == "__main__":
    run_main(main, files=True)
