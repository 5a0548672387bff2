"""Georgia 12-lead ECG Challenge Database (Emory University), published by the PhysioNet challenges: WFDB.

Labels are the SNOMED CT codes after `Dx:`. Early editions gave wrong gains; amplitudes that no heart has are
refused.
"""

from pathlib import Path

from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.databases.published import Database, headers_below, list_wfdb

NAME = "georgia"


def list_recordings(source: Path) -> Listing:
    """Every `Ennnnn.hea` below the source, in whatever folders.

    Raises:
      FileNotFoundError: when there is none.
    """
    files = headers_below(source, "E[0-9][0-9][0-9][0-9][0-9].hea", "Georgia")
    return list_wfdb(NAME, source, files, DATABASE.records)


DATABASE = Database(
    name=NAME,
    title="Georgia",
    release="challenge-2021 1.0.3",
    records=10_344,
    sampling_rate="500, 5 or 10 s",
    labels="SNOMED CT",
    label_set="georgia, cinc2021",
    patients="unknown: each recording its own",
    folds="none",
    licence="CC BY 4.0",
    citation="10.13026/34va-7q14",
    list_recordings=list_recordings,
)
