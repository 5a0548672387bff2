"""A bundle is evaluated as the run is that it was written from, and says which bundle it was."""

import dataclasses
import json
import shutil
import sys
import types

import jax
import numpy as np
import pytest
from made_labelled import PREPROCESSING, write_labelled_data
from made_launches import launched
from made_parameters import made_state

from configs import tiny
from configs.downstream import protocols
from coreecg_jax.downstream import methods
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.methods import require_one_configuration
from coreecg_jax.downstream.pretrained_on import Exposure, require_unseen, seen_in_pretraining
from coreecg_jax.downstream.provenance import digest_of_parameters
from coreecg_jax.downstream.same_run import ALIKE, RUN, identity_of, who
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.export.hub import CACHE
from coreecg_jax.export.loading import RELEASED
from coreecg_jax.export.parts import parameters_of
from coreecg_jax.export.writing import write_bundle
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.inputs.selection import select
from coreecg_jax.records.checksums import digest_of_file
from coreecg_jax.records.schema import MANIFEST_FILE
from coreecg_jax.training.checkpoints import Checkpoints
from coreecg_jax.training.experiment import build, resolved
from launch import evaluating
from launch.evaluating import Asked, evaluated
from launch.exporting import description_of
from launch.protocol_settings import protocols_of
from launch.restored import encoder_of


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_labelled_data(root)
    (root / "ptbxl" / "1.0.0" / MANIFEST_FILE).write_text("{}\n")
    return root


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """The tiny experiment before its first step, of seed 3, to be trained on folds 1 to 8."""
    config = tiny.get_config()
    config.seed, config.data.root, config.data.train = 3, str(data), "ptbxl:fold1-8"
    config = resolved(config)
    workdir = tmp_path_factory.mktemp("run")
    digests = {"train": select(data, "ptbxl:fold1-8").manifest_digests()}
    with Checkpoints(workdir, config, PREPROCESSING, digests) as checkpoints:
        checkpoints.save_last(made_state(build(config, PREPROCESSING)))
    return workdir


@pytest.fixture(scope="module")
def described(run):
    return description_of(str(run), parts=("encoder",), pooling="lead", crops=3)


