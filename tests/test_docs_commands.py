"""Every command of the docs exists with its flags and fields, and is run by a test or marked as not run."""

import importlib
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

from configs import base
from configs.ablation import tables

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Which test runs a launcher from beginning to end, as a process or by its own functions.
RUN_BY = {
    "prepare": "tests/launch/test_prepare.py",
    "pretrain": "tests/launch/test_pretrain.py",
    "evaluate": "tests/launch/test_evaluate.py",
    "compare": "tests/downstream/test_comparison.py",
    "embed": "tests/launch/test_embed.py",
    "export": "tests/launch/test_export.py",
    "fill": "tests/launch/test_fill.py",
    "sweep": "tests/launch/test_sweep.py",
    "demo": "tests/launch/test_demo.py",
    "report": "tests/launch/test_reporting.py",
    "reconstruction": "tests/launch/test_verbs.py",
    "leakage": "tests/launch/test_verbs.py",
    "audit": "tests/downstream/test_overlaps.py",
    "verify": "tests/launch/test_prepare.py",
    "inspect": "tests/launch/test_inspect.py",
    "quality": "tests/launch/test_quality_report.py",
    "overfit": "tests/launch/test_verbs.py",
    "curves": "tests/launch/test_verbs.py",
    "conditions": "tests/launch/test_verbs.py",
    "distributions": "tests/launch/test_verbs.py",
}
# Targets of the Makefile that CI, a test or a person runs (CONTRIBUTING.md says when last).
TARGETS = {
    "setup",
    "lint",
    "test",
    "test-slow",
    "soak",
    "fuzz",
    "demo",
    "bench",
    "results",
    "results-ablation",
}


def commands():
    """(page, command) of each line that stands in a block of code, and of each command in running text."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        blocks = re.findall(r"^    (?:\.venv/bin/)?((?:python -m|make|tensorboard|pip) ?.*)$", text, re.M)
        inline = re.findall(r"`(?:\.venv/bin/)?((?:python -m launch|make|pip install) ?[^`]*)`", text)
        yield from ((page.name, command) for command in [*blocks, *inline])


COMMANDS = list(commands())


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 20
    assert {page for page, _ in COMMANDS} >= {"README.md", "running.md", "data.md"}


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_exists_and_is_run(page: str, command: str) -> None:
    words = shlex.split(command.partition("#")[0])
    if words[:2] == ["python", "-m"] and words[2].startswith("launch."):
        verb = words[2].removeprefix("launch.").rstrip(":")
        if verb != "VERB":
            assert_flags(verb, words[3:])
            assert (ROOT / RUN_BY[verb]).is_file(), f"no test runs launch.{verb}"
    elif words[0] == "make":
        for target in words[1:]:
            if "=" not in target:
                assert target in TARGETS
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M), target


def assert_flags(verb: str, words: list[str]) -> None:
    """Each flag is one that the launcher defines, each config file and field is there."""
    source = (ROOT / "launch" / f"{verb}.py").read_text(encoding="utf-8")
    defined = set(re.findall(r'(?:DEFINE|define)_\w+\(\s*"(\w+)"', source))
    files = [word.partition("=")[2] for word in words if word.startswith("--config=")]
    fields = {
        "config": (config_of(files[0]) if files else base).get_config().to_dict(),
        "tables": tables.get_config().to_dict(),
    }
    for word in words:
        name = word.lstrip("[-").rstrip("]").partition("=")[0]
        if name.startswith(("config.", "tables.")):
            group, *parts = name.split(".")
            node = fields[group]
            for part in parts:
                if part == "FIELD":
                    break
                node = node[part]
        elif word.startswith("--"):
            assert name.removeprefix("no") in defined or name in defined, f"launch.{verb} has no --{name}"


def config_of(file: str) -> ModuleType:
    """The module of a file of configs/."""
    return importlib.import_module(file.removesuffix(".py").replace("/", "."))
