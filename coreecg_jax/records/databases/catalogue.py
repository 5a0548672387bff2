"""The public databases whose layout is known, by name."""

from coreecg_jax.records.databases import (
    chapman_ningbo,
    code15,
    cpsc2018,
    cpsc2018_extra,
    georgia,
    incart,
    ludb,
    mimic_iv_ecg,
    ptbdb,
    ptbxl,
    sph,
)
from coreecg_jax.records.databases.published import Database

_MODULES = (
    ptbxl,
    mimic_iv_ecg,
    code15,
    chapman_ningbo,
    cpsc2018,
    cpsc2018_extra,
    georgia,
    ptbdb,
    incart,
    ludb,
    sph,
)
DATABASES: dict[str, Database] = {module.NAME: module.DATABASE for module in _MODULES}
