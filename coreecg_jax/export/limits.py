"""Between which bounds each number of `config.json` lies: beyond them is damage or malice, no encoder.

They are generous: each is several times what any config of this project has. Numbers within them are still
numbers of whoever wrote the file; they only cannot ask for more memory or time than an encoder may need.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

_COUNT = 2**16  # of what has a tensor in the file, whose size is checked against it
_MILLIVOLTS = (0.0, 1e6)

# Field, without numbers of items and keys -> least and most. Every number of a description stands here.
LIMITS: Mapping[str, tuple[float, float]] = {
    "network.patch": (1, 2**12),  # samples; indices of patch times kernel_length are laid out at once
    "network.width": (2, _COUNT),
    "network.depth": (1, _COUNT),
    "network.heads": (1, 2**10),
    "network.decoder_width": (2, _COUNT),
    "network.decoder_depth": (1, _COUNT),
    "network.decoder_heads": (1, 2**10),
    "network.registers": (0, 2**10),
    "network.projection": (1, _COUNT),
    "network.kernels": (0, _COUNT),
    "network.kernel_length": (0, 2**12),  # taps
    "preprocessing.sampling_rate": (10.0, 1e4),  # Hz
    "preprocessing.window_seconds": (1.0, 3600.0),
    "preprocessing.high_pass": (1e-3, 5e3),  # Hz
    "preprocessing.low_pass": (1e-3, 5e3),  # Hz
    "preprocessing.filter_order": (1, 20),
    "preprocessing.microvolts_per_unit": (1e-6, 1e6),
    "normalisation.smallest_scale": (1e-9, 1e3),  # mV
    "normalisation.typical_scale": (1e-9, 1e3),  # mV
    "representation.crop_samples": (1, 2**17),
    "representation.crops": (1, 64),  # of a window, all computed at once
    "training.step": (0, 2**53),
    "training.seed": (-(2**63), 2**63 - 1),
    "training.crop_samples": (1, 2**17),
    "training.target_floor": (1e-9, 1e6),
    "training.fewest_leads": (1, 12),
    "accuracy.macro_auroc": (0.0, 1.0),
    "accuracy.low": (0.0, 1.0),
    "accuracy.high": (0.0, 1.0),
    "accuracy.beside": (0.0, 1.0),
    "recovery.windows": (1, 2**53),
    "recovery.hidden": (0.0, 3600.0),  # s
    "recovery.error": _MILLIVOLTS,
    "recovery.flat": _MILLIVOLTS,
}
MOST_WINDOW_SAMPLES = 2**17  # more than four minutes at 500 Hz; twelve leads of it are 6 MB
MOST_COLUMNS = 2**10  # patches of a crop: attention grows with the square of their number


def require_in_limits(value: Any, field: str = "") -> None:
    """Looks at every number in `value`: a dataclass, mapping, sequence, or a number itself.

    Args:
      value: a part of a description; booleans, texts and None are no numbers.
      field: its name, as in `LIMITS`; '' of the whole.

    Raises:
      ValueError: naming the field, what was expected and what was got.
    """
    for kind, where, number in _numbers(value, field, field):
        least, most = LIMITS[kind]
        if not least <= number <= most:
            raise ValueError(f"{where}: expected {least:.17g} to {most:.17g}, got {str(number)[:60]}")


def _numbers(value: Any, kind: str, where: str) -> Iterator[tuple[str, str, int | float]]:
    """Each number with its field in `LIMITS` and the place where it stands."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield kind, where, value
    elif dataclasses.is_dataclass(value):
        for name in (field.name for field in dataclasses.fields(value)):
            inner = getattr(value, name)
            yield from _numbers(inner, _joined(kind, name), _joined(where, name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            own = f"{kind}.{name}"
            yield from _numbers(inner, own if own in LIMITS else kind, f"{where}.{name}")
    elif isinstance(value, tuple | list):
        for number, inner in enumerate(value):
            yield from _numbers(inner, kind, f"{where}[{number}]")


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
