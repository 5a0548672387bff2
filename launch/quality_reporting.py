"""From the manifest of a data set, and its recordings, to the page of its quality."""

import collections
import os
import tempfile
from pathlib import Path
from typing import Any

from coreecg_jax.figures.quality import (
    FlagShown,
    MeasureShown,
    QualityShown,
    WorstShown,
    quality_figure,
    quality_page,
)
from coreecg_jax.records import overview, quality
from coreecg_jax.records.conditioning import MIN_WINDOW_SECONDS
from coreecg_jax.records.databases import simulated
from coreecg_jax.records.databases.catalogue import DATABASES
from coreecg_jax.records.databases.listing import Read
from coreecg_jax.records.formats.files import folder_reader
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.measures import invalid_in_words
from coreecg_jax.records.overview import Overview, read_overview
from coreecg_jax.records.refusals import RecordingRefused
from coreecg_jax.records.schema import MANIFEST_FILE
from coreecg_jax.records.shards import VERSION
from coreecg_jax.records.spelling import with_guess
from coreecg_jax.records.suspicions import in_words, power_of_ten

_WORST = 10
_SECONDS = 10.0  # drawn of each
_RANKING = (
    "Most different flags first; among equals by the number of faulty leads and by how many times the "
    "furthest measure exceeds its limit. Drawn is what the file holds, before any filter."
)


def write_quality_page(
    out: Path, data_root: Path, data: str, *, source: Path | None = None, database: str | None = None
) -> Path:
    """Writes the page, and its figure as PNG beside it, each whole or not at all; returns the PNG.

    Args:
      out: HTML file.
      data_root: of data sets.
      data: name of one.
      source: of its recordings, where they shall be drawn.
      database: whose layout the source has; the data set's name, or `folder`, where None.

    Raises:
      FileNotFoundError, ValueError: when there is no such data set, source or database.
    """
    manifest = data_root / data / VERSION / MANIFEST_FILE
    if not manifest.is_file():
        there = sorted(path.parents[1].name for path in data_root.glob(f"*/{VERSION}/{MANIFEST_FILE}"))
        known = f"there are {', '.join(there)}" if there else "there is none"
        raise FileNotFoundError(
            f"--data={data}: expected a data set in {data_root}, {known}: prepare it first, or change "
            "--data_root"
        )
    if out.suffix.lower() != ".html":
        raise ValueError(f"--out: expected a file named .html, got {out}")
    found = read_overview(manifest)
    read = _reader(source, database or (data if data in _DATABASES else "folder")) if source else None
    shown = _shown(data, found, read)
    picture = out.with_suffix(".png")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".quality-") as staging:
        page, drawn = (Path(staging) / path.name for path in (out, picture))
        page.write_text(quality_page(shown), encoding="utf-8")
        quality_figure(shown).savefig(drawn, dpi=120, metadata={"Software": None})
        os.replace(page, out)
        os.replace(drawn, picture)
    return picture


_DATABASES = (*DATABASES, simulated.NAME)


def _reader(source: Path, database: str) -> Read:
    if database == simulated.NAME:
        return simulated.read
    if not source.is_dir():
        raise FileNotFoundError(f"--source: expected the folder of the recordings, {source} is none")
    if database in DATABASES:
        return DATABASES[database].list_recordings(source).read
    if database not in ("folder", "wfdb_folder"):
        known = (*_DATABASES, "folder")
        raise ValueError(f"--database: expected one of {', '.join(known)}, got {with_guess(database, known)}")
    return folder_reader(source)


def _shown(name: str, found: Overview, read: Read | None) -> QualityShown:
    settings = found.summary["settings"]
    recordings, aside = found.recordings_by_flag(), found.set_aside_by_flag()
    by_lead = found.leads_by_flag()
    flags = [
        FlagShown(
            flag,
            meaning,
            recordings[flag],
            aside[flag],
            settings[f"policy.{flag}"],
            by_lead[flag],
        )
        for flag, meaning in _meanings(found.limits).items()
    ]
    worst = found.worst(_WORST) if read else []
    return QualityShown(
        name=name,
        lead=_lead(found),
        facts=_facts(found),
        measured=len(found.lines),
        flags=flags,
        measures=_measures(found),
        refused=_refused(found),
        worst=[_drawn(line, read) for line in worst] if read else [],
        ranking=_RANKING if read else "Nothing is drawn without --source, the folder of the recordings.",
        leads=LEADS,
        commands=_commands(name, worst),
    )


def _meanings(limits: dict[str, float]) -> dict[str, str]:
    """Flag -> where it is raised."""
    return {
        "missing": "the file does not hold the lead",
        "nan": "a sample of the lead is invalid",
        "flat": f"within {1000 * quality.FLAT_MILLIVOLTS:g} µV for {quality.FLAT_SECONDS:g} s",
        "saturated": f"stands at its highest or lowest value, {quality.RAIL_MILLIVOLTS:g} mV or more from "
        f"its median, for {quality.RAIL_SHARE:.0%} of the time",
        "baseline_wander": f"the means of seconds range over more than {limits['baseline_uv']:g} µV",
        "noise": f"more than {limits['noise_uv']:g} µV (robust standard deviation) faster than 40 Hz",
        "limb_lead_relation": "differs from what I and II make of it by more than "
        f"{limits['relation_uv']:g} µV (99th percentile; Einthoven, Goldberger)",
        "arms_reversed": "I is inverted against V6",
        "right_arm_and_leg_reversed": "II is inverted and aVR upright against V6",
        "unit": f"amplitude of the median lead outside {limits['smallest_amplitude_uv']:g} to "
        f"{limits['largest_amplitude_uv']:g} µV, or a lead {limits['lead_ratio']:g} times larger or smaller",
    }


