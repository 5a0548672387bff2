"""Prepares shards from a folder of recordings, or from simulated ones.

python -m launch.prepare --database=ptbxl --source=../shared/ecg/ptbxl --out=data
python -m launch.prepare --database=simulated --recordings=2000 --out=data
python -m launch.prepare --database=folder --source=mine --config=configs/quality.py [--config.FIELD=VALUE …]
docs/data.md names the databases. Those of a publisher have their names; the others take --name.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from configs import quality
from coreecg_jax.records.databases import folder, simulated, wfdb_folder
from coreecg_jax.records.databases.catalogue import DATABASES
from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.folds import has_no_splits, in_folds
from coreecg_jax.records.local_runs import Run, local
from coreecg_jax.records.on_beam import run_on_beam
from coreecg_jax.records.one_recording import Settings
from coreecg_jax.records.policy import Policy
from coreecg_jax.records.prepare import prepare
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.records.shards import VERSION
from coreecg_jax.records.suspicions import Limits
from launch.config_files import define_config_file
from launch.shell import run_main
from launch.writable import require_writable

_DATABASE = flags.DEFINE_enum(
    "database",
    None,
    [*DATABASES, "folder", "wfdb_folder", "simulated"],
    "Layout of the source.",
    required=True,
)
_SOURCE = flags.DEFINE_string("source", None, "Folder of the recordings; simulated ones have none.")
_RECORDINGS = flags.DEFINE_integer("recordings", 2000, "Simulated recordings.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of simulated recordings.", lower_bound=0)
_OUT = flags.DEFINE_string("out", "data", "Folder of data sets.")
_NAME = flags.DEFINE_string("name", None, "Name of the data set; default: that of the source folder.")
_FOLDS = flags.DEFINE_integer(
    "folds",
    None,
    "Splits by patient, fold1 to foldN, where the publisher has none; 0: one split, 'recordings'. "
    "Default: 10 for a published database, 0 for your own files.",
    lower_bound=0,
)
_FOLD_SEED = flags.DEFINE_integer("fold_seed", 0, "Of --folds.", lower_bound=0)
_RATE = flags.DEFINE_float("sampling_rate", 250.0, "Hz, after resampling.")
_HIGH_PASS = flags.DEFINE_float("high_pass", 0.67, "Hz.")
_LOW_PASS = flags.DEFINE_float("low_pass", 40.0, "Hz.")
_MAX_WINDOWS = flags.DEFINE_integer("max_windows", 6, "Windows kept of one recording, evenly spread.")
_CONFIG = define_config_file("config", quality.__file__, "What is done with each flag of a recording.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace a data set that is there.")
_WORKERS = flags.DEFINE_integer("workers", 1, "Processes that read and filter.", lower_bound=1)
_RUNNER = flags.DEFINE_string("beam_runner", None, "Of Apache Beam, such as DirectRunner; default: no Beam.")
_OPTIONS = flags.DEFINE_multi_string("beam_options", [], "NAME=VALUE of an option of Beam; may be repeated.")

_PUBLISHED_FOLDS = 10  # of a published database that has no splits of its own: as many as PTB-XL's


def _source() -> Path | None:
    """The folder of the recordings, where there is one; workers of Beam may have another current folder."""
    if not _SOURCE.value:
        return None
    if "://" in _SOURCE.value:  # else it would be looked for below this folder
        raise ValueError(
            f"--source: expected a path of a file system, got {_SOURCE.value}: mount the bucket, or copy it "
            "to a disk"
        )
    return Path(_SOURCE.value).absolute() if _RUNNER.value else Path(_SOURCE.value)


def _run() -> Run:
    """Who writes the shards."""
    if _RUNNER.value is None:
        if _OPTIONS.value:
            raise ValueError("--beam_options needs --beam_runner, such as --beam_runner=DirectRunner")
        return local(_WORKERS.value)
    if _WORKERS.value > 1:
        raise ValueError(
            "--workers is of this machine's own processes: with --beam_runner give the runner's option, "
            "such as --beam_options=direct_num_workers=2"
        )
    return functools.partial(run_on_beam, runner=_RUNNER.value, options=_OPTIONS.value)


def _listing() -> Listing:
    """What the flags ask for, in the splits that they ask for."""
    listing, folds = _listed(), _FOLDS.value
    if folds is None:
        folds = _PUBLISHED_FOLDS if _DATABASE.value in DATABASES and has_no_splits(listing) else 0
    if not folds and _FOLD_SEED.value:
        raise ValueError(f"--fold_seed: expected none where there are no --folds, got {_FOLD_SEED.value}")
    return in_folds(listing, folds, _FOLD_SEED.value, _source()) if folds else listing


def _name() -> str:
    """Of the data set to be."""
    database, source = _DATABASE.value, _source()
    if database in DATABASES or database == simulated.NAME:
        return _NAME.value or database
    return _NAME.value or (source.resolve().name if source else "")


def _listed() -> Listing:
    """What the source holds."""
    if _DATABASE.value == simulated.NAME:
        return simulated.list_recordings(_RECORDINGS.value, seed=_SEED.value, name=_name())
    source = _source()
    if source is None:
        raise ValueError(f"--source: expected the folder of the recordings for --database={_DATABASE.value}")
    if _DATABASE.value in DATABASES:
        if _NAME.value:
            raise ValueError(f"--name: --database={_DATABASE.value} has its own name, got {_NAME.value!r}")
        return DATABASES[_DATABASE.value].list_recordings(source)
    own = folder if _DATABASE.value == "folder" else wfdb_folder
    return own.list_recordings(source, _name())


def _policy() -> Policy:
    config = _CONFIG.value
    try:
        return Policy(**config.policy, limits=Limits(**config.limits))
    except (AttributeError, TypeError) as error:
        raise ValueError(
            f"--config: expected policy and limits as in configs/quality.py ({error})"
        ) from error


def main(argv: Sequence[str]) -> None:
    """Lists, prepares, says what became of it."""
    del argv
    band = Preprocessing(sampling_rate=_RATE.value, high_pass=_HIGH_PASS.value, low_pass=_LOW_PASS.value)
    settings = Settings(band, _MAX_WINDOWS.value, _policy())
    if _OVERWRITE.value or not Path(_OUT.value, _name(), VERSION).is_dir():  # what is there is only looked at
        require_writable("--out", _OUT.value)
    listing = _listing()
    for note in listing.note.splitlines():
        print(f"note: {note}")
    prepared = prepare(
        listing,
        Path(_OUT.value),
        settings,
        overwrite=_OVERWRITE.value,
        run=_run(),
        source=_source(),
        progress=True,
    )
    print(prepared.report())


if __name__ == "__main__":
    run_main(main)
