"""The tasks of launch.evaluate: a label set, and the data that are fitted, chosen by, and asked about.

A task of your own: copy this file, add an entry, and name the file by --tasks=FILE. Data specifications are
NAME:SPLIT+SPLIT, …, as for pretraining. Without `validation`, settings are chosen by cross-validation in
`train`; without `test`, all is nested cross-validation by patient; `sources` holds each out in turn.
"""

import ml_collections

_PTBXL = ("superclass", "subclass", "diagnostic", "form", "rhythm", "all")


def get_config() -> ml_collections.ConfigDict:
    """Published splits where there are any."""
    config = ml_collections.ConfigDict()
    for labels in _PTBXL:  # Strodthoff et al. 2020: folds 1-8, 9 and 10
        config[f"ptbxl_{labels}"] = {
            "label_set": f"ptbxl_{labels}",
            "train": "ptbxl:fold1-8",
            "validation": "ptbxl:fold9",
            "test": "ptbxl:fold10",
        }
        # For a small copy of PTB-XL: twice the test, settings by cross-validation, nothing chosen on fold 9.
        config[f"ptbxl_{labels}_two_folds"] = {
            "label_set": f"ptbxl_{labels}",
            "train": "ptbxl:fold1-8",
            "test": "ptbxl:fold9+fold10",
        }
    config.ludb_findings = {"label_set": "ludb_findings", "train": "ludb"}
    config.cpsc2018 = {"label_set": "cpsc2018", "train": "cpsc2018"}
    config.simulated_conditions = {
        "label_set": "simulated_conditions",
        "train": "simulated:probe",
        "test": "simulated:test",
    }
    # Five hospitals or archives, by the findings that SCP and SNOMED CT codes both express.
    config.other_hospital = {
        "label_set": "shared_findings",
        "sources": ("ptbxl", "chapman_ningbo", "cpsc2018", "cpsc2018_extra", "ptbdb"),
    }
    return config
