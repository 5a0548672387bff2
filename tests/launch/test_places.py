"""The recipes for clusters: syntax, and what they call, by stand-ins for the clusters' own programs."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLACES = ROOT / "launch" / "places"
FLAGS = ["--config=configs/mimic_s.py", "--workdir=/runs/a b"]
RECIPES = sorted(path.name for path in PLACES.iterdir() if path.name != "README.md")


def run(recipe: str, folder: Path, *arguments: str, status: int = 0) -> tuple[int, list[list[str]]]:
    """The exit status, and every program that was called, with its arguments: each says what it was given."""
    for name in ("gcloud", "srun", "scontrol", "docker"):
        program = folder / name
        program.write_text(
            f"#!/usr/bin/env bash\nprintf '%s\\0' {name} \"$@\" >> {folder}/called\necho >> {folder}/called\n"
            f"exit {status if name == 'srun' else 0}\n"
        )
        program.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "8"}
    command = ["bash", str(PLACES / recipe), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    called = (folder / "called").read_text() if (folder / "called").exists() else ""
    return done.returncode, [line.split("\0")[:-1] for line in called.splitlines()]


def test_each_is_named_in_the_table_and_says_that_it_was_never_run() -> None:
    named = re.findall(r"^\| `([^`]+)` \|", (PLACES / "README.md").read_text(encoding="utf-8"), re.M)
    assert sorted(named) == RECIPES
    for name in RECIPES:
        assert "Never run on" in (PLACES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.endswith(".yaml")])
def test_bash_can_read_it(name: str) -> None:
    done = subprocess.run(["bash", "-n", PLACES / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_host_of_a_slice_gets_the_command_with_its_arguments(tmp_path: Path) -> None:
    status, [call] = run("tpu_pod.sh", tmp_path, "slice", "us-east1-c", *FLAGS)
    assert status == 0
    assert call[:7] == ["gcloud", "compute", "tpus", "tpu-vm", "ssh", "slice", "--zone=us-east1-c"]
    assert call[7] == "--worker=all"
    assert call[8] == (
        "--command=cd coreecg && exec .venv/bin/python -m launch.pretrain --distributed "
        "--config=configs/mimic_s.py --workdir=/runs/a\\ b"
    )


@pytest.mark.parametrize(
    ("status", "again"),
    [(0, False), (1, False), (2, False), (3, False), (134, False), (137, True), (143, True)],
)
def test_slurm_starts_it_again_after_what_it_goes_on_from(tmp_path: Path, status: int, again: bool) -> None:
    ended, (srun, *others) = run("slurm.sbatch", tmp_path, *FLAGS, status=status)
    assert ended == status
    python = [".venv/bin/python", "-m", "launch.pretrain", "--distributed", *FLAGS]
    assert srun == ["srun", "--cpus-per-task=8", "--kill-on-bad-exit=0", *python]
    assert others == ([["scontrol", "requeue", "7"]] if again else [])


def test_the_jobset_has_as_many_hosts_as_its_topology_and_folders_where_the_image_looks() -> None:
    jobset = yaml.safe_load((PLACES / "gke_jobset.yaml").read_text(encoding="utf-8"))
    (replicated,) = jobset["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    rows, columns = map(int, pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"].split("x"))
    chips = container["resources"]["limits"]["google.com/tpu"]
    assert job["parallelism"] == job["completions"] == rows * columns // chips
    assert container["args"][0] == "--distributed"
    assert [volume["mountPath"] for volume in container["volumeMounts"]] == ["/coreecg/data", "/coreecg/runs"]
    image = (ROOT / "containers" / "tpu.Dockerfile").read_text(encoding="utf-8")
    assert "WORKDIR /coreecg" in image
    assert '"-m", "launch.pretrain"]' in image
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["containerName"] == container["name"]
    assert rule["onExitCodes"]["values"] == [1, 2, 3]  # after these docs/running.md wants no new start
    assert rule["action"] == "FailJob"
    (after,) = jobset["spec"]["failurePolicy"]["rules"]
    assert after == {"action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}


def test_a_host_with_gpus_runs_the_image_on_both_folders(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    status, [call] = run("gpu_host.sh", tmp_path, str(tmp_path / "data"), str(tmp_path), *FLAGS)
    assert status == 0
    assert call[-3:] == ["coreecg-jax:gpu", *FLAGS]
    assert f"{tmp_path}/data:/coreecg/data" in call
    assert f"{tmp_path}:/coreecg/runs" in call


@pytest.mark.parametrize("name", ["tpu_pod.sh", "gpu_host.sh"])
def test_too_few_arguments_are_told_and_nothing_is_called(tmp_path: Path, name: str) -> None:
    status, called = run(name, tmp_path, "one")
    assert (status, called) == (1, [])
