"""Curves show the numbers that they are given, and can be saved."""

import io

import numpy as np
import pytest

from coreecg_jax.figures.curves import importance_curve, importance_of, training_curves


def saved(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    return buffer.getvalue()


def journal(steps, **extra):
    rows = [
        {
            "step": s,
            "train/loss": 1.0,
            "train/reconstruction": 1 / (1 + s),
            "train/contrastive": 3.0 - 0.001 * s,
        }
        for s in range(0, steps, 10)
    ]
    rows += [{"step": s, "validation/reconstruction": 2 / (1 + s)} for s in range(0, steps, 50)]
    return [{**row, **extra} for row in rows]


def panels(figure):
    return {axes.get_title(loc="left"): axes for axes in figure.axes}


def test_training_curves_draw_what_was_logged():
    figure = training_curves(journal(200))
    drawn = panels(figure)
    assert set(drawn) == {"Reconstruction loss", "Contrastive loss"}
    train, validation = drawn["Reconstruction loss"].lines
    np.testing.assert_allclose(train.get_xydata(), [(s, 1 / (1 + s)) for s in range(0, 200, 10)])
    np.testing.assert_allclose(validation.get_xydata(), [(s, 2 / (1 + s)) for s in range(0, 200, 50)])
    assert saved(figure).startswith(b"\x89PNG")


def test_runs_have_colours_and_names():
    figure = training_curves([*journal(100, run="learned"), *journal(100, run="uniform")])
    lines = panels(figure)["Contrastive loss"].lines
    assert len({line.get_color() for line in lines}) == 2
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["learned", "uniform", "train", "validation"]


def test_similarities_and_probes_are_drawn_where_they_are():
    rows = [*journal(100), {"step": 50, "train/similarity_positive": 0.8, "probe/knn_auroc": 0.7}]
    assert {"Similarity of positives", "kNN AUROC"} < set(panels(training_curves(rows)))


def test_null_is_a_gap():
    rows = [{"step": s, "train/reconstruction": None if s == 2 else 1.0} for s in range(5)]
    (line,) = panels(training_curves(rows))["Reconstruction loss"].lines
    np.testing.assert_array_equal(np.isnan(line.get_ydata()), [False, False, True, False, False])
    assert saved(training_curves(rows))


def test_long_curves_are_averaged_as_well():
    rng = np.random.default_rng(0)
    rows = [{"step": s, "train/reconstruction": None if s == 3 else rng.normal()} for s in range(1000)]
    raw, averaged = panels(training_curves(rows))["Reconstruction loss"].lines
    assert len(raw.get_xdata()) == 1000
    assert len(averaged.get_xdata()) == 50
    assert averaged.get_ydata().std() < 0.5
    assert np.isfinite(averaged.get_ydata()).all()


def test_nothing_to_draw_is_told():
    with pytest.raises(ValueError, match="train/reconstruction"):
        training_curves([{"step": 1, "train/learning_rate": 1e-3}])
    with pytest.raises(ValueError, match="got none"):
        training_curves([])


def test_importance_over_frequency_and_spectrum():
    frequency_hz = np.linspace(0, 50, 101)
    importance = 1 / (1 + np.exp(frequency_hz - 10))
    figure = importance_curve(frequency_hz, importance, np.exp(-frequency_hz))
    top, bottom = figure.axes
    np.testing.assert_array_equal(top.lines[0].get_ydata(), importance)
    decibels = np.asarray(bottom.lines[0].get_ydata())
    np.testing.assert_allclose(decibels[:10], -10 * np.log10(np.e) * frequency_hz[:10])
    assert saved(figure).startswith(b"\x89PNG")


def test_importance_is_that_of_the_last_validation():
    rows = [
        {"step": 1, "validation/fda_protected_0Hz": 0.1, "validation/fda_protected_12Hz": 0.2},
        {"step": 2, "validation/fda_protected_12Hz": 0.6, "validation/fda_protected_0Hz": 0.3},
        {"step": 3, "train/fda_protected_0Hz": 0.9, "validation/fda_protected": 0.5},
    ]
    frequency_hz, importance = importance_of(rows)
    np.testing.assert_array_equal(frequency_hz, [0, 12])
    np.testing.assert_array_equal(importance, [0.3, 0.6])
    with pytest.raises(ValueError, match="fda_protected_3Hz"):
        importance_of(rows[2:])


def test_importance_of_other_length_is_told():
    with pytest.raises(ValueError, match="spectrum: expected one value a frequency"):
        importance_curve(np.arange(5.0), np.ones(5), np.ones(4))