@pytest.fixture(scope="module")
def bundle(described, tmp_path_factory):
    """The encoder of the run alone."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    description, parameters = described
    write_bundle(folder, description, parameters, formats=())
    return folder


def test_a_bundle_is_the_encoder_of_its_run(run, bundle, tmp_path):
    of_run, of_bundle = encoder_of(str(run)), encoder_of(str(bundle))
    for before, now in ((of_run.pretrained, of_bundle.pretrained), (of_run.untrained, of_bundle.untrained)):
        jax.tree.map(
            np.testing.assert_array_equal,
            *(parameters_of(each, ("encoder",)) for each in (before, now)),
        )
    same = "step", "seed", "crop_seconds", "preprocessing", "trained_on", "data_digests"
    assert [getattr(of_run, name) for name in same] == [getattr(of_bundle, name) for name in same]
    assert (of_bundle.seed, of_bundle.network.clone(dtype=of_run.network.dtype)) == (3, of_run.network)
    assert (of_run.pooling, of_bundle.pooling) == ("rhythm", "lead")
    assert encoder_of(str(bundle), "recording").pooling == "recording"
    files = {name: digest_of_file(bundle / name) for name in ("config.json", "model.safetensors")}
    assert (dict(of_run.bundle), of_bundle.bundle) == ({}, files)
    assert of_bundle.digest == digest_of_parameters(parameters_of(of_run.pretrained, ("encoder",)))
    description, parameters = description_of(str(run), pooling="lead", crops=3)
    write_bundle(tmp_path / "whole", description, parameters, formats=())
    whole = encoder_of(str(tmp_path / "whole"))
    assert whole.digest == of_run.digest  # as lines of older versions of the log of openings have it
    with pytest.raises(ValueError, match="whole, of which two have the same encoder"):
        require_one_configuration([of_bundle, whole])


def test_a_bundle_of_a_later_step_is_no_other_run(run, bundle, tmp_path):
    def identity(encoder):
        return identity_of([encoder], dataclasses.asdict(Subset()), "linear")

    of_run, of_bundle = encoder_of(str(run)), encoder_of(str(bundle))
    description, parameters = description_of(str(run), pooling="lead", crops=3)
    moved = {"fda": parameters["fda"], "network": jax.tree.map(lambda x: x + 1, parameters["network"])}
    for seed, expected in ((3, ALIKE), (4, None)):
        training = dataclasses.replace(description.training, step=5, seed=seed)
        later = dataclasses.replace(description, training=training)
        write_bundle(tmp_path / str(seed), later, moved, formats=())
        encoder = encoder_of(str(tmp_path / str(seed)))
        for before in (of_run, of_bundle):
            assert who(identity(before), identity(encoder)) == expected
    assert who(identity(of_run), identity(of_bundle)) == RUN
    assert identity(of_run)["training"][0]["run"]
    assert not identity(of_bundle)["training"][0]["run"]


def test_a_bundle_of_a_hub_is_the_bundle(bundle, tmp_path, monkeypatch):
    def snapshot_download(repository, *, revision, local_dir, allow_patterns):
        assert (repository, revision) == ("lab/ecg-s", "v1")
        local_dir.mkdir(parents=True)
        for name in allow_patterns:
            shutil.copy(bundle / name, local_dir)

    package = types.SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    monkeypatch.setenv(CACHE, str(tmp_path))
    named, here = encoder_of("hf://lab/ecg-s@v1"), encoder_of(str(bundle))
    assert (named.name, named.digest, named.bundle) == ("hf://lab/ecg-s@v1", here.digest, here.bundle)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"^hf://lab/ecg-s: expected huggingface_hub: pip install 'coreecg-"):
        encoder_of("hf://lab/ecg-s")
    with pytest.raises(ValueError, match=r"^expected hf://ORGANISATION/NAME or .*, got hf://lab$"):
        encoder_of("hf://lab")


def test_seeds_are_of_one_configuration_and_no_run_is_averaged_with_a_bundle(run, bundle):
    of_bundle = encoder_of(str(bundle))
    drawn = {"seed": 4, "digest": "other", "pretrained": of_bundle.untrained}
    seed = dataclasses.replace(of_bundle, name="other", **drawn)
    require_one_configuration([of_bundle, seed])
    with pytest.raises(ValueError, match="expected folders of runs or bundles, got both"):
        require_one_configuration([encoder_of(str(run)), seed])
    with pytest.raises(ValueError, match=r"small and other differ in pooling lead / recording"):
        require_one_configuration([of_bundle, dataclasses.replace(seed, pooling="recording")])
    wider = dataclasses.replace(seed, settings={**seed.settings, "network.width": 8})
    with pytest.raises(ValueError, match=r"small and other differ in config.network.width"):
        require_one_configuration([of_bundle, wider])


def test_what_its_encoder_saw_is_looked_for_by_the_manifests_it_names(bundle, data, described, tmp_path):
    encoder = encoder_of(str(bundle))
    both = "ptbxl:fold8+fold10"
    seen = seen_in_pretraining([encoder], data, read_recordings(data, both), both)
    assert seen == {str(bundle): Exposure(2, 2, 2, seen[str(bundle)].alike, named=("ptbxl:fold8",))}
    with pytest.raises(ValueError, match="small was pretrained on 2 recordings of the test"):
        require_unseen(seen, both)
    description, parameters = described
    unknown = dataclasses.replace(description.training, manifests={})
    write_bundle(tmp_path / "x", dataclasses.replace(description, training=unknown), parameters, formats=())
    nameless = encoder_of(str(tmp_path / "x"))
    assert nameless.data_digests == {"ptbxl": ""}
    asked = read_recordings(data, "ptbxl:fold10"), "ptbxl:fold10"
    assert seen_in_pretraining([nameless], data, *asked) == {nameless.name: None}  # cannot be told
    assert seen_in_pretraining([encoder], data, *asked)[encoder.name].changed is False
    asked = read_recordings(data, "ptbxl:fold8"), "ptbxl:fold8"
    found = seen_in_pretraining([nameless], data, *asked)[nameless.name]
    assert (found.recordings, found.changed) == (2, True)


def test_data_prepared_again_before_the_export_are_not_taken_for_those_of_the_training(
    run, data, described, tmp_path, capsys
):
    again = tmp_path / "data"
    shutil.copytree(data, again)
    (again / "ptbxl" / "1.0.0" / MANIFEST_FILE).write_text('{"prepared": "again"}\n')
    asked = {"parts": ("encoder",), "pooling": "lead", "crops": 3}
    description, parameters = description_of(str(run), data_root=str(again), **asked)
    assert description.training.manifests == select(data, "ptbxl:fold1-8").manifest_digests()
    assert f"ptbxl: the data under {again} are not those of the training" in capsys.readouterr().err
    write_bundle(tmp_path / "bundle", description, parameters, formats=())
    encoder = encoder_of(str(tmp_path / "bundle"))
    for root, changed in ((again, True), (data, False)):
        recordings = read_recordings(root, "ptbxl:fold10")
        seen = seen_in_pretraining([encoder], root, recordings, "ptbxl:fold10")
        assert seen[encoder.name].changed is changed
    gone, _ = description_of(str(run), data_root=str(tmp_path / "gone"), **asked)
    assert gone.training.manifests == described[0].training.manifests
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_a_sealed_test_is_asked_once_by_a_run_and_its_bundle(run, bundle, data):
    def ask(checkpoint):
        short = "--beside=untrained", "--pooling=recording", "--protocol=finetune"
        epochs = "--protocols.finetune.epochs=3", "--protocols.finetune.min_epoch_steps=1"
        return launched(
            "launch.evaluate", f"--checkpoint={checkpoint}", f"--data_root={data}", *short, *epochs
        )

    there = sorted(bundle.iterdir())
    result = ask(bundle)
    assert result.returncode == 0, result.stderr
    digest = encoder_of(str(bundle)).digest
    (file,) = (data / "evaluations" / f"bundle_small_{digest[:8]}").glob("*.json")
    assert f"result: {file}" in result.stdout
    assert sorted(bundle.iterdir()) == there
    (encoder,) = json.loads(file.read_text())["encoders"]
    assert encoder["bundle"]["model.safetensors"] == digest_of_file(bundle / "model.safetensors")
    again = ask(run)
    assert again.returncode == 2
    assert "this run opened this test set once before" in again.stderr


def test_a_bundle_is_scored_with_the_crops_that_it_embeds_with(run, bundle, tmp_path, monkeypatch):
    frozen, questions = [], []

    def develop(task, root, methods, subset, seal):
        methods(PREPROCESSING)

    def written(found, encoders, asked, file, tell):
        questions.append(asked.question()["settings"]["crops"])
        return file.stem

    def ask(*encoders, crops=None):
        frozen.clear()
        config = protocols.get_config()
        config.linear.crops = crops
        asked = Asked(task, tmp_path, tmp_path / "log", settings=protocols_of(config), development=True)
        name = evaluated(dataclasses.replace(asked, beside=()), encoders)
        return {extract.keywords["crops"] for extract in frozen}, questions.pop(), "crops" in name

    monkeypatch.setattr(evaluating, "develop", develop)
    monkeypatch.setattr(evaluating, "manifests_of", lambda root, task: {})
    monkeypatch.setattr(evaluating, "written", written)
    monkeypatch.setattr(methods, "FeatureStore", lambda extract, file: frozen.append(extract))
    monkeypatch.setattr(methods, "rival", lambda *asked: None)
    task = Task("made", "ptbxl_superclass", "ptbxl:fold1", test="ptbxl:fold2")
    description, parameters = description_of(str(run), parts=("encoder",), pooling="lead", crops=2)
    write_bundle(tmp_path / "two", description, parameters, formats=())
    two, three = str(tmp_path / "two"), encoder_of(str(bundle))
    assert ask(encoder_of(two)) == ({2}, 2, True)
    assert ask(encoder_of(two), crops=3) == ({3}, 3, False)
    assert ask(encoder_of(two, "recording")) == ({3}, 3, False)
    assert ask(three) == ask(encoder_of(str(run), "lead")) == ({3}, 3, False)
    assert ask(encoder_of("released")) == ({1}, 3, False)  # by rhythm, whatever the number of crops
    seed = dataclasses.replace(encoder_of(two), seed=4, digest="other", pretrained=three.untrained)
    with pytest.raises(ValueError, match=r"two differ in crops 3 / 2: evaluate each"):
        ask(three, seed)
    assert ask(three, seed, crops=2) == ({2}, 2, True)


def test_bundles_in_folders_of_one_name_do_not_write_over_one_another(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluating, "develop", lambda *asked: None)
    monkeypatch.setattr(evaluating, "manifests_of", lambda root, task: {})
    monkeypatch.setattr(evaluating, "written", lambda found, encoders, asked, file, tell: file)
    task = Task("made", "ptbxl_superclass", "ptbxl:fold1", test="ptbxl:fold2")
    asked = Asked(task, tmp_path, tmp_path / "openings.jsonl", development=True)
    one = dataclasses.replace(encoder_of(str(bundle)), name="runs/a/small", digest="a" * 64)
    other = dataclasses.replace(one, name="runs/b/small", digest="b" * 64)
    files = [evaluated(asked, [each]) for each in (one, other)]
    assert [file.parent.name for file in files] == ["bundle_small_aaaaaaaa", "bundle_small_bbbbbbbb"]
    out = tmp_path / "x.json"
    report = {part: {} for part in ("task", "protocol", "probe", "train", "test", "methods", "scores")}
    about = {name: getattr(one, name) for name in ("name", "pooling", "digest", "bundle")}
    out.write_text(json.dumps(report | {"asked": asked.question(), "encoders": [about]}))
    moved = dataclasses.replace(one, name="elsewhere/small")
    assert evaluated(asked, [moved], out=out) == out
    said = r"checkpoints \['small_aaaaaaaa by lead'\] there, \['small_bbbbbbbb by lead'\] asked"
    with pytest.raises(ValueError, match=said):
        evaluated(asked, [other], out=out)


def test_the_released_encoder_has_a_name_and_damage_is_told(bundle, tmp_path, monkeypatch):
    released = encoder_of("released")
    assert (released.name, released.step, released.pooling) == ("released", 3000, "rhythm")
    assert released.bundle["config.json"] == digest_of_file(RELEASED / "config.json")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "released").mkdir()  # a folder of that name is meant before it
    with pytest.raises(FileNotFoundError, match="no last checkpoint under released"):
        encoder_of("released")
    for file in bundle.iterdir():
        (tmp_path / "released" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "released" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"config.json: its SHA-256 is not that of SHA256SUMS"):
        encoder_of("released")
