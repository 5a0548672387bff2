"""LUDB (Kalyakulina et al. 2020, doi:10.1109/ACCESS.2020.3029211) as published on PhysioNet: WFDB.

Every recording is another person's. Labels are the findings in the headers' comments, one a line.
"""

from pathlib import Path

from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.databases.published import Database, headers_below, list_wfdb

NAME = "ludb"


def list_recordings(source: Path) -> Listing:
    """Every header of a number, `1.hea` to `200.hea`, in `data` below the source.

    Raises:
      FileNotFoundError: when there is none.
    """
    files = [file for file in headers_below(source, "[0-9]*.hea", "LUDB") if Path(file).stem.isdecimal()]
    return list_wfdb(NAME, source, files, DATABASE.records, DATABASE.label_sets)


DATABASE = Database(
    name=NAME,
    title="LUDB",
    release="1.0.1",
    records=200,
    sampling_rate="500, 10 s",
    labels="findings as sentences",
    label_sets=("ludb_findings", "ludb_rhythm"),
    patients="one recording each",
    folds="none: made here, `fold1` to `fold10`",
    licence="ODC-By 1.0",
    citation="10.13026/eegm-h675, 10.1109/ACCESS.2020.3029211",
    list_recordings=list_recordings,
)
