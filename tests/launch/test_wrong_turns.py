"""What a tired person does wrong is told in one sentence, exit status 2. The list: docs/wrong_turns.md."""

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import pytest
from absl import app, flags
from made_parameters import made_state
from made_shards import example, serialise, write_data_set
from ml_collections import config_flags

from configs import tiny
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.inputs.selection import select
from coreecg_jax.records import prepare as preparing
from coreecg_jax.records.databases import wfdb_folder
from coreecg_jax.records.one_recording import Settings
from coreecg_jax.records.one_shard import Work
from coreecg_jax.records.plan import Shard
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.checkpoints import Checkpoints
from coreecg_jax.training.experiment import build, resolved
from coreecg_jax.training.interruption import Stopped
from coreecg_jax.training.skipping import NotFinite
from launch import shell

ROOT = Path(__file__).parents[2]
CONFIG, WORKDIR = "--config=configs/tiny.py", "--workdir=runs/x"
# ml_collections loads config files so; its matter, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a launcher with these arguments says as it ends; its flags are of pretrain and prepare."""

    def run(*arguments: str, main: Callable | None = None, status: int = 2) -> str:
        argv, values = ["launcher", *arguments], flags.FlagValues()
        config_flags.DEFINE_config_file(
            "config", None, "A file of configs/.", flag_values=values, sys_argv=argv
        )
        flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=values, required=True)
        flags.DEFINE_string("out", None, "Folder of data sets.", flag_values=values)
        flags.DEFINE_integer("workers", 1, "Processes.", lower_bound=1, flag_values=values)
        flags.DEFINE_enum("database", None, ["ptbxl", "wfdb_folder"], "Layout.", flag_values=values)
        flags.mark_flag_as_required("config", flag_values=values)
        monkeypatch.setattr(flags, "FLAGS", values)
        monkeypatch.setattr(app, "run", lambda main, flags_parser: main(flags_parser(argv)))
        monkeypatch.chdir(ROOT)
        with pytest.raises(SystemExit) as left:
            shell.run_main(main or (lambda rest: pytest.fail("main was reached")))
        output = capsys.readouterr()
        assert (left.value.code, output.out) == (status, "")
        assert len(output.err.strip().splitlines()) == 1
        return output.err.strip()

    return run


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([CONFIG, "--workdri=x"], "--workdri: no such flag; did you mean --workdir?"),
        ([CONFIG, WORKDIR, "--zzzz"], "--zzzz: no such flag; --help names all flags"),
        ([CONFIG], "expected --workdir (Folder of the run): not given"),
        ([WORKDIR], "expected --config (A file of configs/): not given"),
        ([CONFIG, WORKDIR, "stray"], "unexpected argument 'stray': every setting is a --flag=value"),
        ([CONFIG, WORKDIR, "--workers=two"], "--workers: expected a positive integer, got 'two'"),
        (
            [CONFIG, WORKDIR, "--database=georgia"],
            "--database: expected one of ptbxl, wfdb_folder, got 'georgia'",
        ),
    ],
)
def test_flags(told: Callable[..., str], arguments: list[str], sentence: str) -> None:
    assert told(*arguments) == f"error: {sentence}"


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("model.widht=64", "--config.model.widht: no such field; did you mean --config.model.width?"),
        ("modle.width=64", "--config.modle.width: no such field; did you mean --config.model.width?"),
        ("width=64", "--config.width: no such field; did you mean --config.model.width?"),
        ("mask.zzzz=1", "--config.mask.zzzz: no such field; mask has mode, p_lead, p_random, p_time, "),
        ("zzzz=1", "--config.zzzz: no such field; there are augment, data, mask, method, model, "),
        ("model=64", "--config.model is a group of fields: set one of them, such as --config.model."),
        ("run.steps=many", "--config.run.steps: expected an integer such as 8, got 'many'"),
        ("model.voltage=maybe", "--config.model.voltage: expected True or False such as True, got 'maybe'"),
    ],
)
def test_config_fields(told: Callable[..., str], argument: str, sentence: str) -> None:
    assert told(CONFIG, WORKDIR, f"--config.{argument}").startswith(f"error: {sentence}")


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (
            "configs/tiy.py",
            "--config: configs/tiy.py is not there (did you mean configs/tiny.py?); there are ",
        ),
        ("nope", "--config: nope is not there; there are configs/base.py, "),
        ("README.md", "--config: README.md is no config file (SyntaxError: "),
    ],
)
def test_config_files(told: Callable[..., str], file: str, sentence: str) -> None:
    assert told(f"--config={file}", WORKDIR).startswith(f"error: {sentence}")


@pytest.mark.parametrize(
    ("flag", "config"),
    [
        ("--config.data.root", CONFIG),
        ("--config.base.data.root", "--config=configs/ablation/pretraining.py"),
        ("--data_root", CONFIG),
    ],
)
def test_a_folder_of_data_that_is_not_there_names_the_flag(
    told: Callable[..., str], flag: str, config: str
) -> None:
    def main(rest: list[str]) -> None:
        if flag == "--data_root":
            flags.DEFINE_string("data_root", None, "Folder of data sets.", flag_values=flags.FLAGS)
        select("absent", "ludb")

    sentence = told(config, WORKDIR, main=main)
    assert sentence.startswith("error: no data folder absent: expected <root>/<data set>/<version>/, ")
    assert sentence.endswith(f" writes it: change {flag}")


