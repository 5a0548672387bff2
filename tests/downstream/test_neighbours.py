import tracemalloc

import numpy as np
import pytest
from made_cohorts import PREPROCESSING, made_recordings
from made_parameters import made_parameters

from coreecg_jax.downstream import neighbours
from coreecg_jax.downstream.choosing import Standing
from coreecg_jax.downstream.cohorts import labelled
from coreecg_jax.downstream.neighbours import fit_neighbours, leave_group_out, neighbour_score
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.method.network import CoReECG
from coreecg_jax.records.label_sets import load_label_set

TASK = Task("made", "ptbxl_superclass", train="ptbxl:fold1-8", test="ptbxl:fold9")


def slow(features, labels, groups, k):
    standard = (features - features.mean(0)) / (features.std(0) + 1e-6)
    rows = []
    for i in range(len(features)):
        others = [j for j in range(len(features)) if groups[j] != groups[i]]

        def cosine(j, i=i):
            norm = np.linalg.norm(standard[i]) * np.linalg.norm(standard[j])
            return standard[i] @ standard[j] / norm

        nearest = sorted(others, key=cosine, reverse=True)[:k]
        rows.append(labels[nearest].mean(0))
    return np.array(rows)


def test_it_is_the_mean_label_of_the_nearest_of_other_groups():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(30, 4)), rng.random((30, 3)) < 0.4
    groups = np.arange(30) // 2
    np.testing.assert_allclose(
        leave_group_out(features, labels, groups, 5), slow(features, labels, groups, 5), atol=1e-12
    )


def test_of_the_nearest_those_are_heard_that_know():
    rng = np.random.default_rng(4)
    features, labels, groups = rng.normal(size=(60, 4)), rng.random((60, 3)) < 0.4, np.arange(60)
    known = rng.random((60, 3)) < 0.6
    known[:, 2] = False  # of whom nobody near knows: the share of positives, here of nobody
    probe = fit_neighbours(features, labels, groups, known=known, tried=(3,))
    standard = (features - features.mean(0)) / (features.std(0) + 1e-6)
    unit = standard / np.linalg.norm(standard, axis=1, keepdims=True)
    for row, found in enumerate(probe.judged.probabilities):
        near = [j for j in np.argsort(-unit[row] @ unit.T, kind="stable") if j != row][:3]
        for c in range(2):
            heard = [labels[j, c] for j in near if known[j, c]]
            share = labels[known[:, c], c].mean()
            assert found[c] == pytest.approx(np.mean(heard) if heard else share)
        assert found[2] == 0
    changed = fit_neighbours(features, labels ^ ~known, groups, known=known, tried=(3,))
    np.testing.assert_array_equal(changed.judged.probabilities, probe.judged.probabilities)


def test_what_a_group_says_of_itself_is_not_heard():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(8), 4)
    features = np.eye(8)[groups] + 1e-3 * rng.normal(size=(32, 8))
    labels = np.eye(8, dtype=bool)[groups]  # known from the group alone
    predicted = leave_group_out(features, labels, groups, 4)
    assert not predicted[labels].any()


