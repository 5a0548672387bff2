"""Each condition shows what defines it, measured on the signal without noise, in many patients."""

from collections.abc import Iterator

import numpy as np
import pytest

from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.simulator.anatomy import draw_patient
from coreecg_jax.records.simulator.noise import fibrillatory_waves
from coreecg_jax.records.simulator.repolarisation import TERRITORIES, st_threshold, territory_of
from coreecg_jax.records.simulator.simulate import Simulated, simulate

RATE = 500
PATIENTS = 30
BEFORE = 170  # samples of a cut beat before R
ROW = {lead: row for row, lead in enumerate(LEADS)}


def simulated(*conditions: str, seed: int = 8) -> Iterator[tuple[int, Simulated]]:
    for patient in range(PATIENTS):
        yield patient, simulate(seed, patient, 0, conditions=conditions, noise=False)


def cut_beats(s: Simulated, kinds: str) -> np.ndarray:
    """float64[beats, 12, 470]: from 0.34 s before to 0.6 s after R."""
    firsts = [
        round(r * RATE) - BEFORE
        for r, kind in zip(s.r_times, s.beat_kinds)
        if kind in kinds and 0.4 < r < 9.3
    ]
    return np.array([s.ecg_LT[:, first : first + 470] for first in firsts])


def qrs_edges(beat_LW: np.ndarray) -> tuple[int, int]:
    """First and last sample of QRS: where the summed slope is above 6 % of its greatest."""
    slope_W = np.sqrt((np.gradient(beat_LW, axis=1) ** 2).sum(axis=0))[110:250]
    steep = np.flatnonzero(slope_W > 0.06 * slope_W.max()) + 110
    return int(steep[0]), int(steep[-1])


def measured(*conditions: str) -> Iterator[tuple[int, Simulated, np.ndarray, int, int]]:
    """Patient, recording, median beat, first and last sample of its QRS."""
    for patient, s in simulated(*conditions):
        beat_LW = np.median(cut_beats(s, "NA"), axis=0)
        yield patient, s, beat_LW, *qrs_edges(beat_LW)


def second_highest(values_L: np.ndarray) -> float:
    return float(np.sort(values_L)[-2])


def by_threshold(beat_LW: np.ndarray, at: int, s: Simulated, leads: tuple[str, ...]) -> np.ndarray:
    """ST of some leads, in units of the level at which it counts as elevated."""
    return np.array([beat_LW[ROW[lead], at] / st_threshold(lead, s.age, s.sex) for lead in leads])


def sokolow_lyon(beat_LW: np.ndarray, first: int, last: int) -> float:
    qrs_LW = beat_LW[:, first : last + 1]
    return float(-qrs_LW[ROW["V1"]].min() + max(qrs_LW[ROW["V5"]].max(), qrs_LW[ROW["V6"]].max()))


@pytest.mark.parametrize(
    ("code", "lowest", "highest"), [("SR", 59, 101), ("SBRAD", 39, 61), ("STACH", 99, 152)]
)
def test_sinus_rates(code: str, lowest: float, highest: float) -> None:
    for _, s in simulated(code):
        rr = np.diff(s.r_times)
        assert lowest < 60 / rr.mean() < highest
        assert rr.std() / rr.mean() < 0.12
        assert s.labels == (code,)


def test_atrial_fibrillation_is_irregularly_irregular() -> None:
    variation, order = [], []
    for _, s in simulated("AFIB"):
        rr = np.diff(s.r_times)
        variation.append(rr.std() / rr.mean())
        order.append(np.corrcoef(rr[:-1], rr[1:])[0, 1])
    assert np.median(variation) > 0.15
    assert np.mean(np.array(variation) > 0.08) > 0.95
    assert abs(np.mean(order)) < 0.25  # no interval tells the next


