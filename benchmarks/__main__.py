"""Measures and prints one Markdown table.

python -m benchmarks [--only=prepare,step,embed] [--source=FOLDER]
Without --only: those that take minutes. sizes, peer, placement, corpus and shares are asked for by name.
Exit status 1 where a row says that it failed, or was skipped though it was asked for by name.
"""

import datetime
import sys
from collections.abc import Sequence

from absl import app, flags

from benchmarks import machine
from benchmarks.table import HEAD, isolated, printed

# Module, function and arguments of each, by the name that --only knows.
PARTS = {
    "prepare": (("preparing", "conditioning"), ("preparing", "whole")),
    "pipeline": (("input_pipeline", "stream"),),
    "step": (("train_step", "step", "Ti"), ("train_step", "step", "S")),
    "sizes": tuple(
        ("train_step", "step", size, share) for size in ("Ti", "S", "B") for share in ("1/4", "1", "4")
    ),
    "peer": (("against_torch", "steps", "S"), ("against_torch", "steps", "B")),
    "placement": (("placements", "runs", "host"), ("placements", "runs", "device")),
    "corpus": (("corpus_loading", "loading"),),
    "shares": (("reading_together", "shares"),),
    "embed": (("embedding", "formats", "S"), ("embedding", "until_first", "S")),
    "start": (("starting", "fresh_processes"),),
}

USUAL = ("prepare", "pipeline", "step", "embed", "start")

_ONLY = flags.DEFINE_list("only", list(USUAL), f"Which of {', '.join(PARTS)}.")
_SOURCE = flags.DEFINE_string("source", "", "Folder of WFDB records to prepare; synthetic ones where empty.")


def main(argv: Sequence[str]) -> None:
    """Prints each row as it comes."""
    del argv
    unknown = sorted(set(_ONLY.value) - set(PARTS))
    if unknown:
        print(f"error: --only: expected of {', '.join(PARTS)}, got {', '.join(unknown)}", file=sys.stderr)
        sys.exit(2)
    (device,) = isolated("device", "", "machine", "device")
    print(f"{datetime.date.today()}, {machine.describe(device.result)}\n\n{HEAD}", flush=True)
    failed = device.failed
    for benchmark in _ONLY.value:
        for module, function, *arguments in PARTS[benchmark]:
            if benchmark == "prepare":
                arguments.append(_SOURCE.value)
            setting = " ".join(arguments[:1]) or function
            rows = isolated(benchmark, setting, module, function, *arguments)
            failed |= printed(rows, asked=_ONLY.present > 0)
    sys.exit(failed)


if __name__ == "__main__":
    app.run(main)
