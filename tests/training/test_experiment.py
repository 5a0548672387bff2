import dataclasses
import importlib
from pathlib import Path

import ml_collections
import pytest
from made_runs import PREPROCESSING, placement_of, tiny_config

from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.experiment import build, network_of, resolved
from coreecg_jax.training.mesh import require_divisible

CONFIGS = sorted(path.stem for path in Path("configs").glob("[!_]*.py"))


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


def test_a_run_of_another_version_is_told():
    config = resolved(tiny_config()).to_dict()
    del config["model"]["kernels"]
    with pytest.raises(ValueError, match=r"config\.model: .* missing \['kernels'\], unknown \[\]"):
        network_of(ml_collections.ConfigDict(config))


@pytest.mark.parametrize("size", [0, 12, -8])
def test_a_batch_is_divided_evenly_among_devices(size):
    require_divisible("data.batch_size", 16, placement_of(8))
    with pytest.raises(
        ValueError, match=rf"data\.batch_size: expected a positive multiple of 8 .*got {size}"
    ):
        require_divisible("data.batch_size", size, placement_of(8))
