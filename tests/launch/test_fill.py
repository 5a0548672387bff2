"""A recording with leads and a span missing becomes a picture and a table, as a user sees it."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_launches import launched
from made_parameters import made_parameters

from configs import tiny
from coreecg_jax.export.description import Description, Normalisation, Recovery, Representation, Training
from coreecg_jax.export.writing import write_bundle
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.records.simulator.simulate import simulate
from coreecg_jax.training.experiment import network_of

GIVEN = ("I", "II", "V1", "V3", "V4", "V5")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle `b` and a recording `r` with eleven leads."""
    out, network = tmp_path_factory.mktemp("fill"), network_of(tiny.get_config())
    training = Training("coreecg", "made", {}, 0, 0, 400, "float32", "learned", 0.1, 10)
    about = Normalisation(), Representation("lead", 400, 2), training
    recovery = (Recovery("held", 9, GIVEN, ((1.0, 2.0),), {"V6": 0.25}, {"V6": 0.5}),)
    description = Description(network, Preprocessing(sampling_rate=100.0), *about, recovery=recovery)
    fda = {"s": np.zeros(17, np.float32), "a": np.float32(0.5)}
    parameters = {"network": made_parameters(network), "fda": fda}
    write_bundle(out / "b", description, parameters, formats=())
    ecg = simulate(0, 2, 0, sampling_rate=250.0, seconds=10.0).ecg_LT[:11]
    (out / "r.dat").write_bytes(np.rint(ecg.T * 1000).astype("<i2").tobytes())
    lines = [f"r.dat 16 1000(0)/mV 16 0 0 0 0 {lead}" for lead in LEADS[:11]]
    (out / "r.hea").write_text("\n".join(["r 11 250 2500", *lines]) + "\n")
    return out


def fill(place: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    where = f"--bundle={place / 'b'}", f"--out={place / 'x.png'}"
    return launched("launch.fill", *where, *flags, place / "r")


def test_it_is_drawn_and_told(place: Path) -> None:
    result = fill(place, f"--leads={','.join(GIVEN)}", "--hidden=2:3")
    assert result.returncode == 0, result.stderr
    assert (place / "x.png").read_bytes().startswith(b"\x89PNG")
    rows = {line.split(" | ")[0].strip("| "): line for line in result.stdout.splitlines() if "%" in line}
    assert list(rows) == list(LEADS)
    assert rows["V6"].startswith("| V6 | 100% | – | 0.250 | 0.500 |")  # not in the file
    assert rows["V2"].startswith("| V2 | 100% | 0.")
    assert rows["III"].startswith("| III | 25% | 0.")  # derived, but for the span
    assert rows["V2"].endswith(" | – | – |")
    assert "not measured. Not for diagnosis." in result.stdout
    assert "Error on held-out recordings (of a flat line), mV: V6 0.25 (0.50)." in result.stdout


def test_without_a_bundle_it_says_what_to_give(place: Path, tmp_path: Path) -> None:
    """The released encoder is the encoder alone."""
    result = launched("launch.fill", f"--out={tmp_path / 'x.png'}", place / "r")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "error: --bundle: not given, and the encoder that comes with the package has no decoder: give a "
        "folder that launch.export --parts=encoder,decoder wrote of a run of your own\n"
    )
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_of_other_leads_nothing_is_known(place: Path) -> None:
    result = fill(place, "--leads=I")
    assert "Error on held-out recordings: not known for this set of leads and hidden spans." in result.stdout
    assert all(line.endswith(" | – | – |") for line in result.stdout.splitlines() if "%" in line)


@pytest.mark.slow
def test_mistakes_are_one_sentence(place: Path) -> None:
    for flags, said in (
        (("--leads=V6",), "error: --leads: r.hea has no V6; it has I, II"),
        (("--hidden=2-3",), "error: --hidden: expected FROM:TO in seconds"),
        (("--hidden=3:9",), "error: hidden: expected spans"),
        ((str(place / "r.hea"), str(place / "b")), "error: "),
    ):
        result = fill(place, *flags)
        assert result.returncode == 2
        assert result.stderr.startswith(said)
