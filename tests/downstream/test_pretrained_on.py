"""What of a test the encoder was pretrained on is refused or said."""

import dataclasses

import pytest
from made_cohorts import made_encoder, made_recordings
from made_tasks import TASK, two_methods

from coreecg_jax.downstream import pretrained_on, results, tables
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.overlaps import windows_of
from coreecg_jax.downstream.pretrained_on import require_unseen, seen_in_pretraining
from coreecg_jax.downstream.protocol import evaluate
from coreecg_jax.downstream.provenance import Overlap


@dataclasses.dataclass
class OnDisk:
    """Stands for a selected data set: its digest is of its folder's name."""

    root: str

    def manifest_digests(self):
        return {"made": f"digest of {self.root}"}


@pytest.fixture
def roots(monkeypatch):
    """Folder of data sets -> what lies there, whatever the specification; 'gone' is nowhere."""
    there = {}

    def select(root, spec):
        if root not in there or spec == "gone":
            raise FileNotFoundError(spec)
        return OnDisk(root)

    monkeypatch.setattr(pretrained_on, "select", select)
    monkeypatch.setattr(pretrained_on, "windows_in", lambda root, spec: windows_of(there[root]))
    return there


def test_recordings_of_the_test_are_refused_or_said(data, seal, roots):
    sets, _ = data
    roots["root"] = sets["test"]
    seen = [made_encoder()]
    with pytest.raises(ValueError, match=r"runs/0 was pretrained on 80 recordings of the test \(test\)"):
        evaluate(TASK, "root", two_methods, Subset(), seal, seen)
    allowed = dataclasses.replace(seal, allow_overlap=True)
    numbers = results.report(evaluate(TASK, "root", two_methods, Subset(), allowed, seen), seen)
    counted = {"recordings": 80, "patients": 80, "signals": 80, "alike": 0, "changed": False}
    assert numbers["pretrained_on_test"] == {"runs/0": counted}
    assert "runs/0 saw 80 recordings of the test in pretraining" in tables.markdown(numbers)
    assert (
        "**Incomplete: without untrained encoder, supervised from scratch.** Left out by --beside: "
        "launch.evaluate asks for all without that flag and, as this test was opened, with --allow_retest.\n"
    ) in tables.markdown(numbers)
    assert "launch.evaluate asks for all without that flag.\n" in tables.markdown(numbers | {"opening": None})


def test_other_recordings_of_its_patients_are_refused_too(roots):
    asked, others = made_recordings(4), made_recordings(4, first=50)
    patients = others.patient_id.astype("U8")
    patients[:3] = "p0", "p0", "p2"
    roots["root"] = dataclasses.replace(others, patient_id=patients)
    seen = seen_in_pretraining([made_encoder()], "root", asked)
    assert seen == {"runs/0": Overlap(0, 2, 0, 0)}
    with pytest.raises(ValueError, match="runs/0 was pretrained on 2 others of known patients of the test"):
        require_unseen(seen, "test")


def test_data_are_found_where_the_run_had_them(roots):
    asked = made_recordings(4)
    at_home = dataclasses.replace(made_encoder(), data_root="home", data_digests={"made": "digest of home"})
    assert seen_in_pretraining([at_home], "root", asked) == {"runs/0": None}
    roots["root"] = made_recordings(4, first=50)  # of the same name, and nothing like it
    assert seen_in_pretraining([at_home], "root", asked) == {"runs/0": Overlap(0, 0, 0, 0, changed=True)}
    roots["home"] = asked
    assert seen_in_pretraining([at_home], "root", asked) == {"runs/0": Overlap(4, 4, 4, 0)}


def test_what_cannot_be_told_is_said(data, seal, roots):
    sets, _ = data
    roots["root"] = sets["train"]
    changed = dataclasses.replace(made_encoder(), data_digests={"made": "digest of another"})
    seen = [changed, made_encoder(seed=1, trained_on="gone")]
    text = tables.markdown(results.report(evaluate(TASK, "root", two_methods, Subset(), seal, seen), seen))
    assert "runs/0: the data of that name are not those that it was trained on" in text
    assert "runs/1: its pretraining data are not at hand: cannot tell" in text