def raising(error: BaseException) -> Callable:
    def main(rest: list[str]) -> None:
        raise error

    return main


def test_a_full_disk_names_the_folder_and_the_flag(told: Callable[..., str]) -> None:
    wrapped = RuntimeError("ResourceExhaustedError: Failed to write; No space left on device")
    for error in (FULL, wrapped):
        sentence = told(CONFIG, WORKDIR, main=raising(error))
        assert sentence.startswith("error: no space left on the disk of runs/x: free some there, or choose ")


def test_a_folder_that_cannot_be_written_names_the_flag(told: Callable[..., str]) -> None:
    def main(rest: list[str]) -> None:
        Path("README.md/run").mkdir(parents=True)

    expected = "error: --workdir=README.md/run cannot be written (not a directory): choose another --workdir"
    assert told(CONFIG, "--workdir=README.md/run", main=main) == expected


def test_a_device_whose_memory_is_full_is_one_sentence_of_every_launcher(told: Callable[..., str]) -> None:
    full = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.\nmore")
    assert told(CONFIG, WORKDIR, main=raising(full)) == (
        "error: expected the work to fit into the memory of the device, got 'RESOURCE_EXHAUSTED: Out of "
        "memory allocating 8 bytes.'; free it of what else runs there"  # it is the CPU
    )
    with pytest.raises(RuntimeError, match="a bug"):  # devices are there
        told(CONFIG, WORKDIR, main=raising(RuntimeError("a bug")))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux has a folder that takes no files")
def test_a_folder_that_takes_no_files_names_the_flag(told: Callable[..., str]) -> None:
    """Beside what is written stands a temporary file, of which the system speaks; a missing file is another
    matter where the folder can be written."""
    said = "=/proc/x cannot be written (/proc/x cannot be made, /proc takes no files): choose another"
    for flag, file in (("--workdir", "/proc/x"), ("--out", "/proc/.x-1a2b3c")):
        missing = raising(FileNotFoundError(errno.ENOENT, "No such file or directory", file))
        assert told(CONFIG, WORKDIR, f"{flag}=/proc/x", main=missing) == f"error: {flag}{said} {flag}"
    missing = raising(FileNotFoundError(errno.ENOENT, "No such file or directory", "runs/x/a.json"))
    assert told(CONFIG, WORKDIR, main=missing) == "error: runs/x/a.json: no such file or directory"


def test_ctrl_c_is_one_line_with_the_status_of_shells(told: Callable[..., str]) -> None:
    assert told(CONFIG, WORKDIR, main=raising(KeyboardInterrupt()), status=130) == "interrupted"
    stopped = raising(InterruptedError("stopped at step 3 of 8"))
    assert told(CONFIG, WORKDIR, main=stopped, status=130) == "stopped at step 3 of 8"


def test_what_a_scheduler_has_to_know_is_in_the_status(told: Callable[..., str]) -> None:
    preempted = raising(Stopped("stopped at step 3 of 8", signal.SIGTERM))
    assert told(CONFIG, WORKDIR, main=preempted, status=143) == "stopped at step 3 of 8"
    diverged = raising(NotFinite("step 6: expected a finite loss"))
    assert told(CONFIG, WORKDIR, main=diverged, status=3) == "error: step 6: expected a finite loss"


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()])
def test_a_preparing_that_ends_early_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def write_half(work: Work, shard: Shard, outcomes: object) -> None:
        (work.folder / "data" / shard.file).write_bytes(b"half")
        raise error

    (tmp_path / "hospital").mkdir()
    (tmp_path / "hospital" / "r.hea").write_text("")
    monkeypatch.setattr(Work, "write", write_half)
    listing = wfdb_folder.list_recordings(tmp_path / "hospital")
    with pytest.raises(type(error)):
        preparing.prepare(listing, tmp_path / "out", Settings(Preprocessing()))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    config, preprocessing = resolved(tiny.get_config()), Preprocessing(sampling_rate=100.0)
    experiment = build(config, preprocessing)
    with Checkpoints(tmp_path, config, preprocessing) as checkpoints:
        checkpoints.save_last(made_state(experiment))
    step = tmp_path / "checkpoints" / "last" / "0"
    for part in (step / "state").rglob("d/*"):
        part.write_bytes(b"x")
    # In a process of its own: when a read fails, tensorstore's others may still complain, of a closed loop.
    command = [sys.executable, "-m", "launch.evaluate", f"--checkpoint={tmp_path}", "--data_root=data"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert f"error: {step} cannot be read (" in result.stderr
    assert "copy the run again, or train in another --workdir\n" in result.stderr
    assert result.returncode == 2


def test_a_shard_cut_short_is_named(tmp_path: Path) -> None:
    records = [serialise(example(number, "made")) for number in range(4)]
    folder = write_data_set(tmp_path, "made", {"all": [records]})
    (shard,) = folder.glob("*.tfrecord*")
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(ValueError, match=f"^{shard}, record 4: truncated data at byte .* it again$"):
        read_recordings(tmp_path, "made")
    with pytest.raises(ValueError, match=r"unknown data set 'maed' in .* \(did you mean made\?\): there are"):
        read_recordings(tmp_path, "maed")
    with pytest.raises(FileNotFoundError, match=r"^no data folder .*: expected <root>/<data set>/<version>/"):
        read_recordings(tmp_path / "absent", "made")
