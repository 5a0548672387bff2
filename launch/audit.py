"""Which recordings, patients and signals stand in two data sets, or twice in one: leaks, before they count.

python -m launch.audit --data_root=data/100hz --data=ptbxl:fold1-8 --data=ptbxl:fold9-10 --data=ludb
Signals are compared by fingerprint: another sampling rate, gain or order of leads, a crop of half a second,
or noise do not hide them. Data sets that lie under two roots: --data_root once for each --data.
"""

import json
import sys
from collections.abc import Sequence

from absl import flags
from tqdm import tqdm

from coreecg_jax.downstream.audit import audited, markdown, overlaps
from coreecg_jax.downstream.overlaps import windows_in
from coreecg_jax.inputs.selection import select
from launch.auditing import sides
from launch.shell import run_main
from launch.writable import in_its_folder, require_writable

_DATA_ROOT = flags.DEFINE_multi_string(
    "data_root",
    None,
    "Folder of data sets: one of all, or one for each --data, in their order.",
    required=True,
)
_DATA = flags.DEFINE_multi_string("data", None, "A data specification; once for each side.", required=True)
_OUT = flags.DEFINE_string("out", None, "JSON file of every pair that was found.")
_FAIL = flags.DEFINE_bool("fail_on_overlap", False, "Exit with status 4 where two data sets share something.")
_OVERLAP = 4


def main(argv: Sequence[str]) -> None:
    """Reads, compares, prints the tables."""
    del argv
    if _OUT.value:  # now: comparing takes long
        require_writable("--out", _OUT.value, is_file=True)
    data = {}
    for name, (root, spec) in sides(_DATA_ROOT.value, _DATA.value).items():
        with tqdm(total=select(root, spec).num_examples, unit="window", desc=name) as bar:
            data[name] = windows_in(root, spec, bar.update)
    report = audited(data)
    print(markdown(report))
    if _OUT.value:
        in_its_folder(_OUT.value).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        print(f"\naudit: {_OUT.value}")
    if _FAIL.value and overlaps(report):
        sys.exit(_OVERLAP)


if __name__ == "__main__":
    run_main(main)
