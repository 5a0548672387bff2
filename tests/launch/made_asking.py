"""A task of three sources, asked without data, encoders or methods."""

from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.downstream.tasks import Task
from launch import evaluating
from launch.evaluating import Asked

SOURCES = ("a", "b", "c")
REPORT = {name: {} for name in ("task", "protocol", "probe", "train", "test", "methods", "scores")}


def asked_by(tmp_path, task, **changes):
    return Asked(task, tmp_path, tmp_path / "openings.jsonl", **changes)


def lie(monkeypatch):
    """Data set -> digest of its manifest, of what lies in any folder."""
    there = {source: f"digest of {source}" for source in SOURCES}
    monkeypatch.setattr(evaluating, "manifests_of", lambda root, task: dict(there))
    return there


def hold_out(tmp_path, monkeypatch):
    """A task of three sources; which were opened; and at which the machine stops."""
    opened, stops = [], []

    def other_sources(task, root, methods, subset, seal, encoders, *, sources):
        for source in sources:
            opened.append(source)
            yield source, source
            if source in stops:
                raise KeyboardInterrupt

    def report(found, encoders, probe):
        if found == "b":
            raise TooFewRecordings("too few")
        return REPORT | {"encoders": [], "source": found}

    monkeypatch.setattr(evaluating, "other_sources", other_sources)
    monkeypatch.setattr(evaluating, "report", report)
    monkeypatch.setattr(evaluating, "predictions_of", lambda found: found)
    monkeypatch.setattr(evaluating, "write_predictions", lambda found, file: written(file, found))
    monkeypatch.setattr(evaluating, "markdown", lambda numbers: "")
    monkeypatch.setattr(evaluating, "transfer_markdown", lambda reports: ", ".join(reports))
    return asked_by(tmp_path, Task("made", "ptbxl_superclass", sources=SOURCES)), opened, stops


def written(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
