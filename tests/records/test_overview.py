"""What a manifest says of a data set's quality is counted right, and the worst come first."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_recordings import LEADS

from coreecg_jax.records.overview import FLAGS, leads_by_flag, read_overview
from coreecg_jax.records.policy import Policy
from coreecg_jax.records.schema import LeadFlag


def line(name: str, *, bits: dict[str, int] | None = None, **measured: Any) -> dict[str, Any]:
    """Of one recording; `bits` of LeadFlag by lead."""
    flags = [int((bits or {}).get(lead, 0)) for lead in LEADS]
    measures = {"baseline_uv": 300.0, "noise_uv": 6.0, "relation_uv": 1.0, "amplitude_uv": 700.0, "nan": {}}
    measures |= {"suspected": {}} | measured
    return {"recording_id": name, "file": name, "status": "read", "flags": flags, "measured": measures}


def manifest(folder: Path, lines: list[dict[str, Any]], settings: dict[str, Any] | None = None) -> Path:
    summary = {"summary": {"settings": Policy().recorded() if settings is None else settings}}
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in (*lines, summary)))
    return path


def test_flags_are_counted_by_recording_and_lead(tmp_path: Path) -> None:
    lines = [
        line("a", bits={"V1": LeadFlag.FLAT | LeadFlag.NAN, "V2": LeadFlag.FLAT}) | {"status": "refused"},
        line("b", bits={"V1": LeadFlag.FLAT}, suspected={"noise": ["V1", "V6"]}),
        line("c", suspected={"noise": ["I"]}, noise_uv=None),
        line("d"),
        {"recording_id": "e", "file": "e", "status": "refused", "reason": "unreadable"},
    ]
    found = read_overview(manifest(tmp_path, lines))
    assert [one["recording_id"] for one in found.unread] == ["e"]
    counts = dict.fromkeys(FLAGS, 0)
    assert found.recordings_by_flag() == counts | {"flat": 2, "nan": 1, "noise": 2}
    assert found.set_aside_by_flag() == counts | {"flat": 1, "nan": 1}
    by_lead = found.leads_by_flag()
    assert dict(zip(LEADS, by_lead["flat"])) == dict.fromkeys(LEADS, 0) | {"V1": 2, "V2": 1}
    assert dict(zip(LEADS, by_lead["noise"])) == dict.fromkeys(LEADS, 0) | {"I": 1, "V1": 1, "V6": 1}
    np.testing.assert_array_equal(found.values("noise_uv"), [6, 6, 6])
    assert leads_by_flag(lines[0]) == {"flat": ["V1", "V2"], "nan": ["V1"]}


def test_the_worst_have_most_flags_then_the_furthest_measure(tmp_path: Path) -> None:
    lines = [
        line("sound"),
        line("noisy", suspected={"noise": ["V1"]}, noise_uv=90.0),
        line("noisier", suspected={"noise": ["V1"]}, noise_uv=300.0),
        line("both", suspected={"noise": ["V1"], "unit": ["V2"]}, noise_uv=61.0),
        line("small", suspected={"unit": list(LEADS)}, amplitude_uv=25.0),
        line("two dead leads", bits={"V1": LeadFlag.FLAT, "V2": LeadFlag.FLAT}),
        line("near", noise_uv=59.0),
        line("nothing", **dict.fromkeys(("baseline_uv", "noise_uv", "relation_uv", "amplitude_uv"))),
    ]
    found = read_overview(manifest(tmp_path, lines))
    names = [one["recording_id"] for one in found.worst(20)]
    assert names == ["both", "small", "noisier", "two dead leads", "noisy", "near", "sound", "nothing"]
    assert [one["recording_id"] for one in found.worst(2)] == names[:2]


def test_other_manifests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is of before there were any: prepare with --overwrite"):
        read_overview(manifest(tmp_path, [], {"bad_lead": "set_aside"}))
    for text, message in (
        ("", "expected a summary"),
        ("{}\n", "expected a summary"),
        ("{\n", "line 1: no JSON"),
    ):
        (tmp_path / "manifest.jsonl").write_text(text)
        with pytest.raises(ValueError, match=message):
            read_overview(tmp_path / "manifest.jsonl")
