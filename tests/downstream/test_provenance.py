"""Digests of the code behind a result."""

import pytest

from coreecg_jax.downstream import provenance
from coreecg_jax.training import own_code


@pytest.mark.parametrize(
    ("changed", "of_result", "of_features"),
    [("coreecg_jax", True, True), ("configs", True, False), ("launch", True, False), ("docs", False, False)],
)
def test_a_result_rests_on_configs_and_launchers_too(tmp_path, monkeypatch, changed, of_result, of_features):
    for name in ("coreecg_jax", "configs", "launch", "docs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("before")
    monkeypatch.setattr(own_code, "root", lambda: tmp_path)
    before = provenance.code()["digest"], own_code.digest_of_code()
    (tmp_path / changed / "a.py").write_text("after")
    after = provenance.code()["digest"], own_code.digest_of_code()
    assert tuple(one != other for one, other in zip(before, after)) == (of_result, of_features)
