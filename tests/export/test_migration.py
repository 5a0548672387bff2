"""Bundles of older versions are read: frozen ones, and steps of every kind."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_bundle import made_description, made_parameters

from coreecg_jax.export import folder, migration
from coreecg_jax.export.description import read_description
from coreecg_jax.export.loading import load, read_bundle
from coreecg_jax.export.migration import FORMAT, FORMAT_VERSION, STEPS, Step, migrated
from coreecg_jax.export.refusal import BundleRefused
from coreecg_jax.export.tensors import flat, tensors_to_bytes
from coreecg_jax.export.vectors import read_vectors, require_same
from coreecg_jax.export.writing import embedded

BUNDLES = Path(__file__).parent / "bundles"  # each written once, by the code of its time
OLD = {"format": FORMAT, "format_version": 1}


@pytest.mark.parametrize("version", range(1, FORMAT_VERSION))
def test_a_bundle_of_an_older_version_gives_its_own_test_vectors(version) -> None:
    where = BUNDLES / f"version_{version}"
    assert json.loads((where / folder.CONFIG).read_text())["format_version"] == version
    sums = folder.read_sums(where)
    vectors = read_vectors(folder.intact(where, folder.VECTORS, sums))
    require_same(embedded(load(where), vectors), vectors, where.name)
    assert np.abs(vectors.embedding).std() > 0.1
    assert sum(path.stat().st_size for path in where.iterdir()) < 50_000


def test_version_1_with_and_without_recovery() -> None:
    raw = json.loads((BUNDLES / "version_1" / folder.CONFIG).read_text())
    assert "recovery" not in raw
    assert read_description(json.dumps(raw).encode()).recovery == ()
    known = {"data": "x", "recordings": 3, "dropped_lead": {"I": 0.5}, "hidden_column": {}}
    assert read_description(json.dumps({**raw, "recovery": [known]}).encode()).recovery == ()


@pytest.mark.parametrize(("method", "trained"), [("coreecg", True), ("simclr", False), ("cmsc", False)])
def test_version_1_says_by_its_method_whether_the_decoder_was_trained(method, trained) -> None:
    raw = json.loads((BUNDLES / "version_1" / folder.CONFIG).read_text())
    raw["training"]["method"] = method
    assert read_description(json.dumps(raw).encode()).training.decoder_trained is trained
    with pytest.raises(BundleRefused, match=r"config\.json\.training: expected an object"):
        read_description(json.dumps({**raw, "training": [method]}).encode())


def test_there_is_a_step_from_every_version() -> None:
    assert sorted(STEPS) == list(range(1, FORMAT_VERSION))


# What the newest version says. Another field or tensor is another version: a step, and a frozen bundle.
FIELDS = {
    "": "accuracy format format_version labels licence network normalisation parts preprocessing "
    "project_version recovery representation training unit",
    "accuracy": "beside high leads low macro_auroc probe protocol task",
    "network": "aligned context decoder decoder_depth decoder_heads decoder_width depth dtype heads "
    "kernel_length kernels normalise_patches patch projection registers time_bias voltage width zero_output",
    "preprocessing": "filter_order high_pass leads low_pass microvolts_per_unit sampling_rate window_seconds",
    "normalisation": "limb_leads mean scale smallest_scale typical_scale",
    "representation": "crop_samples crops pooling",
    "training": "crop_samples data decoder_trained dtype fda_mode fewest_leads manifests method seed "
    "step target_floor",
}


def test_another_field_is_another_version() -> None:
    whole = json.loads(made_description().to_json())
    whole["accuracy"] = whole["accuracy"][0]
    fields = {name: " ".join(sorted(whole[name] if name else whole)) for name in FIELDS}
    assert (whole["format_version"], fields) == (4, FIELDS)


def test_configs_are_migrated_step_by_step() -> None:
    steps = {
        1: Step(lambda raw: {**raw, "unit": "mV"}),
        2: Step(lambda raw: {"labels" if name == "classes" else name: x for name, x in raw.items()}),
    }
    old = {**OLD, "classes": ["MI"]}
    assert migrated(old, steps, newest=3) == {"unit": "mV", "labels": ["MI"]}
    assert migrated({**old, "format_version": 3}, steps, newest=3) == {"classes": ["MI"]}
    for version, said in (
        (4, "newer than this code"),
        (0, "from 1 to 3"),
        (-(10**4000), "from 1 to 3, got -1000"),
        ("1", "no bundle"),
        (True, "no bundle"),
    ):
        with pytest.raises(BundleRefused, match=said):
            migrated({**old, "format_version": version}, steps, newest=3)
    with pytest.raises(BundleRefused, match="no bundle"):
        migrated({"format_version": 1})


MASK, WIDTH = "network.mask_token", "network.free_tokens"


def older(x):
    """`x` by name, as a version might have had it that had two tensors otherwise and a third not yet."""
    rest = {name: value for name, value in x.items() if name not in (MASK, WIDTH, "fda.a")}
    return rest, x[MASK], x[WIDTH]


def shapes_before(shapes):
    rest, mask, width = older(shapes)
    return {**rest, "network.masks": (1, *mask), WIDTH: width[::-1]}


def tensors_since(tensors):
    rest = {name: x for name, x in tensors.items() if name != "network.masks"}
    return {**rest, MASK: tensors["network.masks"][0], WIDTH: tensors[WIDTH].T, "fda.a": np.float32(0.5)}


def test_tensors_are_renamed_reshaped_and_added(written, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(migration.STEPS, 1, Step(STEPS[1].config, shapes_before, tensors_since))
    copy = shutil.copytree(written, tmp_path / "copy")
    text = (copy / folder.CONFIG).read_text().replace('"format_version": 4', '"format_version": 1')
    (copy / folder.CONFIG).write_text(text)
    rest, mask, width = older(flat(made_parameters()))
    held = {**rest, "network.masks": mask[None], WIDTH: np.ascontiguousarray(width.T)}
    (copy / folder.TENSORS).write_bytes(tensors_to_bytes(held))
    bundle = read_bundle(copy)
    expected = {**flat(made_parameters()), "fda.a": np.float32(0.5)}
    for name, x in flat({"network": bundle.parameters, "fda": bundle.fda}).items():
        np.testing.assert_array_equal(x, expected.pop(name))
    assert not expected
    held["network.masks"] = mask
    (copy / folder.TENSORS).write_bytes(tensors_to_bytes(held))
    with pytest.raises(BundleRefused, match=r"network\.masks: expected .*'shape': \[1, 8\]"):
        read_bundle(copy)
