"""The verbs that look at data and runs, each as a process, on a tiny run and made data."""

import pytest
from made_launches import launched
from made_run import write_made_data, write_made_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_made_data(folder, quality=[0] * 12, length=1000)
    return folder


@pytest.fixture(scope="module")
def run(root, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    write_made_run(workdir, root)
    return workdir


def launch(verb, *flags):
    result = launched(f"launch.{verb}", *flags)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_reconstruction_prints_its_tables(root, run):
    data = (f"--data_root={root}", "--train=made", "--validation=made")
    printed = launch("reconstruction", f"--run=fresh={run}", *data)
    assert printed.startswith("16 windows of made")
    assert printed.count("| fresh |") == 3
    assert printed.count("| beat template |") == 3


def test_leakage_prints_a_line_a_mask(root):
    printed = launch("leakage", f"--data_root={root}", "--train=made", "--validation=made", "--masks=50")
    assert [line.split(" | ")[0] for line in printed.splitlines()[2:4]] == ["| dual", "| time"]
    assert "| time | 180 | 0.0% | 0.0% | 0.000 |" in printed


def test_overfit_prints_the_curve_and_refuses_to_pass_what_has_not_learned(root):
    config = "--config=configs/tiny.py", f"--config.data.root={root}"
    result = launched("launch.overfit", *config, "--steps=2", "--every=1")
    assert result.stdout.count("\n| ") == 3  # steps 0, 1, 2
    assert result.stderr.startswith("error: the gate is not passed: explained ")
    assert result.returncode == 2


def test_curves_draws_its_pictures(run, tmp_path):
    pictures = [tmp_path / f"{name}.png" for name in ("out", "importance", "example")]
    launch("curves", f"--workdir={run}", *(f"--{picture.stem}={picture}" for picture in pictures))
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)


def test_conditions_draws_ten(tmp_path):
    launch("conditions", f"--out={tmp_path / 'new'}", "--dpi=40")
    assert len(list((tmp_path / "new").glob("*.png"))) == 10


def test_distributions_compares_what_it_is_given(root, tmp_path):
    out = tmp_path / "d.png"
    printed = launch("distributions", f"--data_root={root}", "--data=one=made", "--data=made", f"--out={out}")
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "| one | 16 |" in printed
    assert "| made | 16 |" in printed
