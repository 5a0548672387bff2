"""An ECG on paper is to scale, each lead shows its quarter, and nothing is clipped or made up."""

import numpy as np
import pytest

from coreecg_jax.figures.ecg_paper import Trace, draw_ecg

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
HZ = 100
MM_PER_INCH = 25.4


def recording(seconds=10.0, seed=0):
    return np.random.default_rng(seed).normal(0, 0.3, (12, round(seconds * HZ)))


def drawn(ecg_LT, *more, **options):
    traces = [Trace("recording", ecg_LT), *(Trace(f"other {k}", other) for k, other in enumerate(more))]
    return draw_ecg(traces, **{"sampling_rate": HZ, "leads": LEADS, **options})


def marked(figure, beginning):
    """What was drawn under such names, places in mm on the printed figure from its lower left corner."""
    figure.canvas.draw()
    found = {}
    for line in figure.axes[0].lines:
        if str(line.get_gid()).startswith(beginning):
            pixels = line.get_transform().transform(line.get_xydata())
            found[line.get_gid()] = pixels / figure.dpi * MM_PER_INCH
    return found


def trace_of(figure, name, row, place=0):
    return marked(figure, f"{name} {row} {place}")[f"{name} {row} {place}"]


def spans(figure, name, row):
    """Millimetres from and to which a row is shaded, left to right."""
    shades = [shade for shade in figure.axes[0].collections if shade.get_gid() == f"hidden {name} {row}"]
    boxes = [shade.get_paths()[0].get_extents() for shade in shades]
    return sorted((box.x0, box.x1) for box in boxes)


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_second_is_25_mm_and_a_millivolt_10():
    ecg_LT = np.zeros((12, 1000))
    ecg_LT[1, 100], ecg_LT[1, 300] = 1.0, -0.5
    figure = drawn(ecg_LT)
    strip = trace_of(figure, "II", 3)
    np.testing.assert_allclose(strip[200] - strip[100], [25, -10], atol=1e-6)
    np.testing.assert_allclose(strip[300] - strip[100], [50, -15], atol=1e-6)
    np.testing.assert_allclose(np.ptp(strip[:, 0]), 249.75, atol=1e-6)
    assert figure.get_size_inches()[0] * MM_PER_INCH == pytest.approx(275)


def test_scale_holds_for_other_sampling_rates_and_lengths():
    strip = trace_of(drawn(np.zeros((12, 3500)), sampling_rate=500), "II", 3)
    assert strip[500, 0] - strip[0, 0] == pytest.approx(25)


def test_calibration_is_one_millivolt_for_a_fifth_of_a_second_in_every_row():
    pulses = marked(drawn(recording()), "calibration")
    assert len(pulses) == 4
    for pulse in pulses.values():
        assert np.ptp(pulse[:, 1]) == pytest.approx(10)
        high = pulse[pulse[:, 1] > pulse[:, 1].mean(), 0]
        assert np.ptp(high) == pytest.approx(0.2 * 25)


@pytest.mark.parametrize("seconds", [10.0, 7.0, 7.3])
def test_every_lead_shows_its_quarter_and_the_strip_all(seconds):
    ecg_LT = recording(seconds)
    figure = drawn(ecg_LT)
    strip = trace_of(figure, "II", 3)
    baselines = strip[:, 1] - 10 * ecg_LT[1]
    np.testing.assert_allclose(baselines, baselines[0])
    samples = ecg_LT.shape[1]
    for column, names in enumerate(COLUMNS):
        first, stop = round(column * samples / 4), round((column + 1) * samples / 4)
        for row, name in enumerate(names):
            places = trace_of(figure, name, row)
            np.testing.assert_allclose(places[:, 0], strip[first:stop, 0])
            above = places[:, 1] - baselines[0] - 30 * (3 - row)
            np.testing.assert_allclose(above, 10 * ecg_LT[LEADS.index(name), first:stop])


