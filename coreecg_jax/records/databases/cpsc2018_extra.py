"""CPSC-Extra: recordings of CPSC2018 that its contest did not use, as WFDB of the PhysioNet challenges.

Labels are the SNOMED CT codes after `Dx:`.
"""

from coreecg_jax.records.databases.published import challenge_database

NAME = "cpsc2018_extra"
DATABASE = challenge_database(
    name=NAME,
    title="CPSC-Extra",
    records=3_453,
    sampling_rate="500, 8 to 98 s",
    label_sets=("cinc2021",),
    pattern="Q[0-9][0-9][0-9][0-9].hea",
)