def _measures(found: Overview) -> list[MeasureShown]:
    limits = found.limits
    about = {
        "baseline_uv": (
            "baseline wander (µV)",
            "range of the means over a second, worst lead",
            ("baseline_uv",),
        ),
        "noise_uv": ("noise (µV)", "robust standard deviation faster than 40 Hz, worst lead", ("noise_uv",)),
        "relation_uv": (
            "Einthoven residual (µV)",
            "99th percentile of what a limb lead differs from what I and II make of it, worst lead",
            ("relation_uv",),
        ),
        "amplitude_uv": (
            "amplitude (µV)",
            "99th percentile of |lead − its median|, median lead",
            ("smallest_amplitude_uv", "largest_amplitude_uv"),
        ),
    }
    return [
        MeasureShown(title, meaning, found.values(name), tuple(limits[limit] for limit in names))
        for name, (title, meaning, names) in about.items()
    ]


def _lead(found: Overview) -> str:
    counts = found.summary
    flagged = sum(bool(overview.leads_by_flag(line)) for line in found.lines)
    return (
        f"{counts['read']:,} of {counts['read'] + counts['refused']:,} recordings were kept, "
        f"{counts['refused']:,} set aside. {flagged:,} of the {len(found.lines):,} that could be measured "
        "have at least one flag. A flag is a suspicion, not a finding: nobody has looked at these recordings."
    )


def _facts(found: Overview) -> list[tuple[str, str]]:
    counts, settings = found.summary, found.summary["settings"]
    return [
        ("Recordings listed", f"{settings['recordings_listed']:,}"),
        ("Missing", f"{counts['missing']:,} (of the database, not in this copy)"),
        ("Kept", f"{counts['read']:,} recordings, {counts['windows']:,} windows"),
        ("Set aside", f"{counts['refused']:,}, of which {len(found.unread):,} could not be measured"),
        ("With masked leads", f"{counts['with_masked_leads']:,} recordings"),
        ("One signal twice", f"{counts['repeated_signals']:,} recordings"),
        ("In no window", f"{counts['dropped_seconds']:,.1f} s"),
        ("Shortest allowed", f"{MIN_WINDOW_SECONDS:g} s"),
    ]


def _refused(found: Overview) -> dict[str, tuple[int, str]]:
    first: dict[str, str] = {}
    counts: collections.Counter[str] = collections.Counter()
    for line in (*found.lines, *found.unread):
        if line["status"] == "refused":
            counts[line["reason"]] += 1
            first.setdefault(line["reason"], f"{line['recording_id']}: {line['sentence']}")
    return {reason: (count, first[reason]) for reason, count in counts.most_common()}


def _drawn(line: dict[str, Any], read: Read) -> WorstShown:
    title, said = line["recording_id"], _said(line)
    try:
        raw = read(line["file"])
    except RecordingRefused as refusal:
        return WorstShown(title, said, None, 0.0, refusal.sentence)
    missing = line["measured"]["nan"].values()
    first = round(
        max(0.0, min((one["first_second"] for one in missing), default=0.0) - 1) * raw.sampling_rate
    )
    shown_LT = raw.ecg_LT[:, first : first + round(_SECONDS * raw.sampling_rate)]
    seconds = raw.ecg_LT.shape[1] / raw.sampling_rate
    title += (
        f", seconds {first / raw.sampling_rate:g} to {(first + shown_LT.shape[1]) / raw.sampling_rate:g} "
    )
    title += f"of {seconds:.4g}"
    if power := power_of_ten(line["measured"]):
        title += f", divided by {10.0**power:g}"
    return WorstShown(title, said, shown_LT / 10.0**power, raw.sampling_rate)


def _said(line: dict[str, Any]) -> str:
    measures = line["measured"]
    flags = in_words(line["flags"], measures["suspected"]) or "no flag"
    became = f"set aside ({line['reason']})" if line["status"] == "refused" else "kept"
    names = ("baseline wander", "noise", "Einthoven residual", "amplitude")
    numbers = [
        f"{name} {measures[measure]:,.0f} µV"
        for name, measure in zip(names, overview.MEASURES)
        if measures[measure] is not None
    ]
    invalid = invalid_in_words(measures["nan"])
    return f"{flags}. It was {became}. Measured: {', '.join(numbers) or 'nothing'}." + (
        f" Invalid: {invalid}." if invalid else ""
    )


def _commands(name: str, worst: list[dict[str, Any]]) -> list[str]:
    file = worst[0]["file"] if worst else "FILE"
    first = f"{file} --database={name} --source=SOURCE" if name in DATABASES else f"SOURCE/{file}"
    return [
        f"python -m launch.inspect {first} --out=one.png",
        f"python -m launch.prepare --database=… --source=SOURCE --name={name} --config=configs/quality.py "
        "--config.policy.noise=mask --out=other",
    ]
