import dataclasses
import importlib
from pathlib import Path

import jax
import ml_collections
import numpy as np
import pytest
from made_runs import (
    PREPROCESSING,
    first_state,
    made_batch,
    placement_of,
    tiny_config,
    tiny_experiment,
    trained,
)

from configs import real_2core, real_2core_augmented
from configs.ablation import pretraining
from coreecg_jax.method.augmentation import USUAL, Augmentation
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.experiment import METHODS, build, network_of, resolved
from coreecg_jax.training.mesh import require_divisible
from coreecg_jax.training.state import init_state

NOTHING_HIDDEN = {"mask.mode": "off", "view.mode": "off"}
AUGMENTED = {f"augment.{name}": strength for name, strength in dataclasses.asdict(USUAL).items()}
RIVALS = {
    "simclr": {"objective.lambda_r": 0.0, **NOTHING_HIDDEN, **AUGMENTED},
    "cmsc": {
        "objective.lambda_r": 0.0,
        "objective.scale_jitter": 0.0,
        "data.crop_seconds": 4.0,
        **NOTHING_HIDDEN,
    },
    "masked_autoencoder": {
        "objective.lambda_c": 0.0,
        "mask.mode": "random",
        "mask.random_count": "fixed",
        "view.mode": "off",
        "model.decoder": "lead_wise",
    },
}
OF_PREPARING = "quality"
CONFIGS = sorted(p.stem for p in Path("configs").glob("[!_]*.py") if p.stem != OF_PREPARING)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_builds(name):
    config = resolved(importlib.import_module(f"configs.{name}").get_config())
    experiment = build(config, Preprocessing(sampling_rate=config.data.sampling_rate))
    assert experiment.objective.crop_samples == config.data.crop_seconds * config.data.sampling_rate


def test_the_network_computes_in_a_type_of_the_machine():
    config = tiny_config()
    assert network_of(config).dtype == resolved(config).model.dtype == "float32"
    assert config.model.dtype == "auto"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.sampling_rate": 250.0}, r"data\.sampling_rate: the config is for 250 Hz, .* have 100 Hz"),
        ({"data.crop_seconds": 9.5}, r"data\.crop_seconds: expected a whole number of patches .*9\.5 s"),
        ({"data.crop_seconds": 11.0}, r"data\.crop_seconds: expected at most the stored 10 s, got 11 s"),
        ({"data.crop_seconds": 0.0}, r"data\.crop_seconds: expected .* got 0 s"),
        ({"model.heads": 3}, r"model\.width: expected a multiple of 2 \* model\.heads = 6, got 16"),
        ({"model.heads": 0}, r"model\.heads: expected more than 0, got 0"),
        ({"model.depth": 0}, r"model\.depth: expected more than 0, got 0"),
        ({"model.patch": 0}, r"model\.patch: expected more than 0, got 0"),
        ({"model.registers": -1}, r"model\.registers: expected 0 or more, got -1"),
        ({"model.kernel_length": 101}, r"model\.kernel_length: expected 2 to model\.patch = 100 .*101"),
        (
            {"method": "byol"},
            r"method: expected one of coreecg, simclr, cmsc, masked_autoencoder, got 'byol'",
        ),
        (
            {"method": "simclr"},
            r"method 'simclr': expected objective\.lambda_r 0\.0, got 1\.0; mask\.mode 'off'",
        ),
        (
            {"method": "cmsc", **RIVALS["cmsc"], "data.crop_seconds": 6.0},
            r"data\.crop_seconds: expected at most 5 s with method 'cmsc', .* 2 crops .* 10 s, got 6 s",
        ),
        ({"objective.lambda_r": -1.0}, r"objective\.lambda_r: expected 0 or more, got -1\.0"),
        (
            {"objective.lambda_r": 0.0, "objective.lambda_c": 0.0},
            r"objective: expected lambda_r or lambda_c above 0, got 0 for both",
        ),
        ({"objective.lambda_c": -0.1}, r"objective\.lambda_c: expected 0 or more, got -0\.1"),
        ({"optimizer.b2": 1.0}, r"optimizer: expected .*0 <= b2 < 1, got 0\.9, 1\.0"),
        ({"seed": -1}, r"seed: expected 0 to .*got -1"),
        ({"seed": 2**64}, r"seed: expected 0 to .*got 18446744073709551616"),
        ({"mask.p_time": 0.99}, r"mask: expected some visible token, got none"),
        ({"model.decoder": "both"}, r"model\.decoder: expected one of lead_wise, joint, got 'both'"),
        ({"model.dtype": "int8"}, r"model\.dtype: expected auto, float32 or bfloat16, got 'int8'"),
        ({"mask.mode": "twofold"}, r"mask\.mode: expected one of dual, .*got 'twofold'"),
        ({"mask.p_time": 1.0}, r"mask\.p_time: expected a share in \[0, 1\), got 1\.0"),
        ({"view.mode": "learn"}, r"view\.mode: expected one of learned, .*got 'learn'"),
        ({"objective.temperature": 0.0}, r"objective\.temperature: expected more than 0, got 0\.0"),
        ({"run.steps": 0}, r"run\.steps: expected more than 0, got 0"),
        ({"run.log_every": 0}, r"run\.log_every: expected more than 0, got 0"),
        ({"optimizer.warmup_steps": 8}, r"optimizer\.warmup_steps: .* < run\.steps = 8, got 8"),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_what_is_allowed(changes, message):
    with pytest.raises(ValueError, match=message):
        build(resolved(tiny_config(changes)), PREPROCESSING)


