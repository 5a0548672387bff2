"""The recipes for clusters: syntax, and what they call, by stand-ins for the clusters' own programs."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml
from jax._src.clusters import cloud_tpu_cluster

from configs import mimic_b, mimic_s

ROOT = Path(__file__).parents[2]
PLACES = ROOT / "launch" / "places"
FLAGS = ["--config=configs/mimic_s.py", "--workdir=/runs/a b"]
ASKED_FOR = ("nodes", "gpus-per-node")
RECIPES = sorted(path.name for path in PLACES.iterdir() if path.name != "README.md")


# In place of a cluster's program: notes what it was given; `srun` its environment too, and runs its tasks one
# after another: Python ends as $STATUSES says, above 128 by a signal. The highest status is that of `srun`.
PROGRAM = """#!/usr/bin/env bash
{ printf '%s\\0' NAME "$@"; printf '\\036'; } >> FOLDER/called
[ NAME = srun ] || exit 0
env > FOLDER/environment
highest=0
for status in $STATUSES; do
  STATUS=$status "${@:3}"
  ended=$?
  [ $ended -le $highest ] || highest=$ended
done
exit $highest
"""
PYTHON = """#!/usr/bin/env bash
[ $STATUS -le 128 ] || kill -$((STATUS - 128)) $$
exit $STATUS
"""


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def run(
    recipe: str, folder: Path, *arguments: str, statuses: str = "0", **variables: str
) -> tuple[int, list[list[str]]]:
    """The exit status, and every program that was called, with its arguments."""
    for name in ("gcloud", "srun", "scontrol", "docker"):
        write_program(folder / name, PROGRAM.replace("NAME", name).replace("FOLDER", str(folder)))
    write_program(folder / ".venv" / "bin" / "python", PYTHON)
    environment = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "SLURM_JOB_ID": "7",
        "SLURM_CPUS_PER_TASK": "8",
        "STATUSES": statuses,
    } | variables
    command = ["bash", str(PLACES / recipe), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    called = (folder / "called").read_text() if (folder / "called").exists() else ""
    return done.returncode, [line.split("\0")[:-1] for line in called.split("\036")[:-1]]


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
    (line,) = [line.strip() for line in call[8].splitlines() if "launch.pretrain --" in line]
    assert line == (
        "setsid nohup .venv/bin/python -m launch.pretrain --distributed --config=configs/mimic_s.py "
        "--workdir=/runs/a\\ b </dev/null >>pretrain.log 2>&1 &"
    )


# In place of Python on a host of the slice: says its arguments and device, and ends when it is told.
HOSTS_PYTHON = """#!/usr/bin/env bash
trap 'echo saved; exit 143' TERM
echo "started on $JAX_PLATFORMS: $*"
for _ in {1..200}; do [ -e end ] && exit 7; sleep 0.1; done
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The repository's folder on a host, below its home."""
    python = tmp_path / "coreecg" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(HOSTS_PYTHON)
    python.chmod(0o755)
    return tmp_path / "coreecg"


