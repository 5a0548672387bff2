"""What a manifest says of the quality of a data set: counts by flag and lead, what is measured, the worst."""

import collections
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.schema import LeadFlag
from coreecg_jax.records.suspicions import Suspicion

MEASURES = ("baseline_uv", "noise_uv", "relation_uv", "amplitude_uv")
FLAGS = (*(str(flag.name).lower() for flag in LeadFlag if flag <= LeadFlag.NAN), *map(str, Suspicion))


@dataclasses.dataclass(frozen=True)
class Overview:
    """Of one prepared data set."""

    summary: dict[str, Any]  # the manifest's last line
    lines: tuple[dict[str, Any], ...]  # of the recordings that were measured
    unread: tuple[dict[str, Any], ...]  # of those that could not be: refused before

    @property
    def limits(self) -> dict[str, float]:
        """Those of the policy that the data set was prepared with."""
        settings = self.summary["settings"].items()
        return {key.removeprefix("limits."): value for key, value in settings if key.startswith("limits.")}

    def recordings_by_flag(self) -> dict[str, int]:
        """Flag -> recordings that have it, in the order of `FLAGS`."""
        counts = collections.Counter(flag for line in self.lines for flag in leads_by_flag(line))
        return {flag: counts[flag] for flag in FLAGS}

    def set_aside_by_flag(self) -> dict[str, int]:
        """The same of recordings that were set aside, for this flag or for another reason."""
        aside = (line for line in self.lines if line["status"] == "refused")
        counts = collections.Counter(flag for line in aside for flag in leads_by_flag(line))
        return {flag: counts[flag] for flag in FLAGS}

    def leads_by_flag(self) -> dict[str, list[int]]:
        """Flag -> recordings that have it in each lead, in the order of LEADS."""
        counts = collections.Counter(
            (flag, lead)
            for line in self.lines
            for flag, leads in leads_by_flag(line).items()
            for lead in leads
        )
        return {flag: [counts[flag, lead] for lead in LEADS] for flag in FLAGS}

    def values(self, measure: str) -> np.ndarray:
        """float64[recordings of which there is one], in microvolts."""
        found = [line["measured"][measure] for line in self.lines]
        return np.array([value for value in found if value is not None], np.float64)

    def worst(self, most: int) -> list[dict[str, Any]]:
        """Lines of the recordings with most flags; among equals, of those furthest beyond a limit."""
        return sorted(self.lines, key=self._badness, reverse=True)[:most]

    def _badness(self, line: Mapping[str, Any]) -> tuple[int, float]:
        limits, measures = self.limits, line["measured"]
        beyond = [(measures[name] or 0.0) / limits[name] for name in MEASURES[:3]]
        if amplitude := measures["amplitude_uv"]:
            beyond += [
                amplitude / limits["largest_amplitude_uv"],
                limits["smallest_amplitude_uv"] / amplitude,
            ]
        bad_leads = sum(bits != 0 for bits in line["flags"])
        return len(leads_by_flag(line)), bad_leads + max(beyond)


def leads_by_flag(line: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """The flags of one recording and the leads that have them."""
    faults = {
        str(flag.name).lower(): [lead for lead, bits in zip(LEADS, line["flags"]) if bits & flag]
        for flag in LeadFlag
    }
    return {flag: leads for flag, leads in faults.items() if leads} | line["measured"]["suspected"]


def read_overview(manifest: Path) -> Overview:
    """The whole manifest.

    Raises:
      ValueError: when it is none, or of before refused recordings were measured, too.
    """
    lines = []
    with manifest.open(encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError as error:
                raise ValueError(f"{manifest}, line {number}: no JSON ({error}): prepare again") from error
    summary = lines.pop().get("summary") if lines else None
    if summary is None:
        raise ValueError(f"{manifest}: expected a summary in the last line, found none: prepare again")
    if "policy.noise" not in summary["settings"]:
        raise ValueError(
            f"{manifest}: expected a policy and the measures of refused recordings, it is of before there "
            "were any: prepare with --overwrite"
        )
    measured = tuple(line for line in lines if "measured" in line)
    return Overview(summary, measured, tuple(line for line in lines if "measured" not in line))
