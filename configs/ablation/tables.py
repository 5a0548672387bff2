"""The tables of launch.sweep: which pretraining rows are asked which questions, by how many seeds.

Reproduces: docs/results.md, "Ablation", "Few labels" and "Fewer leads", as far as they were run. Cost: a
pretraining run a row and seed, and beside the row `full` minutes a question for training from scratch.
Expected: docs/results.md. Command: python -m launch.sweep --table=ablation --workdir=runs/ablation
"""

import ml_collections

from configs.ablation import pretraining

_RIVALS = ("full", "simclr", "cmsc", "masked_autoencoder")
_WHOLE = {"leads": 12, "fraction": 1.0, "repeats": 1}


def get_config() -> ml_collections.ConfigDict:
    """Name of a table -> rows of `pretraining`, tasks, subsets of data, and whether the test is opened."""
    config = ml_collections.ConfigDict()
    common = {
        "seeds": (0, 1, 2),
        "reference": "full",
        "protocol": "linear",
        "beside": ("untrained", "scratch", "rival"),
    }
    # Defaults are chosen by this table, so it never sees a test.
    config.ablation = {
        "rows": tuple(pretraining.ROWS),
        "tasks": ("ptbxl_superclass_two_folds",),
        "subsets": (_WHOLE,),
        "development": True,
        **(common | {"beside": ("untrained", "rival")}),
    }
    # Where pretraining tells most, and the rows differ most (docs/results.md); no test is opened either.
    config.low_label_development = {
        "rows": tuple(pretraining.ROWS),
        "tasks": ("ptbxl_superclass_two_folds",),
        "subsets": tuple({**_WHOLE, "fraction": f, "repeats": 3} for f in (0.05, 0.1, 0.25)),
        "development": True,
        **(common | {"beside": ("untrained", "rival")}),
    }
    config.main = {
        "rows": _RIVALS,
        "tasks": ("ptbxl_superclass_two_folds", "simulated_conditions"),
        "subsets": (_WHOLE,),
        "development": False,
        **common,
    }
    config.low_label = {
        "rows": _RIVALS,
        "tasks": ("ptbxl_superclass_two_folds",),
        "subsets": tuple({**_WHOLE, "fraction": f, "repeats": 3} for f in (0.01, 0.05, 0.1, 0.25, 1.0)),
        "development": False,
        **common,
    }
    config.leads = {
        "rows": _RIVALS,
        "tasks": ("ptbxl_superclass_two_folds",),
        "subsets": tuple({**_WHOLE, "leads": leads} for leads in (12, 8, 6, 3, 2, 1)),
        "development": False,
        **common,
    }
    return config
