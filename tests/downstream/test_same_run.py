"""Which evaluations are by one run, whatever its step."""

import dataclasses
import json

import pytest
from made_cohorts import NETWORK, made_encoder
from made_parameters import made_parameters

from coreecg_jax.downstream.openings import Sealed, open_once
from coreecg_jax.downstream.provenance import digest_of_parameters
from coreecg_jax.downstream.same_run import ALIKE, RUN, identity_of, of_one_run, who

CONFIG = {"method": "coreecg", "seed": 0, "run.steps": 1500, "optimizer.learning_rate": 1e-3}
BUNDLE = {"bundle": {"config.json": "0"}, "settings": {"training.method": "coreecg"}}


def at_step(step, **changes):
    """The encoder of one training at a step, with parameters of its own."""
    parameters = made_parameters(NETWORK, seed=step)
    known = {"settings": CONFIG, "data_digests": {"ptbxl": "a" * 64}, "trained_on": "ptbxl:fold1-8"}
    of_step = {"step": step, "pretrained": parameters, "digest": digest_of_parameters(parameters)}
    return dataclasses.replace(made_encoder(), **known | of_step | changes)


def identity(*encoders, **changes):
    return identity_of(encoders, {"leads": ("I", "II"), "fraction": 1.0} | changes, "linear")


def of(one, other):
    """Who it was, whichever of the two was first."""
    (found,) = {who(identity(one), identity(other)), who(identity(other), identity(one))}
    return found


def test_another_step_is_the_same_run():
    assert of(at_step(500), at_step(1000)) == RUN
    moved = CONFIG | {"data.root": "elsewhere", "run.log_every": 7, "run.remat": "dots"}
    assert of(at_step(500), at_step(1000, settings=moved)) == RUN
    assert who(identity(at_step(500), fraction=0.5), identity(at_step(1000))) is None


def test_all_labels_are_the_same_whatever_the_number_of_the_draw():
    run, again = identity(at_step(500), repeat=0), identity(at_step(500), repeat=1)
    assert who(run, again) == who(again, run) == RUN
    part, other = (identity(at_step(500), fraction=0.5, repeat=repeat) for repeat in (0, 1))
    assert (who(part, part), who(part, other)) == (RUN, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": CONFIG | {"seed": 1}, "seed": 1},
        {"settings": CONFIG | {"optimizer.learning_rate": 1e-4}},
        {"data_digests": {"ptbxl": "b" * 64}},
    ],
)
def test_another_training_is_another_run(changes):
    assert of(at_step(500), at_step(1000, **changes)) is None
    assert of(at_step(500), at_step(501, **changes)) is None


def test_one_seed_in_common_is_the_same_run():
    second = {"seed": 1, "settings": CONFIG | {"seed": 1}}
    both = identity(at_step(500), at_step(501, **second))
    assert who(both, identity(at_step(1001, **second))) == RUN


def test_a_bundle_is_of_a_run_as_far_as_it_says():
    bundle = at_step(500, **BUNDLE)
    assert of(bundle, at_step(500)) == RUN  # the same parameters
    assert of(bundle, at_step(1000)) == of(bundle, at_step(1000, **BUNDLE)) == ALIKE
    elsewhere = NETWORK.clone(dtype="bfloat16")
    assert of(bundle, at_step(1000, network=elsewhere)) == ALIKE
    other = made_parameters(NETWORK, seed=7)  # at the same step, so not of one training
    assert of(bundle, at_step(500, pretrained=other, digest="other", **BUNDLE)) is None
    for changes in (
        {"seed": 1},
        {"trained_on": "ptbxl:fold1-9"},
        {"data_digests": {"ptbxl": "b" * 64}},
        {"settings": {"training.method": "simclr"}},
        {"network": NETWORK.clone(registers=2)},
        {"crop_seconds": 1.5},
    ):
        assert of(bundle, at_step(1000, **BUNDLE | changes)) is None, changes


def test_data_that_nobody_noted_are_the_same_of_a_run_and_its_bundle():
    of_run = at_step(500, data_digests={})
    assert of(of_run, at_step(1000, data_digests={"ptbxl": ""}, **BUNDLE)) == ALIKE


def test_lines_of_before_know_checkpoints_alone():
    before = {name: value for name, value in identity(at_step(500)).items() if name != "training"}
    assert who(before | {"task": {"name": "x"}}, identity(at_step(500))) == RUN
    assert who(before, identity(at_step(1000))) is None


def test_the_rival_alone_is_one_run_by_every_protocol():
    asked = [identity_of([], {"fraction": 1.0}, protocol) for protocol in ("linear", "knn", "finetune")]
    assert [one["protocol"] for one in asked] == ["linear"] * 3
    before = asked[0] | {"protocol": "knn"}  # as lines of before have it
    assert who(before, asked[0]) == who(asked[0], before) == RUN
    assert who(asked[0], asked[0] | {"subset": {"fraction": 0.5}}) is None
    assert who(asked[0], identity(at_step(500))) is None
    assert who(identity(at_step(500)) | {"protocol": "knn"}, identity(at_step(500))) is None


def test_of_one_run_whatever_is_asked():
    half = identity(at_step(1000), fraction=0.5) | {"protocol": "knn"}
    assert of_one_run(identity(at_step(500)), half) == RUN
    assert of_one_run(identity(at_step(500, **BUNDLE)), half) == ALIKE
    assert of_one_run(identity(at_step(500, settings=CONFIG | {"seed": 1})), half) is None
    assert of_one_run(identity_of([], {"fraction": 1.0}, "knn"), identity_of([], {}, "knn")) == RUN
    assert of_one_run(identity_of([], {"fraction": 1.0}, "knn"), half) is None


def test_choosing_the_step_by_the_test_is_refused_or_marked(tmp_path):
    file = tmp_path / "log.jsonl"

    def opened(encoder, allow=False):
        sealed = Sealed(identity(encoder), "ptbxl_superclass", "ptbxl:fold10")
        return open_once(file, sealed, root=tmp_path, predictions="0" * 64, allow_retest=allow).number_by_run

    assert opened(at_step(500)) == 1
    with pytest.raises(ValueError, match=r": this run opened this test set once before.* at step 500, and"):
        opened(at_step(1000))
    assert opened(at_step(1000), allow=True) == 2
    with pytest.raises(ValueError, match=r"a run that a bundle does not tell from this one.*2 times before"):
        opened(at_step(1500, **BUNDLE))
    assert [json.loads(line)["number_by_run"] for line in file.read_text().splitlines()] == [1, 2]
