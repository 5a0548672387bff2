"""XML that would grow, or reach out of itself, is refused."""

import builtins
from pathlib import Path

import pytest
from made_formats import (
    refused,
)

from coreecg_jax.records.formats import xml_files


def test_xml_that_would_grow_or_reach_out_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("defusedxml")
    (tmp_path / "secret").write_text("hidden")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bombs = {
        "laughs": f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><RestingECG>&l9;</RestingECG>',
        "quadratic": f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]><RestingECG>{"&a;" * 10_000}</RestingECG>',
        "file": f'<!DOCTYPE x [<!ENTITY f SYSTEM "file://{tmp_path}/secret">]><RestingECG>&f;</RestingECG>',
        "dtd": f'<!DOCTYPE RestingECG SYSTEM "file://{tmp_path}/secret"><RestingECG>&f;</RestingECG>',
        "parameter": '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]><RestingECG/>',
        "deep": "<RestingECG>" + "<a>" * 100_000,
    }
    opened: list[str] = []
    whole = builtins.open
    monkeypatch.setattr(
        builtins, "open", lambda *args, **kwargs: opened.append(str(args[0])) or whole(*args, **kwargs)
    )
    for name, text in bombs.items():
        (tmp_path / "r.xml").write_text(text)
        assert "hidden" not in refused(tmp_path / "r.xml").sentence, name
    assert not [path for path in opened if path.endswith("secret")]
    monkeypatch.setattr(xml_files, "MAX_ELEMENTS", 100)
    (tmp_path / "r.xml").write_text(f"<RestingECG>{'<a/>' * 101}</RestingECG>")
    assert "100 elements" in refused(tmp_path / "r.xml").sentence
    monkeypatch.setattr(xml_files, "MAX_BYTES", 10)
    assert "at most 10 bytes" in refused(tmp_path / "r.xml").sentence
