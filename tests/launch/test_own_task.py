"""The example of docs/evaluation.md, "A task of your own", as it stands there."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from made_launches import ROOT, launched

from coreecg_jax.downstream.tasks import named_task
from coreecg_jax.records.simulator.simulate import simulate
from launch.known_tasks import known_tasks

TEXT = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
SECTION = TEXT.partition("### A task of your own\n")[2].partition("\n| flag")[0]
PLACES = {"recordings", "data", "my_tasks.py"}  # in the example, of the current folder


def blocks() -> list[str]:
    """The blocks of code of the section: the table, preparing, the file, evaluating."""
    found = re.findall(r"(?:^    .*\n|^\n(?=\n*    ))+", SECTION, re.M)
    return [re.sub(r"^    ", "", block, flags=re.M).strip() + "\n" for block in found if block.strip()]


def command(text: str, where: Path) -> list[str]:
    """Module and flags, with the places of the example below a folder."""
    words = text.split()[2:]
    split = (word.partition("=") for word in words)
    return [
        f"{flag}={where / value}" if value in PLACES else f"{flag}{is_}{value}" for flag, is_, value in split
    ]


def write_recordings(folder: Path, table: str) -> None:
    """40 recordings of 20 patients; the first rows are those of the example."""
    folder.mkdir()
    rows = table.splitlines()
    for number in range(1, 41):
        ecg = simulate(0, number, 0, sampling_rate=100.0, seconds=10.0).ecg_LT
        np.save(folder / f"r{number:03d}.npy", ecg.astype(np.float32))
        if number >= len(rows):
            rows.append(f"r{number:03d}.npy,p{(number + 1) // 2:02d},{'none' if number % 4 < 2 else 'AF'}")
    (folder / "recordings.csv").write_text("\n".join(rows) + "\n")
    leads = "I, II, III, aVR, aVL, aVF, V1, V2, V3, V4, V5, V6"
    (folder / "ecg.yaml").write_text(f"sampling_rate: 100\nunit: mV\nleads: [{leads}]\n")


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path) -> None:
    table, prepare, tasks, evaluate = blocks()
    write_recordings(tmp_path / "recordings", table)
    (tmp_path / "my_tasks.py").write_text(tasks)
    prepared = launched(*command(prepare, tmp_path))
    assert prepared.returncode == 0, prepared.stderr
    assert "read 40 recordings" in prepared.stdout
    asked = launched(*command(evaluate, tmp_path), "--beside=", "--pooling=recording")  # in a few seconds
    assert asked.returncode == 0, asked.stderr
    numbers = json.loads(Path(asked.stdout.split("result: ")[1].splitlines()[0]).read_text())
    assert numbers["protocol"] == "nested cross-validation"
    assert numbers["task"]["name"] == "my_findings"
    assert numbers["test"]["positives"] == {"AF": 20, "none": 20}
    assert numbers["test"]["patients"] == 20


def test_who_asks_for_a_task_that_is_not_there_is_told_how_to_make_one() -> None:
    with pytest.raises(ValueError, match=r'--tasks=FILE \(docs/evaluation.md, "A task of your own"\)'):
        named_task(known_tasks(), "my_findings")