def over_ssh(host: Path, *arguments: str) -> subprocess.Popen[str]:
    """What `tpu_pod.sh` runs on a host, on its way."""
    _, [*_, call] = run("tpu_pod.sh", host.parent, "slice", "zone", *arguments)
    command = ["bash", "-c", call[8].removeprefix("--command=")]
    return subprocess.Popen(
        command, cwd=host.parent, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def said_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout
    assert any(text in line for line in process.stdout)


def test_a_host_says_how_the_run_ended(host: Path) -> None:
    with over_ssh(host, *FLAGS) as connection:
        said_until(connection, "started on tpu: -m launch.pretrain --distributed --config=configs/mimic_s.py")
        (host / "end").touch()
    assert connection.returncode == 7


def test_a_run_outlives_its_connection_is_followed_again_and_stopped_by_its_file(host: Path) -> None:
    with over_ssh(host, *FLAGS) as lost:
        said_until(lost, "started on tpu")
        os.killpg(lost.pid, signal.SIGKILL)  # all that ssh started and that is not apart from it
    with over_ssh(host, *FLAGS) as again:
        said_until(again, "a run is going on already")
        stop = 'kill -TERM "$(cat coreecg/pretrain.pid)"'
        subprocess.run(["bash", "-c", stop], cwd=host.parent, check=True)
        said_until(again, "saved")
    assert again.returncode == 0
    assert (host / "pretrain.log").read_text().count("started") == 1


AGAIN = [["scontrol", "requeue", "7"]]


def test_slurm_hands_the_arguments_on_to_each_task(tmp_path: Path) -> None:
    ended, [srun] = run("slurm.sbatch", tmp_path, *FLAGS)
    assert ended == 0
    assert srun[:5] == ["srun", "--cpus-per-task=8", "--kill-on-bad-exit=0", "bash", "-c"]
    assert srun[7:] == [".venv/bin/python", "-m", "launch.pretrain", "--distributed", *FLAGS]


@pytest.mark.parametrize(
    ("statuses", "ended", "again"),
    [
        ("0 0", 0, []),
        ("1 1", 1, []),
        ("2 2", 2, []),
        ("3 3", 3, []),
        ("143 143", 143, AGAIN),
        ("137 134", 137, AGAIN),  # one is out of memory, or its node gone: the others are aborted
        ("134 134", 134, AGAIN),  # the runtime failed in one
        ("139 134", 139, AGAIN),
        ("135 134", 135, AGAIN),
        # One ends alone, the others are aborted: what it says counts.
        ("134 1 134", 1, []),
        ("2 134 134", 2, []),
        ("134 3", 3, []),
        ("137 2", 2, []),
        ("143 2", 2, []),
        ("130 130", 130, []),
    ],
)
def test_slurm_starts_it_again_after_what_it_goes_on_from(
    tmp_path: Path, statuses: str, ended: int, again: list[list[str]]
) -> None:
    status, (_, *others) = run("slurm.sbatch", tmp_path, *FLAGS, statuses=statuses)
    assert (status, others) == (ended, again)


@pytest.mark.parametrize("status", ["134", "135", "137", "139"])
@pytest.mark.parametrize(("count", "again"), [("19", AGAIN), ("20", [])])
def test_slurm_does_not_start_for_ever_what_fails_each_time(
    tmp_path: Path, status: str, count: str, again: list[list[str]]
) -> None:
    ended, (_, *others) = run("slurm.sbatch", tmp_path, statuses=status, SLURM_RESTART_COUNT=count)
    assert (str(ended), others) == (status, again)


def test_a_task_of_slurm_waits_for_python_to_save_its_state(tmp_path: Path) -> None:
    """SIGTERM comes to the bash around it too."""
    _, [srun] = run("slurm.sbatch", tmp_path)
    write_program(
        tmp_path / ".venv" / "bin" / "python",
        "#!/usr/bin/env bash\ntrap 'sleep 0.5; echo saved; exit 143' TERM\necho started\n"
        "for _ in {1..200}; do sleep 0.1; done\n",
    )
    with subprocess.Popen(
        srun[3:], cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as task:
        said_until(task, "started")
        os.killpg(task.pid, signal.SIGTERM)
        said_until(task, "saved")
    assert task.returncode == 143


def test_slurms_tasks_have_a_gpu_or_fail_and_one_folder_of_programs(tmp_path: Path) -> None:
    run("slurm.sbatch", tmp_path, *FLAGS)
    told = (tmp_path / "environment").read_text().splitlines()
    assert {"JAX_PLATFORMS=cuda", f"JAX_COMPILATION_CACHE_DIR={tmp_path}/.cache/jax"} <= set(told)
    run("slurm.sbatch", tmp_path, *FLAGS, JAX_COMPILATION_CACHE_DIR="/elsewhere")
    assert "JAX_COMPILATION_CACHE_DIR=/elsewhere" in (tmp_path / "environment").read_text().splitlines()


def test_the_mimic_configs_divide_among_the_devices_that_the_recipes_ask_for() -> None:
    slurm = (PLACES / "slurm.sbatch").read_text(encoding="utf-8")
    nodes, gpus = (int(re.findall(rf"^#SBATCH --{name}=(\d+)$", slurm, re.M)[0]) for name in ASKED_FOR)
    jobset = yaml.safe_load((PLACES / "gke_jobset.yaml").read_text(encoding="utf-8"))
    job = jobset["spec"]["replicatedJobs"][0]["template"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    chips = job["completions"] * container["resources"]["limits"]["google.com/tpu"]
    for config in (mimic_s.get_config(), mimic_b.get_config()):
        assert [config.data.batch_size / devices for devices in (nodes * gpus, chips)] == [128, 128]


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
    ports = [port["containerPort"] for port in container["ports"]]
    assert int(cloud_tpu_cluster.coordinator_port) in ports
    image = (ROOT / "containers" / "tpu.Dockerfile").read_text(encoding="utf-8")
    assert "WORKDIR /coreecg" in image
    assert '"-m", "launch.pretrain"]' in image
    user = re.findall(r"--uid (\d+)", image)
    assert [str(pod["securityContext"]["fsGroup"])] == user  # who writes the claims
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
    assert "--init" in call  # else SIGTERM is not heard before the run trains


@pytest.mark.parametrize(("name", "platform"), [("gpu", "cuda"), ("tpu", "tpu")])
def test_an_image_does_not_fall_back_to_the_cpu(name: str, platform: str) -> None:
    recipe = (ROOT / "containers" / f"{name}.Dockerfile").read_text(encoding="utf-8")
    assert re.search(rf"^ENV JAX_PLATFORMS={platform}\b", recipe, re.M)


@pytest.mark.parametrize("name", ["tpu_pod.sh", "gpu_host.sh"])
def test_too_few_arguments_are_told_and_nothing_is_called(tmp_path: Path, name: str) -> None:
    status, called = run(name, tmp_path, "one")
    assert (status, called) == (1, [])
