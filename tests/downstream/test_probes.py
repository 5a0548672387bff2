import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from coreecg_jax.downstream import probes
from coreecg_jax.downstream.folds import patient_folds
from coreecg_jax.downstream.probes import fit_probe, fit_validated_probe
from coreecg_jax.downstream.scores import auroc, macro_auroc

STRENGTHS = (0.1, 1.0, 10.0)


def _planted(seed=0, recordings=160, width=30, signal=4.0):
    """Two classes, each told by one feature."""
    rng = np.random.default_rng(seed)
    labels = rng.random((recordings, 2)) < 0.4
    features = rng.normal(size=(recordings, width))
    features[:, :2] += signal * labels
    return features, labels, np.arange(recordings) // 2


def best(probe):
    """The score by which its strength was chosen."""
    return probe.standings[probe.strength].auroc


def test_finds_a_planted_signal():
    features, labels, patients = _planted(signal=8.0)
    probe = fit_probe([features], labels, patients, strengths=STRENGTHS)
    fresh, fresh_labels, _ = _planted(seed=1, signal=8.0)
    assert macro_auroc(probe.predict([fresh]), fresh_labels) > 0.99
    assert best(probe) > 0.99


def test_noise_scores_about_a_half():
    features, labels, patients = _planted(signal=0.0, recordings=600)
    probe = fit_probe([features], labels, patients, strengths=STRENGTHS)
    assert abs(best(probe) - 0.5) < 0.07


@pytest.mark.parametrize("width", [30, 400])  # fewer and more features than recordings
def test_equals_scikit_learn(width):
    features, labels, patients = _planted(width=width, signal=1.0)
    probe = fit_probe([features], labels, patients, strengths=STRENGTHS)
    scaler = StandardScaler().fit(features)
    fresh = _planted(seed=1, width=width)[0]
    for c in range(2):
        model = LogisticRegression(C=probe.strength / width, max_iter=10_000, tol=1e-9)
        expected = model.fit(scaler.transform(features), labels[:, c]).predict_proba(scaler.transform(fresh))
        np.testing.assert_allclose(probe.predict([fresh])[:, c], expected[:, 1], atol=1e-5)


def test_features_of_very_different_spread_take_few_steps(monkeypatch):
    """Without the curvature along each axis the last strength takes several times as many."""
    features, labels, patients = _planted(width=60, signal=1.0)
    mixed = features @ np.random.default_rng(1).normal(size=(60, 60)) @ np.diag(np.logspace(0, -3, 60))
    steps, minimize = [], probes.minimize

    def counted(*args, **kwargs):
        found = minimize(*args, **kwargs)
        steps.append(found.nfev)
        return found

    monkeypatch.setattr(probes, "minimize", counted)
    fit_probe([mixed], labels, patients, strengths=(1.0, 1e3))
    assert max(steps) < 100
    monkeypatch.setattr(
        probes, "_principal_axes", lambda features: (np.eye(features.shape[1]), np.ones(features.shape[1]))
    )
    steps.clear()
    fit_probe([mixed], labels, patients, strengths=(1.0, 1e3))
    assert max(steps) > 300


def test_out_of_fold_predictions_do_not_see_their_fold(monkeypatch):
    features, labels, patients = _planted(signal=1.0)
    fold = patient_folds(patients, labels)
    monkeypatch.setattr(probes, "patient_folds", lambda *_, folds: fold)  # other labels would be dealt anew
    before = fit_probe([features], labels, patients, strengths=[1.0]).judged.probabilities
    changed = labels.copy()
    changed[fold == 2] = ~changed[fold == 2]
    after = fit_probe([features], changed, patients, strengths=[1.0]).judged.probabilities
    np.testing.assert_array_equal(before[fold == 2], after[fold == 2])
    assert not np.array_equal(before[fold != 2], after[fold != 2])


def test_a_validation_set_chooses_and_is_not_fitted():
    features, labels, groups = _planted(signal=1.0, width=200)
    seen, held_out = groups < 50, groups >= 50
    parts = [features[seen]], labels[seen], [features[held_out]]
    probe = fit_validated_probe(*parts, labels[held_out], groups[held_out], strengths=(1e-3, 1.0, 1e4))
    assert best(probe) == max(standing.auroc for standing in probe.standings.values())
    predicted = probe.predict([features[held_out]])
    assert best(probe) == pytest.approx(macro_auroc(predicted, labels[held_out]))
    np.testing.assert_array_equal(probe.judged.probabilities, predicted)
    other = fit_validated_probe(*parts, ~labels[held_out], groups[held_out], strengths=(probe.strength,))
    np.testing.assert_array_equal(other.judged.probabilities, predicted)


