"""A sweep whose trainings and questions are made up."""

import dataclasses
import json

import numpy as np

from configs.ablation import pretraining, tables
from coreecg_jax.downstream.methods import BESIDE, PRETRAINED
from coreecg_jax.downstream.predictions import Predictions, write_predictions
from coreecg_jax.downstream.scores import TooFewRecordings
from launch import sweeping
from launch.sweep_cells import Sweep

FOLD = np.arange(60) // 2 % 3
GROUPS, LABELS = np.arange(60) // 2, np.random.default_rng(0).random((60, 2)) < 0.4


def predicted(quality, seed):
    noise = np.random.default_rng(seed).random(LABELS.shape)
    return (quality * LABELS + noise) / (1 + quality)


def make_sweep(tmp_path, monkeypatch):
    """Two rows, two seeds, one question; what is trained and asked is written down."""
    done = []
    quality = {"full": 1.0, "fda_off": 0.5}

    def train(config, run):
        done.append(("train", run.name, config.view.mode, config.seed))

    def evaluated(asked, encoders, *, out):
        row, seed = encoders[0].rsplit("/", 1)[1].rsplit("_", 1)
        assert asked.development or asked.openings.parent.is_dir()
        done.append(("ask", row, int(seed)))
        names = np.array([f"r{number}" for number in range(60)])
        methods = {PRETRAINED: {"run": predicted(quality[row], int(seed))}}
        for name in asked.beside:  # by two runs each
            methods[BESIDE[name]] = {f"run {n}": predicted(0.2, 10 * n + int(seed)) for n in (1, 2)}
        folds = {name: dict.fromkeys(runs) for name, runs in methods.items()}  # as neighbours have none
        folds |= {BESIDE[name]: dict.fromkeys(methods[BESIDE[name]], FOLD) for name in asked.beside}
        everything = Predictions(("a", "b"), names, names, GROUPS, folds, LABELS, methods)
        write_predictions(everything, out.with_suffix(".parquet"))
        if (row, seed) == ("fda_off", "1"):  # as launch.evaluating: predicted, then not scored
            raise TooFewRecordings("too few")
        out.write_text(json.dumps({"asked": asked.question()}))

    monkeypatch.setattr(sweeping, "train", train)
    monkeypatch.setattr(sweeping, "evaluated", evaluated)
    monkeypatch.setattr(sweeping, "encoder_of", lambda run: run)
    monkeypatch.setattr(sweeping, "_tokens_kept", lambda config: 70)
    table = tables.get_config()["ablation"].to_dict()
    table |= {"rows": ("full", "fda_off"), "seeds": (0, 1), "beside": ()}
    return Sweep(table, pretraining.get_config(), tmp_path / "sweep", "ablation"), done


def sealed(sweep, root):
    """The sweep with a test, whose log of openings lies in `root`."""
    sweep.pretraining.base.data.root = str(root)
    return dataclasses.replace(sweep, table=sweep.table | {"development": False, "seeds": (0,)})