def test_leads_are_found_by_name():
    order = np.random.default_rng(1).permutation(12)
    ecg_LT = recording()
    shuffled = drawn(ecg_LT[order], leads=[LEADS[k].upper() for k in order])
    for name in ("aVL", "V3"):
        row = 1 if name == "aVL" else 2
        np.testing.assert_array_equal(trace_of(shuffled, name, row), trace_of(drawn(ecg_LT), name, row))


def test_hidden_samples_are_shaded_where_they_are_shown():
    hidden = np.zeros((12, 1000), bool)
    hidden[0, 50:100] = True  # I shows samples 0 to 249
    hidden[0, 600:700] = True  # not shown of I
    hidden[1, 225:275] = True  # II: 25 samples in its quarter, all 50 in the strip
    hidden[11, 900:] = True  # V6 to its end
    figure = drawn(recording(), hidden=hidden)
    start = trace_of(figure, "II", 3)[0, 0]
    expected = {("I", 0): (50, 100), ("II", 1): (225, 250), ("II", 3): (225, 275), ("V6", 2): (900, 1000)}
    for (name, row), span in expected.items():
        np.testing.assert_allclose(spans(figure, name, row), [start + np.array(span) * 0.25])
    everything = [shade for shade in figure.axes[0].collections if "hidden" in str(shade.get_gid())]
    assert len(everything) == len(expected)


def test_a_lead_that_is_not_there_is_named_and_not_drawn():
    ecg_LT = recording()
    ecg_LT[8] = np.nan
    ecg_LT[6, 600:620] = np.nan  # a gap in what is shown of V1
    figure = drawn(ecg_LT)
    assert words(figure).count("not available") == 1
    assert "V3" in words(figure)
    assert not marked(figure, "V3")
    assert np.isnan(trace_of(figure, "V1", 0)[:, 1]).sum() == 20
    without_limbs = drawn(recording()[6:], leads=LEADS[6:])
    assert words(without_limbs).count("not available") == 7  # six leads and the strip
    assert len(marked(without_limbs, "V")) == 6


def test_a_reconstruction_of_a_lead_that_is_not_there_is_drawn():
    ecg_LT = recording()
    ecg_LT[8] = np.nan
    figure = drawn(ecg_LT, recording(seed=1))
    assert "not available" not in words(figure)
    assert np.isfinite(trace_of(figure, "V3", 2, place=1)).all()


@pytest.mark.parametrize(("lead", "millivolts"), [(0, 6.0), (1, -8.0), (10, 9.0)])
def test_the_paper_grows_for_tall_waves(lead, millivolts):
    ecg_LT = recording()
    ecg_LT[lead] = millivolts
    figure = drawn(ecg_LT, title="Tall")
    height = figure.get_size_inches()[1] * MM_PER_INCH
    assert height > drawn(recording(), title="Tall").get_size_inches()[1] * MM_PER_INCH
    for places in marked(figure, tuple(LEADS)).values():
        assert places[:, 1].min() > 0
        assert places[:, 1].max() < height - 10  # and not into the title


def test_overlays_have_colours_and_a_legend():
    traces = [
        Trace("recording", recording()),
        Trace("view", recording()),
        Trace("mine", recording(), "#123456"),
    ]
    figure = draw_ecg(traces, sampling_rate=HZ, leads=LEADS, hidden=np.zeros((12, 1000), bool))
    (legend,) = [axes.get_legend() for axes in figure.axes]
    assert [text.get_text() for text in legend.get_texts()] == [
        "recording",
        "view",
        "mine",
        "hidden by the mask",
    ]
    colours = {line.get_color() for line in figure.axes[0].lines if "V1" in str(line.get_gid())}
    assert len(colours) == 3
    assert "#123456" in colours
    assert drawn(recording()).axes[0].get_legend() is None


def test_speed_and_gain_are_written():
    written = words(drawn(recording(), title="A title", note="not for diagnosis"))
    assert {"25 mm/s · 10 mm/mV", "A title", "not for diagnosis"} < set(written)


