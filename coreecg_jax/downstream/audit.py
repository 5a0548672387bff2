"""Which recordings, patients and signals stand in two data sets, or twice in one."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from coreecg_jax.downstream.overlaps import Pair, Windows, same_signals

Report = dict[str, Any]


def audited(data: Mapping[str, Windows]) -> Report:
    """Every data set by itself, and every two of them; ready for `json.dumps`."""
    within = [_compared(name, name, windows, None) for name, windows in data.items()]
    between = [
        _compared(one, other, data[one], data[other]) for one, other in itertools.combinations(data, 2)
    ]
    return {
        "data": {name: _counted(windows) for name, windows in data.items()},
        "compared": [*within, *between],
    }


def overlaps(report: Report) -> bool:
    """Whether a recording, patient or signal stands in two of the data sets."""
    counted = ("recordings", "patients", "exact", "near")
    return any(row[name] for row in report["compared"] if row["first"] != row["second"] for name in counted)


def _counted(windows: Windows) -> Report:
    names, patients, _ = windows.recordings()
    findable = np.unique(windows.names[windows.prints.usable])
    return {
        "recordings": len(names),
        "patients": len(np.unique(patients)),
        "windows": len(windows.names),
        "without_fingerprint": len(names) - len(findable),
    }


def _compared(first: str, second: str, ones: Windows, others: Windows | None) -> Report:
    """Recordings and patients in both, and the pairs of recordings that are one signal."""
    pairs = same_signals(ones, others)
    shared = (0, 0)
    if others is not None:
        shared = tuple(
            len(np.intersect1d(one, other))
            for one, other in ((ones.names, others.names), (ones.patients, others.patients))
        )
    return {
        "first": first,
        "second": second,
        "recordings": shared[0],
        "patients": shared[1],
        "exact": sum(pair.exact for pair in pairs),
        "near": sum(not pair.exact for pair in pairs),
        "pairs": [_pair(pair) for pair in pairs],
    }


def _pair(pair: Pair) -> Report:
    known = {"first": pair.first, "second": pair.second, "exact": pair.exact, "one_patient": pair.one_patient}
    if pair.like is None:
        return known
    numbers = {"shift_seconds": pair.shift, **pair.like._asdict()}
    return known | {
        name: round(value, 4) if isinstance(value, float) else value for name, value in numbers.items()
    }


def markdown(report: Report) -> str:
    """The tables of an audit: what was compared, what was found, and the first pairs of each."""
    lines = ["| data | recordings | patients | windows | without fingerprint |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {name} | " + " | ".join(str(count) for count in row.values()) + " |"
        for name, row in report["data"].items()
    ]
    lines += ["", "| data | same recordings | same patients | exact duplicates | near duplicates |"]
    lines.append("|---|---:|---:|---:|---:|")
    for row in report["compared"]:
        alone = row["first"] == row["second"]
        name = f"within {row['first']}" if alone else f"{row['first']} and {row['second']}"
        shared = ("–", "–") if alone else (row["recordings"], row["patients"])
        lines.append(f"| {name} | {shared[0]} | {shared[1]} | {row['exact']} | {row['near']} |")
    shown = [pair for row in report["compared"] for pair in row["pairs"]]
    if shown:
        lines += ["", "| one signal | | how | patient |", "|---|---|---|---|"]
        lines += [_line(pair) for pair in shown[:_SHOWN]]
    if len(shown) > _SHOWN:
        lines.append(f"\nand {len(shown) - _SHOWN} more: --out writes all of them")
    return "\n".join(lines)


_SHOWN = 50


def _line(pair: Report) -> str:
    how = "exact"
    if not pair["exact"]:
        order = "" if pair["leads_in_order"] else ", leads in another order"
        how = (
            f"shifted by {pair['shift_seconds']:.2f} s, gain {pair['gain']:.2f}, "
            f"r {pair['correlation']:.3f}{order}"
        )
    patient = "the same" if pair["one_patient"] else "another"
    return f"| {pair['first']} | {pair['second']} | {how} | {patient} |"
