"""The tasks of launch.evaluate: a label set, and the data that are fitted, chosen by, and asked about.

A task of your own: a file such as this with an entry of yours, named by --tasks=FILE (docs/evaluation.md).
Data specifications are NAME:SPLIT+SPLIT, …, as for pretraining. Without `validation`, settings are chosen by
cross-validation in `train`; without `test`, all is nested cross-validation by patient; `sources` holds each
out in turn.
"""

import ml_collections

_PTBXL = ("superclass", "subclass", "diagnostic", "form", "rhythm", "all")
_FOLDS = {"train": "fold1-8", "validation": "fold9", "test": "fold10"}


def get_config() -> ml_collections.ConfigDict:
    """Published splits where there are any."""
    config = ml_collections.ConfigDict()
    for labels in _PTBXL:  # Strodthoff et al. 2020: folds 1-8, 9 and 10
        config[f"ptbxl_{labels}"] = {
            "label_set": f"ptbxl_{labels}",
            **{part: f"ptbxl:{folds}" for part, folds in _FOLDS.items()},
        }
        # For a small copy of PTB-XL: twice the test, settings by cross-validation, nothing chosen on fold 9.
        config[f"ptbxl_{labels}_two_folds"] = {
            "label_set": f"ptbxl_{labels}",
            "train": "ptbxl:fold1-8",
            "test": "ptbxl:fold9+fold10",
        }
        # Where two folds say too little: all ten, each scored by fits to others.
        config[f"ptbxl_{labels}_nested"] = {"label_set": f"ptbxl_{labels}", "train": "ptbxl"}
    for name in ("code15", "georgia", "sph"):  # folds that launch.prepare makes, not published
        config[name] = {"label_set": name, **{part: f"{name}:{folds}" for part, folds in _FOLDS.items()}}
    for name in ("ludb_findings", "ludb_rhythm"):
        config[name] = {"label_set": name, "train": "ludb"}
    config.cpsc2018 = {"label_set": "cpsc2018", "train": "cpsc2018"}
    for name in ("chapman", "ningbo"):  # two hospitals of one archive, each a split without folds
        config[name] = {"label_set": name, "train": f"chapman_ningbo:{name}"}
    config.simulated_conditions = {
        "label_set": "simulated_conditions",
        "train": "simulated:probe",
        "test": "simulated:test",
    }
    # The challenge asked about other hospitals. Left out: PTB-XL, whose codes are others; PTB and INCART, 590
    # recordings together.
    config.cinc2021 = {
        "label_set": "cinc2021",
        "sources": ("chapman_ningbo", "cpsc2018", "cpsc2018_extra", "georgia"),
    }
    # Five hospitals or archives, by the findings that SCP and SNOMED CT codes both express.
    config.other_hospital = {
        "label_set": "shared_findings",
        "sources": ("ptbxl", "chapman_ningbo", "cpsc2018", "cpsc2018_extra", "ptbdb"),
    }
    return config
