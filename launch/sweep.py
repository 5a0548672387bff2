"""Trains and scores every cell of a table, or goes on where it stopped; writes Markdown, CSV and a picture.

python -m launch.sweep --table=ablation --workdir=runs/ablation [--only=full,fda_off] [--seeds=0]
Tables: configs/ablation/tables.py, or a file of your own (--tables=FILE); a field of it is set by
--tables.TABLE.FIELD=VALUE. Two processes may share a folder when each has rows of its own (--only).
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from configs.ablation import pretraining, tables
from launch.config_files import define_config_file
from launch.shell import run_main
from launch.sweep_cells import Sweep
from launch.sweep_tables import named_table
from launch.sweeping import run_sweep
from launch.writable import require_writable

_TABLE = flags.DEFINE_string("table", None, "Which table: an entry of --tables.", required=True)
_TABLES = define_config_file("tables", tables.__file__, "The tables.", any_groups=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of runs, cells and tables.", required=True)
_PRETRAINING = define_config_file("config", pretraining.__file__, "Base and rows of pretraining.")
_ONLY = flags.DEFINE_list("only", [], "Rows that are run now; all are in the table.")
_RETEST = flags.DEFINE_bool("allow_retest", False, "Ask again what a run that was cut off had opened.")
_OVERLAP = flags.DEFINE_bool("allow_overlap", False, "Ask about recordings seen, unlabelled, in pretraining.")
_SEEDS = flags.DEFINE_multi_integer("seeds", [], "Seeds that are run now; default: all of the table.")


def main(argv: Sequence[str]) -> None:
    """Runs what is missing and says where the table is."""
    del argv
    require_writable("--workdir", _WORKDIR.value)
    sweep = Sweep(
        named_table(_TABLES.value, _TABLE.value, list(_PRETRAINING.value.rows)),
        _PRETRAINING.value,
        Path(_WORKDIR.value),
        _TABLE.value,
        allow_retest=_RETEST.value,
        allow_overlap=_OVERLAP.value,
    )
    text = run_sweep(sweep, only=_ONLY.value, seeds=_SEEDS.value)
    print(f"{text}\n\ntable: {sweep.workdir / _TABLE.value}.md, .csv, .png")


if __name__ == "__main__":
    run_main(main)