NOTE = "Hatched: generated by a network, not measured. Not for diagnosis."


@pytest.mark.parametrize("seconds", [pytest.param(4.0, marks=pytest.mark.slow), 4.5, 10.0])
@pytest.mark.parametrize("note", [NOTE, " ".join([NOTE] * 4)])
def test_words_below_the_paper_do_not_overlap(seconds, note):
    figure = drawn(recording(seconds), note=note)
    figure.canvas.draw()
    lines = [text for text in figure.axes[0].texts if text.get_text() and text.get_fontsize() == 8]
    boxes = [text.get_window_extent() for text in lines]
    assert " ".join(text.get_text() for text in lines) == f"25 mm/s · 10 mm/mV {note}"
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width


def test_the_hatching_is_called_what_it_means():
    hidden = np.zeros((12, 1000), bool)
    hidden[3] = True
    figure = drawn(recording(), hidden=hidden, hidden_label="generated")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["recording", "generated"]


@pytest.mark.parametrize(
    ("ecg_LT", "options", "message"),
    [
        (np.zeros((11, 1000)), {}, r"expected \[12 leads, samples\].*got \(11, 1000\)"),
        (np.zeros(1000), {}, r"got \(1000,\)"),
        (np.zeros((12, 3)), {}, "at least 4 samples"),
        (np.zeros((12, 1000)), {"hidden": np.zeros((12, 40), bool)}, r"hidden: expected .* got \(12, 40\)"),
        (np.zeros((12, 1000)), {"leads": ("X", *LEADS[1:])}, "expected names of the twelve"),
        (np.zeros((12, 1000)), {"leads": ("II", *LEADS[1:])}, "each once"),
        (np.zeros((12, 1000)), {"rhythm": "lead two"}, "rhythm 'lead two'"),
        (np.zeros((12, 1000)), {"sampling_rate": 0}, "positive number of Hz, got 0"),
        (np.full((12, 1000), 500.0), {}, "expected mV, at most 100, got 500"),
    ],
)
def test_mistakes_are_told(ecg_LT, options, message):
    with pytest.raises(ValueError, match=message):
        drawn(ecg_LT, **options)


def test_unlike_traces_are_told():
    with pytest.raises(ValueError, match=r"'other 0': expected .* got \(12, 500\)"):
        drawn(recording(), recording(5.0))
    with pytest.raises(ValueError, match="at least one, got none"):
        draw_ecg([], sampling_rate=HZ, leads=LEADS)


def test_a_lead_of_another_size_has_its_own_scale_and_says_so():
    ecg_LT, tall = recording(), recording()
    tall[7] = 1000 * ecg_LT[7]  # V2: its unit is wrong by a thousand
    tall[3] = 20.0  # aVR: an offset
    tall[0] = 1e300 * ecg_LT[0]
    figure, plain = drawn(tall, own_scales=True), drawn(ecg_LT, own_scales=True)
    divided = {text for text in words(figure) if "÷" in text}
    assert divided == {
        "V2 ÷ 1,000",
        "aVR ÷ 10",
        "I ÷ 1e+300",
        "25 mm/s · 10 mm/mV · ÷: not to this scale",
    }
    for name, row in (("V2", 1), ("V3", 2), ("II", 3), ("I", 0)):  # as large as it would be in millivolts
        shown, usual = trace_of(figure, name, row), trace_of(plain, name, row)
        np.testing.assert_allclose(shown - shown[0], usual - usual[0], atol=1e-6)
    assert np.ptp([one.get_size_inches()[1] for one in (figure, plain)]) * MM_PER_INCH < 10  # half a row
    assert not any("÷" in text for text in words(plain))


def test_traces_over_each_other_share_the_scale_of_a_lead():
    ecg_LT = recording()
    figure = drawn(ecg_LT, 100 * ecg_LT, own_scales=True)
    below, above = (np.ptp(trace_of(figure, "V5", 1, place)[:, 1]) for place in (0, 1))
    assert above == pytest.approx(100 * below)
