"""The error that a bundle states is that of what it shows: against one recording after the other, by hand."""

import dataclasses

import numpy as np
import pytest
from made_bundle import CROP, RATE, made_description

from coreecg_jax.export.card import model_card
from coreecg_jax.export.description import Recovery, read_description
from coreecg_jax.export.filling import reconstruct
from coreecg_jax.export.judging import Held, Question, judged, question_of, usual_questions
from coreecg_jax.export.refusal import BundleRefused
from coreecg_jax.records.conditioning import condition
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.records.simulator.simulate import simulate

SIX = LEADS[:6]
pytestmark = pytest.mark.filterwarnings("ignore::coreecg_jax.export.bundle.UnseenLeads")


@pytest.fixture(scope="module")
def held() -> Held:
    """Four crops: whole, without V3, without aVL, and of 3 s."""
    made = [simulate(0, n, 0, sampling_rate=RATE, seconds=8.0).ecg_LT for n in range(4)]
    ecg_BLT = np.stack([condition(x, RATE, Preprocessing(sampling_rate=RATE))[:, :CROP] for x in made])
    available_BL = np.ones((4, 12), bool)
    available_BL[1, 8] = available_BL[2, 4] = False
    ecg_BLT[~available_BL] = 0.0
    ecg_BLT[3, :, 300:] = 0.0
    return Held("held", ecg_BLT.astype(np.float32), available_BL, np.array([CROP, CROP, CROP, 300], np.int32))


@pytest.mark.parametrize("question", [Question(("I", "II", "V2")), Question(LEADS, ((1.0, 2.0),))])
def test_the_error_is_that_of_what_is_shown(bundle, held, question) -> None:
    recovery = judged(bundle.description, bundle.parameters, held, question)
    shown, truth = {lead: [] for lead in LEADS}, {lead: [] for lead in LEADS}
    windows = 0
    for ecg_LT, available_L, length in zip(*held[1:]):
        if not all(available_L[LEADS.index(lead)] for lead in question.leads):
            continue
        windows += 1
        given = ecg_LT[[LEADS.index(lead) for lead in question.leads]].astype(np.float64)
        made = _reconstructed(bundle, given, length, question)
        for place, lead in enumerate(LEADS):
            hidden_T = made.generated_BLT[0, place] & (np.arange(CROP) < length) & available_L[place]
            shown[lead] += made.ecg_BLT[0, place][hidden_T].tolist()
            truth[lead] += ecg_LT[place][hidden_T].tolist()
    expected = {
        lead: np.sqrt(np.mean((np.array(shown[lead]) - np.array(truth[lead])) ** 2))
        for lead in LEADS
        if shown[lead]
    }
    assert recovery.windows == windows == (4 if len(question.leads) == 3 else 2)
    assert set(recovery.error) == set(expected) >= {"V1", "V6"}
    for lead, error in expected.items():
        assert recovery.error[lead] == pytest.approx(error, rel=1e-3), lead


def _reconstructed(bundle, given, length, question):
    ecg_BLT, available_BL = np.zeros((1, 12, CROP), np.float32), np.zeros((1, 12), bool)
    for row, lead in zip(given, question.leads):
        ecg_BLT[0, LEADS.index(lead)] = row
        available_BL[0, LEADS.index(lead)] = True
    length_B = np.array([length], np.int32)
    return reconstruct(
        bundle.description, bundle.parameters, ecg_BLT, available_BL, length_B, question.hidden
    )


def test_showing_nothing_errs_by_the_standard_deviation(bundle, held) -> None:
    one = Held("held", held.ecg_BLT[:1], held.available_BL[:1], held.length_B[:1])
    recovery = judged(bundle.description, bundle.parameters, one, Question(SIX))
    assert set(recovery.flat) == set(LEADS[6:])
    for lead, flat in recovery.flat.items():
        assert flat == pytest.approx(one.ecg_BLT[0, LEADS.index(lead)].std(), rel=1e-4)


def test_questions_without_an_answer_are_told(bundle, held) -> None:
    for question, said in (
        (Question(LEADS), "expected leads or spans that are hidden"),
        (Question(("I",), ((3.0, 5.0),)), "expected spans"),
    ):
        with pytest.raises(ValueError, match=said):
            judged(bundle.description, bundle.parameters, held, question)
    none = Held("held", held.ecg_BLT[1:2], held.available_BL[1:2], held.length_B[1:2])
    with pytest.raises(ValueError, match="held: expected recordings with V3, got none"):
        judged(bundle.description, bundle.parameters, none, Question(("V3",)))


def test_questions_are_those_of_the_docs() -> None:
    all_hidden, *alone = usual_questions(made_description())
    assert all_hidden == Question(LEADS, ((1.5, 2.5),))
    assert [one.leads for one in alone] == [SIX, ("I", "II", "V2"), ("I",)]
    assert not any(one.hidden for one in alone)
    assert question_of("ii, v2@1:2,3:3.5") == Question(("II", "V2"), ((1.0, 2.0), (3.0, 3.5)))
    assert question_of("I") == Question(("I",))
    for wrong in ("I@1", "I@a:b", "", "X"):
        with pytest.raises(ValueError, match="expected"):
            question_of(wrong)


RECOVERY = (
    Recovery("held", 9, SIX, (), {"V1": 0.15, "V2": 0.2}, {"V1": 0.25, "V2": 0.3}),
    Recovery("held", 8, LEADS, ((1.5, 2.5),), {"I": 0.1}, {"I": 0.2}),
)


def test_a_reconstruction_says_what_is_known_of_its_leads_alone(bundle, ecg) -> None:
    known = dataclasses.replace(made_description(), recovery=RECOVERY)
    bundle = dataclasses.replace(bundle, description=known)
    rows = dict(zip(LEADS, ecg))

    def error(leads, hidden=()):
        made = bundle.reconstruct(np.stack([rows[x] for x in leads]), fs=500, leads=leads, hidden=hidden)
        return made.error_BL[0].tolist(), made.flat_BL[0].tolist()

    v1, v2 = LEADS.index("V1"), LEADS.index("V2")
    errors, flats = error(("I", "II"))  # from which the six follow
    assert (errors[v1], errors[v2], flats[v1], flats[v2]) == (0.15, 0.2, 0.25, 0.3)
    assert np.isnan(errors).sum() == 10
    for leads, hidden in ((("I",), ()), (("I", "II", "V2"), ()), (("I", "II"), [(1.0, 2.0)]), (LEADS, ())):
        assert np.isnan(error(leads, hidden)).all(), (leads, hidden)
    assert error(LEADS, [(1.0, 2.0)])[0][0] == 0.1  # as long, elsewhere
    assert np.isnan(error(LEADS, [(1.0, 2.6)])).all()


def test_it_stands_in_config_and_card() -> None:
    description = dataclasses.replace(made_description(), recovery=RECOVERY)
    assert read_description(description.to_json().encode()).recovery == RECOVERY
    card = model_card(description, {}, 4)
    assert (
        "| 6: I, II, III, aVR, aVL, aVF (held) | 9 | – | – | – | – | – | – | 0.15 (0.25) | 0.20 (0.30) |"
        in card
    )
    assert "aVF, V1, V2, V3, V4, V5, V6; 1.5 to 2.5 s hidden (held) | 8 | 0.10 (0.20) |" in card
    for old, new in (('"V1": 0.15', '"V7": 0.15'), ("1.5,", "3.5,"), ('"III"', '"MLII"')):
        before, name, after = description.to_json().rpartition('"recovery"')
        assert old in after
        with pytest.raises(BundleRefused, match="recovery"):
            read_description((before + name + after.replace(old, new, 1)).encode())
