"""One HTML page that says what a run is, what it learned and what it recovers; two runs side by side.

python -m launch.report --workdir=runs/x [--workdir=runs/y] [--out=report.html]
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from launch.reporting import write_report_page
from launch.shell import run_main
from launch.writable import require_page

_WORKDIR = flags.DEFINE_multi_string("workdir", None, "A training run; twice to compare two.", required=True)
_EVALUATION = flags.DEFINE_multi_string(
    "evaluation", [], "JSON of launch.evaluate, one a run; default: the newest of its own."
)
_DATA_ROOT = flags.DEFINE_string("data_root", None, "Folder of data sets, when they were moved since.")
_OUT = flags.DEFINE_string("out", None, "HTML file; default: report.html in the first run's folder.")


def main(argv: Sequence[str]) -> None:
    """Writes the page and says where it is."""
    del argv
    out = Path(_OUT.value or Path(_WORKDIR.value[0]) / "report.html")
    require_page("--out", out)
    write_report_page(out, _WORKDIR.value, evaluations=_EVALUATION.value, data_root=_DATA_ROOT.value)
    print(f"report: {out}")


if __name__ == "__main__":
    run_main(main)
