"""CPSC2018 = ICBEB2018 (Liu et al. 2018, doi:10.1166/jmihi.2018.2442), as WFDB of the PhysioNet challenges.

Labels are the SNOMED CT codes after `Dx:`. In some copies that is empty in headers, the labels standing in
`REFERENCE.csv`, as numbers 1 to 9: these become the codes that the challenge gives them. What a header says
counts more than the table.
"""

import dataclasses
import functools
from pathlib import Path

from coreecg_jax.records.databases.listing import About, Listing
from coreecg_jax.records.databases.published import Database, header_about, headers_below, list_wfdb
from coreecg_jax.records.databases.tables import read_table

NAME = "cpsc2018"
TABLE = "REFERENCE.csv"
_COLUMNS = ("Recording", "First_label", "Second_label", "Third_label")
# Number in the table -> SNOMED CT: normal, AF, I-AVB, LBBB, RBBB, PAC, PVC, STD, STE.
CODES = {
    "1": "426783006",
    "2": "164889003",
    "3": "270492004",
    "4": "164909002",
    "5": "59118001",
    "6": "284470004",
    "7": "164884008",
    "8": "429622005",
    "9": "164931005",
}


def list_recordings(source: Path) -> Listing:
    """Every `Annnn.hea` below the source, in whatever folders; `REFERENCE.csv` of the source where it is.

    Raises:
      FileNotFoundError: when there is none.
      ValueError: when the table cannot be read.
    """
    files = headers_below(source, "A[0-9][0-9][0-9][0-9].hea", "CPSC2018")
    table = source / TABLE
    labels = _labels(table) if table.is_file() else {}
    about = functools.partial(_about, source, labels)
    return list_wfdb(NAME, source, files, DATABASE.records, about=about)


def _about(source: Path, labels: dict[str, tuple[str, ...]], file: str) -> About | None:
    """The labels of the table where the header has none; else None, what the header says."""
    found = labels.get(Path(file).stem)
    if found is None or (said := header_about(source / file)).labels:
        return None
    return dataclasses.replace(said, labels=found, likelihoods=(float("nan"),) * len(found))


def _labels(table: Path) -> dict[str, tuple[str, ...]]:
    """Record -> SNOMED CT codes."""
    labels = {}
    for row in read_table(table, _COLUMNS):
        numbers = [row[column].strip() for column in _COLUMNS[1:]]
        unknown = [number for number in numbers if number and number not in CODES]
        if unknown or not numbers[0]:
            raise ValueError(f"{TABLE}: {row['Recording']}: expected labels 1 to 9, got {', '.join(numbers)}")
        labels[row["Recording"].strip()] = tuple(dict.fromkeys(CODES[number] for number in numbers if number))
    return labels


DATABASE = Database(
    name=NAME,
    title="CPSC2018 (ICBEB2018)",
    release="challenge-2021 1.0.3",
    records=6_877,
    sampling_rate="500, 6 to 144 s",
    labels="SNOMED CT; `REFERENCE.csv` where `Dx:` is empty",
    label_set="cpsc2018, cinc2021",
    patients="unknown: each recording its own",
    folds="none",
    licence="CC BY 4.0",
    citation="10.13026/34va-7q14, 10.1166/jmihi.2018.2442",
    list_recordings=list_recordings,
)
