"""The report says what it was given, for one run and for two, and claims no more than its intervals."""

import functools

import numpy as np
import pytest

from coreecg_jax.figures.report import RecordingShown, RunShown, report_page, verdict

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def numbers(value, low, high):
    return {"value": value, "low": low, "high": high}


def made_probe(low=0.004):
    by_class = {"MI": {"auroc": numbers(0.8, 0.7, 0.9)}}
    run = {"macro_auroc": numbers(0.9, 0.86, 0.93), "classes": by_class}
    score = {"macro_auroc": numbers(0.9, 0.86, 0.93), "runs": [run]}
    compared = {"method": "pretrained", "reference": "untrained encoder"}
    difference = {**compared, "macro_auroc": numbers(0.02, low, 0.03)}
    return {
        "task": {"name": "ptbxl_superclass"},
        "protocol": "sealed test",
        "probe": "linear",
        "train": {"recordings": 354},
        "test": {"recordings": 136, "patients": 130, "positives": {"MI": 30}},
        "macro_classes": ["MI"],
        "scores": {"pretrained": score},
        "differences": [difference],
    }


def made_run(name="run_a", **changes):
    rng = np.random.default_rng(0)
    ecg_LT = rng.normal(0, 0.1, (12, 900))
    hidden_LT = np.zeros((12, 900), bool)
    hidden_LT[:, 90:180] = True
    recording = (ecg_LT, 1.1 * ecg_LT, np.where(hidden_LT, 0.0, np.nan), hidden_LT)
    metrics = [
        {"step": 10 * k, "train/reconstruction": 0.6 - 0.01 * k, "train/gradient_norm": 1.0} for k in range(9)
    ]
    run = RunShown(
        name=name,
        facts=(("Run", f"runs/{name}"), ("Network", "<width 64>")),
        metrics=metrics,
        recording=RecordingShown(*recording, leads=LEADS, sampling_rate=100.0, title=f"of {name}"),
        explained={name: (0.1, 0.06, 0.28, np.nan), "beat template": (0.8, 0.8, 0.9, 0.8)},
        frequency_hz=np.arange(0.0, 49, 3),
        importance=np.linspace(0.8, 0.2, 17),
        power=np.linspace(1, 0.01, 17),
        leakage=[["dual", "150", "14.3%", "7.2%", "0.131"]],
        similarity=(rng.uniform(0.6, 1, 50), rng.uniform(-0.3, 0.3, 500)),
        probe=made_probe(),
        commands=(f"python -m launch.evaluate --checkpoint=runs/{name}",),
    )
    return run._replace(**changes)


def test_one_run_in_all_its_parts():
    page = report_page([made_run()])
    for part in (
        "CoRe-ECG: run_a",
        "not for diagnosis",
        "&lt;width 64&gt;",
        "<td>beat template",
        "0.280",
        "14.3%",
        "0.900 [0.860, 0.930]",
        "+0.020 [+0.004, +0.030]",
        "sealed test",
        "--checkpoint=runs/run_a",
    ):
        assert part.replace("<td>", "") in page, part
    assert page.count("<img") == 6  # two of curves, two ECGs, importance, similarity


def test_what_a_run_lacks_is_said():
    page = report_page([made_run(explained=None, importance=None, probe=None, leakage=None, similarity=None)])
    for sentence in (
        "nothing to compare",
        "nothing to regress on",
        "of one patient",
        "no importance to show",
        "No probe was run",
    ):
        assert sentence in page


@functools.cache
def page_of_two():
    return report_page([made_run("run_a"), made_run("run_b")])


def test_two_runs_stand_side_by_side_and_three_do_not():
    page = page_of_two()
    assert "CoRe-ECG: run_a and run_b" in page
    assert page.count("of run_a") == page.count("of run_b") == 0  # titles are drawn, not written
    assert page.count("<img") == 10  # curves together, the others each
    with pytest.raises(ValueError, match="one run, or two to be compared, got 3"):
        report_page([made_run(name) for name in "abc"])


@pytest.mark.parametrize(
    ("low", "words"),
    [(0.004, "Pretrained is better than untrained"), (-0.01, "Pretrained cannot be told from untrained")],
)
def test_the_verdict_claims_no_more_than_the_interval(low, words):
    assert words in verdict(made_probe(low))


def test_a_verdict_without_a_probe():
    assert verdict(None) == verdict({"test": None}) == "No probe was run."
    worse = made_probe()
    worse["differences"][0]["macro_auroc"] = numbers(-0.03, -0.05, -0.01)
    assert "Pretrained is worse than untrained encoder: -0.030 [-0.050, -0.010]." in verdict(worse)


@pytest.mark.parametrize("width", [390, 1200])
def test_laid_out_in_a_browser(laid_out, width):
    layout = laid_out(page_of_two(), width)
    assert layout.across <= width
    assert layout.images_drawn == 10
    assert layout.columns_beside == (width == 1200)
    assert 0.005 < layout.dark_share < 0.5
