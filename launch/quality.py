"""One HTML page and one PNG on the quality of a data set: counts, distributions, the ten worst drawn.

python -m launch.quality --data_root=data/250hz --data=ptbxl --source=../shared/ecg/ptbxl
Without --source nothing is drawn: shards hold what was filtered, a drawing shows the recording as it came.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from launch.quality_reporting import write_quality_page
from launch.shell import run_main
from launch.writable import require_page

_DATA_ROOT = flags.DEFINE_string("data_root", "data", "Folder of data sets.")
_DATA = flags.DEFINE_string("data", None, "Name of the data set.", required=True)
_SOURCE = flags.DEFINE_string("source", None, "Folder of the recordings that it was prepared from.")
_DATABASE = flags.DEFINE_string(
    "database", None, "That of launch.prepare; default: the data set's name, or else folder."
)
_OUT = flags.DEFINE_string("out", None, "HTML file; default: quality-DATA.html. The PNG stands beside it.")


def main(argv: Sequence[str]) -> None:
    """Writes page and picture and says where they are."""
    del argv
    out = Path(_OUT.value or f"quality-{_DATA.value}.html")
    require_page("--out", out)
    source = Path(_SOURCE.value) if _SOURCE.value else None
    picture = write_quality_page(
        out, Path(_DATA_ROOT.value), _DATA.value, source=source, database=_DATABASE.value
    )
    print(f"quality: {out}\npicture: {picture}")


if __name__ == "__main__":
    run_main(main)
