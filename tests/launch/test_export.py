"""From a checkpoint to a bundle, as a user sees it."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_launches import launched
from made_run import write_made_data, write_made_run

import coreecg_jax
from coreecg_jax.export.description import Representation
from coreecg_jax.export.writing import require_possible
from coreecg_jax.records.leads import LEADS
from launch.exporting import accuracy_of, description_of, labels_of, sizes
from launch.restored import encoder_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny experiment before its first step."""
    workdir = tmp_path_factory.mktemp("run")
    write_made_run(workdir, workdir / "data")
    return workdir


@pytest.fixture(scope="module")
def data(run: Path) -> Path:
    """Its data."""
    write_made_data(run / "data")
    (run / "data" / "made" / "1.0.0" / "manifest.jsonl").write_text("{}\n")
    return run / "data"


@pytest.fixture(scope="module")
def exported(
    run: Path, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> subprocess.CompletedProcess[str]:
    out = tmp_path_factory.mktemp("bundles") / "x"
    result = launch(
        "export",
        f"--checkpoint={run}",
        f"--out={out}",
        "--formats=",
        "--parts=encoder",
        "--pooling=lead",
        "--crops=2",
    )
    assert result.returncode == 0, result.stderr
    assert data.is_dir()
    return result


def launch(verb: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return launched(f"launch.{verb}", *flags)


def where(exported: subprocess.CompletedProcess[str]) -> Path:
    return Path(exported.stdout.splitlines()[-1].removeprefix("bundle: "))


@pytest.mark.slow
def test_a_run_becomes_a_bundle(run: Path, exported: subprocess.CompletedProcess[str]) -> None:
    assert "| safetensors | " in exported.stdout
    assert ", projector " in exported.stdout.splitlines()[-3]
    description = coreecg_jax.load(where(exported)).description
    assert description.parts == ("encoder",)
    assert description.training.manifests == {}  # the run noted none; those that lie there may be others
    assert "no manifests of the training data in config.json: the run noted none" in exported.stderr
    assert "| made (which manifests is not known of all) |" in (where(exported) / "README.md").read_text()
    assert description.training.fewest_leads == 10
    assert description.representation.crops == 2
    assert description.project_version == coreecg_jax.__version__
    assert (description.training.data, description.training.step) == ("made", 0)
    again = launch("export", f"--checkpoint={run}", f"--out={where(exported)}", "--formats=")
    assert again.returncode == 2
    assert again.stderr.startswith(f"error: --out: {where(exported)} is there already")


@pytest.mark.slow
def test_the_reconstruction_is_judged_on_other_recordings(run: Path, data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    example_of = {"quality": [0] * 12, "length": 1000}
    write_made_data(tmp_path / "held", windows=4, **example_of)
    shutil.move(tmp_path / "held" / "made", tmp_path / "data" / "held")
    for path in (tmp_path / "data" / "held" / "1.0.0").glob("made-*"):
        path.rename(path.with_name(path.name.replace("made-", "held-", 1)))
    asked = {"data_root": str(tmp_path / "data"), "recovered_on": "held", "recovered_from": ["V1,V2"]}
    description, _ = description_of(str(run), pooling="lead", crops=3, **asked)
    assert {(one.data, one.windows) for one in description.recovery} == {("held", 4)}
    assert [len(one.leads) for one in description.recovery] == [12, 6, 3, 1, 2]
    span, six, *_, two = description.recovery
    assert set(span.error) == set(span.flat) == set(LEADS)
    assert set(six.error) == set(LEADS[6:])
    assert set(two.error) == set(LEADS) - {"V1", "V2"}
    assert all(0 < value < 32.8 for one in description.recovery for value in one.flat.values())
    with pytest.raises(ValueError, match="--recovered_from: expected --recovered_on too"):
        description_of(str(run), pooling="lead", crops=3, recovered_from=["V1"])
    with pytest.raises(
        ValueError, match="--recovered_on: expected recordings that were held out, got 1 files"
    ):
        description_of(str(run), pooling="lead", crops=3, recovered_on="made")


def test_what_cannot_be_written_is_said_before_anything_is_read(tmp_path: Path) -> None:
    """There is no checkpoint: it would be missed, were it looked for first."""
    nothing, there = f"--checkpoint={tmp_path / 'gone'}", tmp_path / "there"
    there.mkdir()
    asked = launch("export", nothing, f"--out={tmp_path / 'new'}", "--formats=tflite")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert asked.stderr == "error: formats: expected some of onnx, stablehlo, pytorch, got 'tflite'\n"
    with pytest.raises(FileExistsError, match="is there already"):
        require_possible(there, ())


def test_parts_that_are_left_out(tmp_path: Path) -> None:
    """Said before the checkpoint is looked for, which is not there; and counted."""
    with pytest.raises(ValueError, match="--recovered_on: expected the decoder among --parts, got encoder:"):
        description_of(
            str(tmp_path / "gone"), pooling="lead", crops=3, parts=["encoder"], recovered_on="held"
        )
    (tmp_path / "model.safetensors").write_bytes(bytes(1_234_567))
    network = {"mask_token": np.ones(8), "decoder_in": {"bias": np.ones((2, 3))}, "embed": np.ones(2000)}
    assert sizes(str(tmp_path), network, ("encoder", "projector")).splitlines()[2:] == [
        "| model.safetensors | 1.235 |",
        "",
        "parameters: encoder 2,000, decoder 14 (left out), projector 0",
    ]


def test_data_that_moved_and_known_accuracy(run: Path, tmp_path: Path, capsys) -> None:
    restored = encoder_of(str(run))
    report = {
        **{part: {} for part in ("train", "test", "methods")},
        "task": {"name": "t"},
        "protocol": "sealed test",
        "probe": "linear",
        "subset": {"leads": ["I", "II"]},
        "label_set": {"classes": ["NORM", "MI"]},
        "encoders": [
            {"name": "other", "digest": "other", "pooling": "rhythm"},
            {"name": "this", "digest": restored.digest, "pooling": "rhythm"},
        ],
        "scores": {
            "pretrained": {
                "macro_auroc": {"value": 0.8, "low": 0.7, "high": 0.9},
                "runs": [{"macro_auroc": {"value": value, "low": 0.6, "high": 1.0}} for value in (0.7, 0.9)],
            },
            "random convolutions": {"macro_auroc": {"value": 0.75}},
            "pretrained + random convolutions": {"macro_auroc": {"value": 0.85}},
        },
    }
    file = tmp_path / "report.json"
    file.write_text(json.dumps(report))
    accuracy = accuracy_of(str(file), restored.digest, "rhythm")
    assert (accuracy.task, accuracy.leads, accuracy.macro_auroc) == ("t", ("I", "II"), 0.9)
    assert accuracy.beside == {"random convolutions": 0.75}  # nothing that the encoder is in
    gone = str(tmp_path / "gone")
    description, _ = description_of(
        str(run), pooling="rhythm", crops=3, data_root=gone, evaluations=[str(file)]
    )
    assert description.representation == Representation("rhythm", 1000, 1)
    assert description.training.manifests == {}
    assert "no manifests of the training data" in capsys.readouterr().err
    assert description.accuracy == (accuracy,)
    assert description.labels == ("NORM", "MI")
    assert description.preprocessing.leads == LEADS
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**report, "label_set": {"classes": ["MI", "CD"]}}))
    assert labels_of([str(file), str(other)]) == ("NORM", "MI", "CD")
    file.write_text(json.dumps({**report, "scores": {}}))
    with pytest.raises(ValueError, match="no score of a pretrained encoder"):
        accuracy_of(str(file), restored.digest, "rhythm")
    with pytest.raises(ValueError, match=r"is of other encoders or poolings \(other \(rhythm\), this"):
        accuracy_of(str(file), restored.digest, "lead")