def test_their_number_is_chosen_by_validation():
    rng = np.random.default_rng(3)
    labels = rng.random((120, 2)) < 0.5
    features = labels + 0.8 * rng.normal(size=(120, 2))
    groups = np.arange(120)
    probe = fit_neighbours(features[:80], labels[:80], groups[:80], tried=(1, 20, 300))
    assert probe.neighbours == 20  # 300 are not there
    held_out = features[80:], labels[80:], groups[80:]
    validated = fit_neighbours(features[:80], labels[:80], groups[:80], held_out, tried=(1, 20))
    assert validated.judged.labels is held_out[1]
    np.testing.assert_array_equal(validated.predict(features[80:]), validated.judged.probabilities)
    standard = (features - features[:80].mean(0)) / (features[:80].std(0) + 1e-6)
    unit = standard / np.linalg.norm(standard, axis=1, keepdims=True)
    for row in range(80, 120):
        nearest = np.argsort(-(unit[:80] @ unit[row]), kind="stable")[: validated.neighbours]
        np.testing.assert_allclose(validated.judged.probabilities[row - 80], labels[nearest].mean(0))
    with pytest.raises(ValueError, match="neighbours: expected 1 to 79"):
        fit_neighbours(features[:80], labels[:80], groups[:80], tried=(200,))


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_similarities_are_computed_in_parts_with_the_same_result(monkeypatch, rows):
    rng = np.random.default_rng(4)
    features, labels = rng.normal(size=(90, 6)), rng.random((90, 3)) < 0.4
    known, asked, groups = features[:60], features[60:], np.arange(60) // 2
    unit = (features - known.mean(0)) / (known.std(0) + 1e-6)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    similarity = unit @ unit[:60].T
    similarity[:60][groups[:, None] == groups[None]] = -np.inf
    nearest = np.argsort(-similarity, axis=1, kind="stable")
    monkeypatch.setattr(neighbours, "_SIMILARITIES", rows * 60)
    alone = leave_group_out(known, labels[:60], groups, 5)
    np.testing.assert_array_equal(alone, labels[nearest[:60, :5]].mean(1))
    for validation in (None, (asked, labels[60:], np.arange(30))):
        probe = fit_neighbours(known, labels[:60], groups, validation, tried=(3, 10))
        of = nearest[:, : probe.neighbours]
        np.testing.assert_array_equal(probe.predict(asked), labels[of[60:]].mean(1))
        chosen_by = of[:60] if validation is None else of[60:]
        np.testing.assert_array_equal(probe.judged.probabilities, labels[chosen_by].mean(1))


def test_memory_does_not_grow_with_the_number_of_pairs(monkeypatch):
    rng = np.random.default_rng(5)
    features, labels = rng.normal(size=(1500, 3)).astype(np.float32), rng.random((1500, 2)) < 0.4
    monkeypatch.setattr(neighbours, "_SIMILARITIES", 1500 * 8)
    tracemalloc.start()
    leave_group_out(features, labels, np.arange(1500), 5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1500 * 1500  # bytes: a quarter of the similarities of all pairs


def test_of_numbers_that_rank_alike_the_one_that_says_most_is_taken(monkeypatch):
    rng = np.random.default_rng(6)
    features, labels = rng.normal(size=(40, 3)), rng.random((40, 2)) < 0.4
    told = {3: Standing(0.8, 0.6), 6: Standing(0.8, 0.4), 9: Standing(0.8, 0.4), 12: Standing(0.7, 0.1)}
    of_each = iter(told.values())
    monkeypatch.setattr(neighbours, "standing", lambda *_, **__: next(of_each))
    probe = fit_neighbours(features, labels, np.arange(40), tried=tuple(told))
    assert probe.neighbours == 6


@pytest.mark.parametrize("k", [0, 5])
def test_too_few_others_are_told(k):
    groups = np.array([0, 0, 0, 1, 2, 3, 4])
    message = f"neighbours: expected 1 to 4, .*got {k}"
    with pytest.raises(ValueError, match=message):
        leave_group_out(np.eye(7), np.eye(7, dtype=bool), groups, k)


def test_an_encoder_is_scored_on_the_training_recordings(monkeypatch):
    recordings = made_recordings(80)
    cohort = labelled(recordings, recordings.labels, load_label_set("ptbxl_superclass"), "made")
    asked = []

    def read(*args):
        asked.append(args)
        return cohort

    monkeypatch.setattr(neighbours, "read_cohort", read)
    sizes = {"width": 16, "depth": 1, "heads": 2, "decoder_width": 8, "decoder_depth": 1, "decoder_heads": 1}
    network = CoReECG(patch=10, kernels=0, **sizes)
    parameters = {"network": made_parameters(network), "fda": {}}
    seconds = PREPROCESSING.window_seconds
    score = neighbour_score(network, TASK, "root", crop_seconds=seconds, neighbours=10)
    first = score(parameters)
    assert asked == [("root", "ptbxl:fold1-8", "ptbxl_superclass", 0.0)]
    assert first.keys() == {"knn_auroc"}
    assert 0.5 < first["knn_auroc"] <= 1  # one lead is loud in each class
    assert score(parameters) == first
    with pytest.raises(ValueError, match="neighbours: expected 1 to"):  # at the start, not hours later
        neighbour_score(network, TASK, "root", crop_seconds=seconds, neighbours=80)