def test_the_unit_of_the_shards_reaches_the_objective():
    tenth = dataclasses.replace(PREPROCESSING, microvolts_per_unit=0.1)
    objectives = [build(resolved(tiny_config()), each).objective for each in (PREPROCESSING, tenth)]
    assert [o.millivolts_per_unit for o in objectives] == pytest.approx([1e-3, 1e-4])


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (
            "model.kernels",
            r"config\.model: .* missing \['kernels'\], unknown \[\]: a run is read by the version",
        ),
        ("objective.lambda_r", r"config\.objective: .* missing \['lambda_r'\]"),
        (
            "method",
            r"config: expected a field method, one of coreecg, .* got none: a run is read by the version",
        ),
    ],
)
def test_a_run_of_another_version_is_told(lost, message):
    config = resolved(tiny_config()).to_dict()
    *group, field = lost.split(".")
    del (config[group[0]] if group else config)[field]
    config = ml_collections.ConfigDict(config)
    with pytest.raises(ValueError, match=message):
        build(config, PREPROCESSING)
    if group == ["model"]:
        with pytest.raises(ValueError, match=message):
            network_of(config)


@pytest.mark.parametrize("name", pretraining.ROWS)
def test_every_row_of_the_ablation_builds(name):
    table = pretraining.get_config()
    config = table.base.copy_and_resolve_references()
    config.update_from_flattened_dict(table.rows[name])
    objective = build(resolved(config), PREPROCESSING).objective
    assert 0 < objective.stdm.tokens_kept(objective.columns) <= 12 * objective.columns
    assert type(objective) is METHODS[config.method]
    assert config.method == (name if name in METHODS else "coreecg")


def test_the_ablation_lists_its_rows_in_order_and_each_is_another_experiment():
    table = pretraining.get_config()
    assert list(table.rows) == list(pretraining.ROWS)
    rows = [tuple(sorted(changes.items())) for changes in pretraining.ROWS.values()]
    assert len(set(rows)) == len(rows)
    assert pretraining.ROWS["augmented"] == AUGMENTED  # what SimCLR does where nothing else is asked
    base = table.base.to_json_best_effort()
    for name, changes in list(table.rows.items())[1:]:
        config = table.base.copy_and_resolve_references()
        config.update_from_flattened_dict(changes)
        assert config.to_json_best_effort() != base, name


def test_the_augmented_config_is_the_row_of_the_ablation_trained_for_longer():
    plain, longer = real_2core.get_config(), real_2core_augmented.get_config()
    assert longer.run.steps > plain.run.steps
    plain.update_from_flattened_dict({**pretraining.ROWS["augmented"], "run.steps": longer.run.steps})
    assert plain.to_json_best_effort() == longer.to_json_best_effort()


@pytest.mark.parametrize(("method", "expected"), [("coreecg", Augmentation()), ("simclr", USUAL)])
def test_runs_before_augmentation_was_a_choice_are_built_as_they_were(method, expected):
    config = resolved(tiny_config({"method": method, **RIVALS.get(method, {})}))
    del config.augment
    assert build(config, PREPROCESSING).objective.augmentation == expected


@pytest.mark.parametrize("method", RIVALS)
def test_a_rival_reports_recovery_only_where_it_recovers(method):
    experiment = tiny_experiment({"method": method, **RIVALS[method]})
    state = jax.eval_shape(lambda: init_state(experiment.objective, experiment.optimizer, jax.random.key(0)))
    batch = made_batch(0)._asdict()
    loss, metrics = jax.eval_shape(experiment.objective, state.parameters, jax.random.key(0), **batch)
    assert loss.shape == ()
    assert "contrastive" in metrics
    for name in ("reconstruction", "explained_variance", "explained_variance_V1"):
        assert (name in metrics) == (method == "masked_autoencoder")


@pytest.mark.slow
@pytest.mark.parametrize("method", RIVALS)
def test_a_rival_trains_in_the_same_step(method):
    changes = {"method": method, "model.depth": 1, **RIVALS[method]}
    experiment, placement = tiny_experiment(changes), placement_of(1)
    before = jax.device_get(first_state(experiment, placement).parameters["network"])
    step, state, rows = trained(experiment, placement, 3)  # the rate starts at 0, so does the last kernel
    assert step.program._cache_size() == 1
    for metrics in rows:
        assert all(np.isfinite(metrics[name]) for name in ("loss", "contrastive", "gradient_norm"))
        assert ("reconstruction" in metrics) == (method == "masked_autoencoder")
        assert metrics["gradient_norm"] > 1e-3
    after = jax.device_get(state.parameters["network"])
    assert np.abs(after["lead_embedding"] - before["lead_embedding"]).max() > 1e-5
    # Not decayed: moved by its gradient alone.
    bias = after["decoder_out"]["bias"] - before["decoder_out"]["bias"]
    assert np.any(bias) == (method == "masked_autoencoder")


@pytest.mark.parametrize("size", [0, 12, -8])
def test_a_batch_is_divided_evenly_among_devices(size):
    require_divisible("data.batch_size", 16, placement_of(8))
    with pytest.raises(
        ValueError, match=rf"data\.batch_size: expected a positive multiple of 8 .*got {size}"
    ):
        require_divisible("data.batch_size", size, placement_of(8))
