"""A sweep: pretrained once a row and seed, asked once a question, and shown as a table."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import ml_collections

from coreecg_jax.downstream.log_of_openings import count_openings
from coreecg_jax.downstream.methods import BESIDE, PRETRAINED
from coreecg_jax.downstream.refusals import AlreadyOpened, NotFitted, Unfinished
from coreecg_jax.downstream.result_files import write_report
from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.downstream.sweeps import Cell, Pretraining, as_csv, lines, markdown, notes
from coreecg_jax.figures.intervals import draw_intervals
from coreecg_jax.inputs.selection import select
from coreecg_jax.locks import Held
from coreecg_jax.records.spelling import with_guess
from coreecg_jax.training.experiment import build, resolved
from coreecg_jax.training.loop import train
from coreecg_jax.training.skipping import NotFinite
from launch.evaluating import Asked, evaluated
from launch.restored import encoder_of
from launch.sweep_cells import (
    MISSING,
    Sweep,
    cell_file,
    require_same_settings,
    settings_file,
    settings_of,
    stored,
)


def run_sweep(sweep: Sweep, *, only: Sequence[str] = (), seeds: Sequence[int] = ()) -> str:
    """Runs the cells that are not there, writes the table after each run of pretraining, and returns it.

    Args:
      sweep: the table.
      only: rows that are run; all where empty.
      seeds: that are run; all where empty.

    Raises:
      ValueError: when a row or seed is not of the table, a cell that is there was made with other settings,
        or a file of the cells cannot be read.
    """
    for flag, asked, known in (("only", only, sweep.table["rows"]), ("seeds", seeds, sweep.table["seeds"])):
        there = list(map(str, known))
        unknown = [with_guess(str(each), there) for each in asked if each not in known]
        if unknown:
            raise ValueError(f"--{flag}: expected some of {', '.join(there)}, got {', '.join(unknown)}")
    require_same_settings(sweep)
    text = _write_table(sweep)
    left: list[tuple[str, int]] = []
    for seed in seeds or sweep.table["seeds"]:
        for row in only or sweep.table["rows"]:
            try:
                ran = _run_row(sweep, row, seed)
            except Held as error:  # another sweep trains it now: the others are trained all the same
                sys.stderr.write(f"warning: {row}, seed {seed} is left: {error}\n")
                left.append((row, seed))
                ran = True
            if ran:
                text = _write_table(sweep, left)
    return text


def _run_row(sweep: Sweep, row: str, seed: int) -> bool:
    """Pretrains a row and asks it; says whether anything was missing."""
    run = sweep.workdir / "runs" / f"{row}_{seed}"
    of_row = [(cell, asked) for cell, asked in sweep.asked() if (cell.row, cell.seed) == (row, seed)]
    missing = [(cell, asked) for cell, asked in of_row if _is_left(sweep, cell, asked)]
    if not missing:
        return False
    print(f"{row}, seed {seed}", flush=True)
    try:
        train(sweep.config(row, seed), run)
    except NotFinite as error:  # of this row and seed: the others are trained all the same
        for cell, asked in missing:
            _leave_missing(cell, cell_file(sweep.folder, cell, asked), error, opened=False)
        return True
    sweep.folder.mkdir(parents=True, exist_ok=True)
    write_report(settings_of(sweep, row, seed), settings_file(sweep.folder, row, seed))
    encoder = encoder_of(str(run))
    for cell, asked in missing:
        file, before = cell_file(sweep.folder, cell, asked), count_openings(sweep.openings)
        try:
            evaluated(asked, [encoder], out=file)
        except Unfinished as error:
            _leave_missing(cell, file, error, opened=False)  # asked about again when that is done
        except (TooFewRecordings, NotFitted, AlreadyOpened) as error:
            # Two processes may share a folder: a test that the other opened counts as opened, for caution.
            opened = isinstance(error, AlreadyOpened) or count_openings(sweep.openings) > before
            _leave_missing(cell, file, error, opened=opened)
    return True


def _leave_missing(cell: Cell, file: Path, error: Exception, *, opened: bool) -> None:
    """The cell says why it is not there, and the sweep goes on."""
    print(f"missing: {cell.name}: {error}", flush=True)
    write_report({"missing": str(error), "opened": opened}, file.with_name(file.stem + MISSING))


def _is_left(sweep: Sweep, cell: Cell, asked: Asked) -> bool:
    """Whether a cell is to be asked. A test that was opened and could not be scored is not opened again."""
    file = cell_file(sweep.folder, cell, asked)
    known = (stored(sweep.folder / f"{name}{MISSING}") for name in (file.stem, cell.name))  # cells of before
    opened = any(each is not None and each.get("opened", True) for each in known)  # some do not say
    closed = opened and not (asked.development or sweep.allow_retest)
    return not (closed or file.is_file())


def _write_table(sweep: Sweep, left: Sequence[tuple[str, int]] = ()) -> str:
    """Markdown, CSV and a picture of what is there; `left` are rows and seeds that another sweep trains."""
    reference, files = sweep.table["reference"], sweep.files()
    table = lines(
        files,
        method=PRETRAINED,
        reference=reference,
        beside=[BESIDE[name] for name in sweep.table["beside"]],
    )
    spent = {row: _spent(sweep.config(row, 0)) for row in sweep.table["rows"]}
    text = markdown(table, spent, reference, [*notes(files), *_told_of_left(sweep, left)])
    names = [f"{line.row}: {line.question}" for line in table]
    figure = draw_intervals(names, [line.auroc for line in table], label="macro AUROC, 95 %")
    sweep.workdir.mkdir(parents=True, exist_ok=True)
    # Each whole or not at all: another process may write the same table.
    with tempfile.TemporaryDirectory(dir=sweep.workdir, prefix=".table-") as staging:
        new = Path(staging)
        (new / f"{sweep.name}.md").write_text(text + "\n", encoding="utf-8")
        (new / f"{sweep.name}.csv").write_text(as_csv(table, spent), encoding="utf-8")
        figure.savefig(new / f"{sweep.name}.png", dpi=100)
        for file in sorted(new.iterdir()):
            os.replace(file, sweep.workdir / file.name)
    return text


def _told_of_left(sweep: Sweep, left: Sequence[tuple[str, int]]) -> list[str]:
    """A sentence below the table, where cells of them are still not there."""
    lacking = {(cell.row, cell.seed) for cell, file in sweep.files().items() if not file.is_file()}
    names = [f"{row}, seed {seed}" for row, seed in left if (row, seed) in lacking]
    if not names:
        return []
    return [
        f"**Left to another sweep, which held their runs**: {'; '.join(names)}. The same command again, when "
        "that one has ended, runs what is missing then."
    ]


def _spent(config: ml_collections.ConfigDict) -> Pretraining:
    return Pretraining(_tokens_kept(config), config.run.steps, config.run.steps * config.data.batch_size)


def _tokens_kept(config: ml_collections.ConfigDict) -> int:
    preprocessing = select(config.data.root, config.data.train, shards=False).preprocessing
    objective = build(resolved(config), preprocessing).objective
    return objective.stdm.tokens_kept(objective.columns)
