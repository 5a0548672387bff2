"""Groups are compared by what they are: densities, quartiles and spectra of the numbers given."""

import numpy as np
import pytest

from coreecg_jax.figures.distributions import compare_distributions

HERTZ = np.linspace(0, 50, 51)


def groups():
    rng = np.random.default_rng(0)
    return {
        name: {
            "heart rate (1/min)": rng.normal(70 + shift, 10, 300),
            "QRS width (ms)": np.append(rng.normal(95, 8, 300), np.nan),
            "amplitude V1 (mV)": rng.gamma(5, 0.2 + shift, 300),
            "amplitude aVL (mV)": rng.gamma(5, 0.1, 300),
        }
        for name, shift in (("simulated", 0.0), ("real", 0.3))
    }


def panels(figure):
    return {axes.get_title(loc="left").split(":")[0]: axes for axes in figure.axes}


def test_one_panel_a_quantity_and_one_for_all_leads():
    figure = compare_distributions(groups(), {"real": (HERTZ, np.exp(-HERTZ))})
    names = ["heart rate (1/min)", "QRS width (ms)", "amplitude (mV)", "mean spectrum (dB below its peak)"]
    assert list(panels(figure)) == names
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["simulated", "real"]
    assert [tick.get_text() for tick in panels(figure)["amplitude (mV)"].get_xticklabels()] == ["V1", "aVL"]


def test_densities_share_bins_and_lose_nothing():
    axes = panels(compare_distributions(groups()))["heart rate (1/min)"]
    (first, edges, _), (second, others, _) = (stairs.get_data() for stairs in axes.patches[1::2])
    np.testing.assert_array_equal(edges, others)
    np.testing.assert_allclose([np.sum(density * np.diff(edges)) for density in (first, second)], 1)
    medians = [line.get_xdata()[0] for line in axes.lines]
    np.testing.assert_allclose(medians, [np.median(of["heart rate (1/min)"]) for of in groups().values()])


def test_boxes_are_quartiles():
    axes = panels(compare_distributions(groups()))["amplitude (mV)"]
    boxes = sorted((bar.get_x(), bar.get_y(), bar.get_y() + bar.get_height()) for bar in axes.patches)
    ordered = [of[name] for name in ("amplitude V1 (mV)", "amplitude aVL (mV)") for of in groups().values()]
    np.testing.assert_allclose(
        [box[1:] for box in boxes], [np.percentile(values, (25, 75)) for values in ordered]
    )


def test_spectra_in_decibels_below_their_peaks():
    spectra = {"simulated": (HERTZ, 10.0 ** (-HERTZ / 10)), "real": (HERTZ, 7 * 10.0 ** (-HERTZ / 5))}
    (axes,) = compare_distributions({}, spectra).axes
    first, second = (line.get_ydata() for line in axes.lines)
    np.testing.assert_allclose(first, -HERTZ, atol=1e-9)
    np.testing.assert_allclose(second, np.maximum(-2 * HERTZ, -60), atol=1e-9)


def test_a_group_may_lack_a_quantity_or_have_one_value_only():
    figure = compare_distributions(
        {"a": {"heart rate (1/min)": np.full(3, 60.0)}, "b": {"PR (ms)": np.array([np.nan])}}
    )
    assert len(panels(figure)["heart rate (1/min)"].patches) == 2
    assert len(panels(figure)["PR (ms)"].patches) == 0


def test_nothing_to_compare_is_told():
    with pytest.raises(ValueError, match="got neither"):
        compare_distributions({"real": {}})


@pytest.mark.parametrize("power", [np.ones(50), np.zeros(51), np.ones((51, 1))])
def test_a_spectrum_that_is_none_is_told(power):
    with pytest.raises(ValueError, match="spectrum of 'real': expected one power a frequency"):
        compare_distributions({}, {"real": (HERTZ, power)})
