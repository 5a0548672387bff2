"""CPSC-Extra: recordings of CPSC2018 that its contest did not use, as WFDB of the PhysioNet challenges.

Labels are the SNOMED CT codes after `Dx:`.
"""

from pathlib import Path

from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.databases.published import Database, headers_below, list_wfdb

NAME = "cpsc2018_extra"


def list_recordings(source: Path) -> Listing:
    """Every `Qnnnn.hea` below the source, in whatever folders.

    Raises:
      FileNotFoundError: when there is none.
    """
    files = headers_below(source, "Q[0-9][0-9][0-9][0-9].hea", "CPSC-Extra")
    return list_wfdb(NAME, source, files, DATABASE.records)


DATABASE = Database(
    name=NAME,
    title="CPSC-Extra",
    release="challenge-2021 1.0.3",
    records=3_453,
    sampling_rate="500, 8 to 98 s",
    labels="SNOMED CT",
    label_set="cinc2021",
    patients="unknown: each recording its own",
    folds="none",
    licence="CC BY 4.0",
    citation="10.13026/34va-7q14",
    list_recordings=list_recordings,
)
