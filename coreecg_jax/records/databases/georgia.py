"""Georgia 12-lead ECG Challenge Database (Emory University), published by the PhysioNet challenges: WFDB.

Labels are the SNOMED CT codes after `Dx:`. Early editions gave wrong gains; amplitudes that no heart has are
refused.
"""

from coreecg_jax.records.databases.published import challenge_database

NAME = "georgia"
DATABASE = challenge_database(
    name=NAME,
    title="Georgia",
    records=10_344,
    sampling_rate="500, 5 or 10 s",
    label_sets=("georgia", "cinc2021"),
    pattern="E[0-9][0-9][0-9][0-9][0-9].hea",
)
