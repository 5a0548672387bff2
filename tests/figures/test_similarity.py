"""Similarities are drawn as densities over common bins."""

import numpy as np
import pytest

from coreecg_jax.figures.similarity import similarity_histogram


def test_densities_of_both_over_the_same_bins():
    rng = np.random.default_rng(0)
    positive, negative = rng.uniform(0.5, 1, 50), rng.uniform(-0.4, 0.2, (40, 20))
    (axes,) = similarity_histogram(positive, negative).axes
    for values, stairs in zip((positive, negative), axes.patches[1::2]):
        density, edges, _ = stairs.get_data()
        assert np.sum(density * np.diff(edges)) == pytest.approx(1)
        centre = np.sum(density * np.diff(edges) * (edges[:-1] + edges[1:]) / 2)
        assert centre == pytest.approx(values.mean(), abs=edges[1] - edges[0])
    medians = [line.get_xdata()[0] for line in axes.lines]
    np.testing.assert_allclose(medians, [np.median(positive), np.median(negative)])


def test_legend_counts_pairs():
    figure = similarity_histogram(np.full(5, 0.9), np.zeros(1200))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [
        "two views of one recording: median 0.90, n = 5",
        "different recordings: median 0.00, n = 1,200",
    ]


def test_cosines_of_float32_may_lie_beyond_one_by_rounding():
    (axes,) = similarity_histogram(np.full(10, 1 + 1e-6), np.full(10, 0.99)).axes
    density, edges, _ = axes.patches[1].get_data()
    assert np.sum(density * np.diff(edges)) == pytest.approx(1)


@pytest.mark.parametrize("wrong", [[], [np.nan], [1.5], [-np.inf]])
def test_what_is_no_cosine_is_told(wrong):
    with pytest.raises(ValueError, match="negative: expected"):
        similarity_histogram(np.ones(3), np.array(wrong))