def p_share(s: Simulated) -> float:
    """The part of the variance before QRS that is the same in all beats: near 1 with P, 1 / beats without.

    Only beats long after the last T count; NaN where there are fewer than five.
    """
    rr = np.diff(s.r_times)
    firsts = [round(r * RATE) - 110 for r, before in zip(s.r_times[1:], rr) if before > 0.62]
    if len(firsts) < 5:
        return float("nan")
    parts_NW = np.array([s.ecg_LT[ROW["II"], first : first + 65] for first in firsts])
    parts_NW = parts_NW - parts_NW.mean(axis=1, keepdims=True)
    return float(parts_NW.mean(axis=0).var() / parts_NW.var(axis=1).mean())


def test_atrial_fibrillation_has_no_p() -> None:
    with_p = np.array([p_share(s) for _, s in simulated("SR")])
    without_p = np.array([p_share(s) for _, s in simulated("AFIB")])
    assert np.isfinite(without_p).sum() > PATIENTS / 2
    assert np.nanpercentile(with_p, 20) > 0.85
    assert np.nanpercentile(without_p, 80) < 0.5


def test_fibrillatory_waves_are_4_to_9_hz_and_largest_in_v1() -> None:
    largest = []
    for draw in range(20):
        waves_ET = fibrillatory_waves(np.random.default_rng(draw), 500.0, 10.0)
        power_EF = np.abs(np.fft.rfft(waves_ET, axis=1)) ** 2
        assert 4.0 <= np.fft.rfftfreq(5000, 1 / 500)[power_EF.sum(axis=0).argmax()] <= 9.0
        largest.append(waves_ET.std(axis=1).argmax())
    assert np.mean(np.array(largest) == 3) > 0.9


def test_premature_beats_are_early_and_the_pause_compensates() -> None:
    pauses = []
    for _, s in simulated("SR", "PVC"):
        rr, kinds = np.diff(s.r_times), "".join(s.beat_kinds)
        usual = [rr[k] for k in range(len(rr)) if kinds[k : k + 2] == "NN"]
        for k in range(1, len(rr)):
            if kinds[k] == "V":
                assert rr[k - 1] < 0.9 * rr[k]
                if len(usual) > 2:
                    pauses.append((rr[k - 1] + rr[k]) / (2 * np.median(usual)))
    assert len(pauses) > PATIENTS
    assert np.median(pauses) == pytest.approx(1.0, abs=0.02)
    assert np.percentile(np.abs(np.array(pauses) - 1), 90) < 0.12  # the rest is sinus arrhythmia


def test_premature_beats_are_wide_and_discordant() -> None:
    opposite = []
    for _, s in simulated("SR", "PVC"):
        early = cut_beats(s, "V")
        if not early.size:
            continue
        first, last = qrs_edges(early[0])
        assert last - first >= 0.12 * RATE
        lead = np.ptp(early[0][:, first:last], axis=1).argmax()
        later = early[0][lead, last + 20 : last + 150]
        opposite.append(early[0][lead, first:last].sum() * later[np.abs(later).argmax()] < 0)
    assert len(opposite) > PATIENTS / 2
    assert np.mean(opposite) > 0.95


def test_premature_beats_come_in_several_patterns() -> None:
    counts = [s.beat_kinds.count("V") for _, s in simulated("SR", "PVC")]
    assert min(counts) >= 1
    assert len(set(counts)) >= 4
    assert any("VNVNV" in "".join(s.beat_kinds) for _, s in simulated("SR", "PVC"))  # bigeminy


def test_ordinary_qrs_is_narrow() -> None:
    widths = np.array([(last - first) / RATE for _, _, _, first, last in measured("SR")])
    assert 0.06 < np.median(widths) < 0.10
    assert np.mean(widths < 0.115) > 0.95  # now and then the edge found is that of a steep T


