"""A test that was opened and not reported (`unreported`) gets its report."""

from pathlib import Path

from coreecg_jax.downstream.result_files import read_reports, write_report
from coreecg_jax.downstream.results import unscored
from coreecg_jax.downstream.scores import TooFewRecordings
from launch.evaluating import Done, written
from launch.telling_fits import Tell, silent
from launch.unreported import read_unreported


def finished(kept: Path, *, tell: Tell = silent) -> Done:
    """Reports a test that was opened and not reported (`unreported`), which is then there no longer.

    Raises:
      FileNotFoundError: when nothing was kept there.
      ValueError: when it is something else, or too few recordings were asked about, which is an answer.
    """
    found, encoders, asked, file, made_by = read_unreported(kept)
    try:
        done = written(found, encoders, asked, file, tell, made_by)
        numbers = done.numbers
    except TooFewRecordings as error:
        if not asked.task.sources:
            kept.unlink()
            raise
        numbers = unscored(error, encoders) | asked.about()
        done = Done(file, file.with_suffix(".parquet"), f"{file.stem}: no scores: {error}", numbers)
    if asked.task.sources:
        together = file.parent.with_name(f"{file.parent.name}.json")
        reports = (read_reports(together) if together.is_file() else {}) | {file.stem: numbers}
        write_report({name: reports[name] for name in asked.task.sources if name in reports}, together)
    kept.unlink()
    return done
