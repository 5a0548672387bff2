"""Chapman-Shaoxing and Ningbo (Zheng et al. 2022, doi:10.13026/wgex-er52), also in the challenge of 2021.

One database of two hospitals: JS00001 to JS10646 are Chapman-Shaoxing's, the others Ningbo's. Each is a
split, so that one may be asked what was learnt in the other. Every recording is another patient's. Labels are
the SNOMED CT codes after `Dx:`.
"""

from pathlib import Path

from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.databases.published import Database, headers_below, list_wfdb

NAME = "chapman_ningbo"
CHAPMAN, NINGBO = "chapman", "ningbo"
_LAST_OF_CHAPMAN = 10_646


def list_recordings(source: Path) -> Listing:
    """Every `JSnnnnn.hea` below the source, in whatever folders.

    Raises:
      FileNotFoundError: when there is none.
    """
    files = headers_below(source, "JS[0-9][0-9][0-9][0-9][0-9].hea", "Chapman-Shaoxing and Ningbo")
    return list_wfdb(NAME, source, files, DATABASE.records, DATABASE.label_sets, split=_hospital)


def _hospital(file: str) -> str:
    return CHAPMAN if int(Path(file).stem.removeprefix("JS")) <= _LAST_OF_CHAPMAN else NINGBO


DATABASE = Database(
    name=NAME,
    title="Chapman-Shaoxing and Ningbo (ecg-arrhythmia)",
    release="1.0.0",
    records=45_152,
    sampling_rate="500, 10 s",
    labels="SNOMED CT",
    label_sets=("chapman", "ningbo", "cinc2021"),
    patients="one recording each",
    folds="none; splits `chapman` (10,247) and `ningbo` (34,905)",
    licence="CC BY 4.0",
    citation="10.13026/wgex-er52, 10.1038/s41597-020-0386-x",
    list_recordings=list_recordings,
)
