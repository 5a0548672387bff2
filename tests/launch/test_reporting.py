"""From a run to its page: what is gathered, and what is said of a run that lacks parts."""

import json

import pytest
from made_run import PREPROCESSING, write_made_data, write_made_run
from made_shards import example, serialise, write_data_set

from configs import tiny
from coreecg_jax.downstream.result_files import read_report
from coreecg_jax.training.checkpoints import load_parameters
from launch.demo_data import choose, fit_batches, title_of
from launch.reporting import write_report_page
from launch.watching import pictures


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_made_data(folder, quality=[0] * 12, length=1000)
    return folder


@pytest.fixture(scope="module")
def run(root, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("first")
    write_made_run(workdir, root)
    return workdir


def test_a_run_becomes_a_page(run, tmp_path):
    out = tmp_path / "new" / "report.html"
    write_report_page(out, [str(run)], title="CoRe-ECG demo: ward <3>")
    page = out.read_text(encoding="utf-8")
    assert "<title>CoRe-ECG demo: ward &lt;3&gt;</title>" in page
    assert "16 windows of made" in page
    assert "8 x cpu" in page
    assert "9 recordings/s (median)" in page
    assert "No probe was run" in page
    assert page.count("<img") == 6
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]


def test_the_title_of_a_demo_names_its_recordings(tmp_path):
    ward = str(tmp_path / "ward")
    assert title_of(["simulated"], None) == "CoRe-ECG demo: simulated recordings"
    assert title_of(["ludb", "ptbxl"], f"{ward}/../ward/") == "CoRe-ECG demo: ludb, ptbxl, of ward"
    assert title_of([f"d{number}" for number in range(7)], ward) == "CoRe-ECG demo: 7 data sets, of ward"


def test_mistakes_write_nothing(run, tmp_path):
    out = tmp_path / "report.html"
    with pytest.raises(ValueError, match=r"--evaluation: expected one file a run \(1\), got 2"):
        write_report_page(out, [str(run)], evaluations=["a", "b"])
    (tmp_path / "other.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(ValueError, match=r"other\.json: expected the JSON that launch\.evaluate writes"):
        write_report_page(out, [str(run)], evaluations=[str(tmp_path / "other.json")])
    with pytest.raises(FileNotFoundError, match="no last checkpoint"):
        write_report_page(out, [str(tmp_path / "absent")])
    assert not out.exists()
    with pytest.raises(FileNotFoundError):
        read_report(tmp_path / "absent.json")


@pytest.mark.slow
def test_the_picture_for_tensorboard_is_a_png(root, tmp_path):
    config = write_made_run(tmp_path, root)
    ((name, draw),) = pictures(config).items()
    assert name == "reconstruction"
    assert draw(load_parameters(tmp_path).parameters).startswith(b"\x89PNG")


def test_a_demo_probes_what_its_recordings_allow(root):
    assert choose("", ["simulated"], simulated=True).task.name == "simulated_conditions"
    # Every made recording has the same code: nothing to tell apart.
    unlabelled = choose(str(root), ["made"], simulated=False)
    assert unlabelled.task is None
    assert (
        "No probe: codes as classes: expected a code that at least 10 of 10 recordings with a code"
        in unlabelled.remark
    )


def test_published_folds_are_used_where_all_are_there(tmp_path):
    records = [serialise(example(0, samples=1000))]
    for folds, train in ((range(1, 10), "ptbxl, made"), (range(1, 11), "ptbxl:fold1-8, made")):
        root = tmp_path / str(len(folds))
        write_made_data(root)
        write_data_set(root, "ptbxl", {f"fold{k}": [records] for k in folds}, preprocessing=PREPROCESSING)
        assert choose(str(root), ["ptbxl", "made"], simulated=False).train == train


def test_batches_are_no_larger_than_the_data(root, tmp_path):
    config = tiny.get_config()
    config.data.root = str(root)
    config.data.batch_size = 100
    fit_batches(config)
    assert (config.data.batch_size, config.data.validation_batch_size) == (16, 8)
    write_made_data(tmp_path, windows=7)
    config.data.root = str(tmp_path)
    with pytest.raises(ValueError, match="expected at least 8 windows in made, got 7"):
        fit_batches(config)
