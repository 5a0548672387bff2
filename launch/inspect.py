"""Draws a recording on ECG paper, with what is wrong with it and what it measures, into a PNG.

python -m launch.inspect hospital/rec.hea [--out=rec.png] [--start=20]
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from coreecg_jax.figures.ecg_paper import Trace, draw_ecg
from coreecg_jax.records.formats.files import SUFFIXES, read_recording
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.one_recording import looked_at
from coreecg_jax.records.policy import Policy
from coreecg_jax.records.suspicions import in_words, power_of_ten
from launch.shell import run_main

_OUT = flags.DEFINE_string("out", None, "PNG file; default: the recording's name in this folder.")
_START = flags.DEFINE_float("start", 0.0, "Second from which 10 s are drawn.", lower_bound=0.0)
_SECONDS = 10.0


def main(argv: Sequence[str]) -> None:
    """Reads one recording, draws it and says the same in words."""
    if len(argv) != 2:
        raise ValueError(f"expected one recording (a file, of WFDB its header), got {len(argv) - 1}")
    path = Path(argv[1])
    if path.suffix.lower() not in SUFFIXES and path.with_suffix(".hea").is_file():
        path = path.with_suffix(".hea")
    raw = read_recording(path)
    first, last = (round(second * raw.sampling_rate) for second in (_START.value, _START.value + _SECONDS))
    shown_LT = raw.ecg_LT[:, first:last]
    if shown_LT.shape[1] < raw.sampling_rate:
        end = raw.ecg_LT.shape[1] / raw.sampling_rate - 1
        raise ValueError(f"--start: expected at most {end:g}, a second before the end, got {_START.value:g}")
    if not raw.present_L.any():
        raise ValueError(
            f"expected one of {', '.join(LEADS)}, got {', '.join(raw.ignored_signals) or 'none'}"
        )
    flags_L, measures, _ = looked_at(raw, Policy())
    power, unknown = power_of_ten(measures), ", ".join(raw.ignored_signals)
    title = f"{path.stem}, divided by {10.0**power:g}" if power else path.stem
    note = in_words(flags_L.tolist(), measures.pop("suspected")) or "nothing suspected"
    note += f"; not drawn: {unknown}" if unknown else ""
    trace = Trace(path.stem, shown_LT / 10.0**power)
    figure = draw_ecg(
        [trace], sampling_rate=raw.sampling_rate, leads=LEADS, title=title, note=note, own_scales=True
    )
    out = Path(_OUT.value or f"{path.stem}.png")
    figure.savefig(out, dpi=120)
    print(f"{note}\n{', '.join(f'{name} {value}' for name, value in measures.items())}\ndrawn: {out}")


if __name__ == "__main__":
    run_main(main, files=True)