def test_the_best_strength_is_chosen_out_of_fold():
    features, labels, patients = _planted(signal=1.0, width=200)
    probe = fit_probe([features], labels, patients, strengths=(1e-3, 1.0, 1e4))
    assert best(probe) == max(standing.auroc for standing in probe.standings.values())
    assert best(probe) == pytest.approx(
        macro_auroc(probe.judged.probabilities, labels, strata=patient_folds(patients, labels))
    )


def test_a_wide_block_does_not_drown_a_narrow_one():
    narrow, labels, patients = _planted(width=2, signal=1.5)
    wide = np.random.default_rng(9).normal(size=(len(labels), 300))
    joined = best(fit_probe([narrow, wide], labels, patients, strengths=STRENGTHS))
    alone = best(fit_probe([narrow], labels, patients, strengths=STRENGTHS))
    one_block = np.concatenate([narrow, wide], axis=1)
    as_one = best(fit_probe([one_block], labels, patients, strengths=STRENGTHS))
    assert joined > alone - 0.05
    assert joined > as_one + 0.05


def test_scale_and_offset_of_features_do_not_matter():
    features, labels, patients = _planted(signal=1.0)
    probe = fit_probe([features], labels, patients, strengths=STRENGTHS)
    moved = fit_probe([features * 1000 + 5], labels, patients, strengths=STRENGTHS)
    np.testing.assert_allclose(probe.predict([features]), moved.predict([features * 1000 + 5]), atol=1e-3)


def test_a_class_with_one_label_gets_that_label():
    features, labels, patients = _planted()
    labels = np.concatenate([labels, np.zeros_like(labels[:, :1]), np.ones_like(labels[:, :1])], axis=1)
    probabilities = fit_probe([features], labels, patients, strengths=[1.0]).predict([features])
    np.testing.assert_allclose(probabilities[:, 2:], [[0, 1]] * len(labels), atol=1e-300)
    assert auroc(probabilities[:, 0], labels[:, 0]) > 0.9


def test_is_deterministic():
    features, labels, patients = _planted(signal=1.0)
    first, again = (fit_probe([features], labels, patients, strengths=STRENGTHS) for _ in range(2))
    np.testing.assert_array_equal(first.predict([features]), again.predict([features]))
    assert first.strength == again.strength


def test_refuses_what_it_cannot_fit(monkeypatch):
    features, labels, patients = _planted()
    with pytest.raises(ValueError, match="expected blocks of 160 recordings"):
        fit_probe([features[:100]], labels, patients)
    features[3, 0] = np.nan
    with pytest.raises(ValueError, match="finite features"):
        fit_probe([features], labels, patients)
    monkeypatch.setattr(probes, "MAX_ITERATIONS", 1)
    with pytest.raises(ValueError, match="no convergence at strength"):
        fit_probe([np.nan_to_num(features)], labels, patients)


def test_what_is_not_known_is_not_fitted(monkeypatch):
    features, labels, patients = _planted(signal=1.0)
    known = np.ones_like(labels)
    known[::3, 0] = labels[::3, 0]  # a third names the first class where it is, and never denies it
    unknown = ~known[:, 0]
    monkeypatch.setattr(probes, "patient_folds", lambda *_, folds: np.arange(160) % 5)
    probe = fit_probe([features], labels, patients, known=known, strengths=[1.0])
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=1.0 / 30, max_iter=10_000, tol=1e-9)
    expected = model.fit(scaler.transform(features)[~unknown], labels[~unknown, 0])
    expected = expected.predict_proba(scaler.transform(features))[:, 1]
    np.testing.assert_allclose(probe.predict([features])[:, 0], expected, atol=1e-4)
    other = labels.copy()
    other[unknown, 0] = True  # whatever stands there
    again = fit_probe([features], other, patients, known=known, strengths=[1.0])
    np.testing.assert_array_equal(again.predict([features]), probe.predict([features]))
    assert again.standings == probe.standings
    half = np.arange(160) < 80
    parts = [features[half]], labels[half], [features[~half]], labels[~half], patients[~half]
    changed = [features[half]], other[half], [features[~half]], other[~half], patients[~half]
    masks = {"known": known[half], "validation_known": known[~half]}
    one, two = (fit_validated_probe(*each, **masks, strengths=(0.1, 10.0)) for each in (parts, changed))
    assert one.standings == two.standings
    assert one.strength == two.strength