def test_left_bundle_branch_block() -> None:
    upright, opposed = [], []
    for _, _, beat_LW, first, last in measured("LBBB"):
        assert (last - first) / RATE >= 0.12
        qrs_LW = beat_LW[:, first:last]
        assert qrs_LW[ROW["V1"]].sum() < 0
        trough = qrs_LW[ROW["V1"]].argmin()
        assert qrs_LW[ROW["V1"], : trough + 1].max() < -0.3 * qrs_LW[ROW["V1"], trough]  # rS or QS
        t_LW = beat_LW[:, last + 40 : last + 150]
        for lead in ("I", "V6"):
            r, s = qrs_LW[ROW[lead]].max(), -qrs_LW[ROW[lead]].min()
            upright.append(r > 2.5 * s)
            extreme = t_LW[ROW[lead]][np.abs(t_LW[ROW[lead]]).argmax()]
            opposed.append(extreme < 0)
        extreme = t_LW[ROW["V1"]][np.abs(t_LW[ROW["V1"]]).argmax()]
        opposed.append(extreme > 0)
    assert np.mean(upright) > 0.9
    assert np.mean(opposed) > 0.9


def test_right_bundle_branch_block() -> None:
    triphasic = []
    for _, _, beat_LW, first, last in measured("RBBB"):
        assert (last - first) / RATE >= 0.12
        v1 = beat_LW[ROW["V1"], first : last + 1]
        late = v1[(last - first) // 2 :]
        assert late.max() > 0.2  # R'
        trough = v1[: int(late.argmax()) + (last - first) // 2].min()
        triphasic.append(trough < 0.4 * late.max())
        for lead in ("I", "V6"):  # wide terminal S
            assert beat_LW[ROW[lead], last - 25 : last - 5].mean() < -0.02
    assert np.mean(triphasic) > 0.9


def test_st_elevation_is_in_its_territory() -> None:
    territories, mirrored = set(), []
    for patient, s, beat_LW, _, last in measured("STE"):
        territory = territory_of(draw_patient(8, patient))
        territories.add(territory)
        at = last + round(0.06 * RATE)
        assert second_highest(by_threshold(beat_LW, at, s, TERRITORIES[territory])) > 1.0
        if territory == "inferior":  # the opposite wall mirrors it
            mirrored.append(beat_LW[ROW["aVL"], at] < 0)
    assert territories == set(TERRITORIES)
    assert np.mean(mirrored) > 0.75


def test_without_its_label_st_is_rarely_elevated() -> None:
    above = []
    for _, s, beat_LW, _, last in measured("SR"):
        at = last + round(0.06 * RATE)
        above.append(max(second_highest(by_threshold(beat_LW, at, s, t)) for t in TERRITORIES.values()) > 1.0)
    assert np.mean(above) < 0.12


def test_t_inversion_is_in_its_territory() -> None:
    for patient, _, beat_LW, _, last in measured("TINV"):
        rows = [ROW[lead] for lead in TERRITORIES[territory_of(draw_patient(8, patient))]]
        t_LW = beat_LW[rows, last + 40 : last + 190]
        assert second_highest(-t_LW.min(axis=1)) > 0.1
        deepest = t_LW[t_LW.min(axis=1).argmin()]
        assert -deepest.min() > deepest.max()


def test_hypertrophy_by_sokolow_and_lyon() -> None:
    strained = []
    for _, _, beat_LW, first, last in measured("LVH"):
        assert sokolow_lyon(beat_LW, first, last) > 3.45
        strained.append(beat_LW[ROW["V6"], last + 40 : last + 150].min() < -0.1)
    assert 0.2 < np.mean(strained) < 0.8  # with and without strain
    for _, _, beat_LW, first, last in measured("SR"):
        assert sokolow_lyon(beat_LW, first, last) < 3.55


def test_conditions_combine() -> None:
    s = simulate(0, 0, 0, conditions=("LVH", "STACH", "PVC"))
    assert s.labels == ("STACH", "PVC", "LVH")
    assert simulate(0, 0, 0, conditions=()).labels == ("SR",)
