"""The list of tasks: every label set, on data that exist."""

import pytest

from configs import real_2core
from configs.downstream import tasks
from coreecg_jax.downstream.shared_splits import shared_splits
from coreecg_jax.downstream.tasks import Task, tasks_of
from coreecg_jax.inputs.selection import named_splits
from coreecg_jax.records.databases import simulated
from coreecg_jax.records.databases.catalogue import DATABASES
from coreecg_jax.records.label_sets import NAMES

TASKS = tasks_of(tasks.get_config().to_dict())
LABEL_SETS = {name: database.label_sets for name, database in DATABASES.items()}
LABEL_SETS["simulated"] = simulated.LABEL_SETS


def test_every_label_set_has_a_task():
    assert {task.label_set for task in TASKS.values()} == set(NAMES)


def test_tasks_are_on_databases_that_have_their_labels():
    for task in TASKS.values():
        for spec in (task.train, task.validation, task.test, *task.sources):
            for split in named_splits(spec) if spec else ():
                database = split.partition(":")[0]
                shared = task.label_set == "shared_findings"  # of several databases, of none by itself
                assert shared or task.label_set in LABEL_SETS[database], task


def test_what_is_asked_about_is_not_fitted():
    for task in TASKS.values():
        parts = [set(named_splits(spec)) for spec in (task.train, task.validation, task.test) if spec]
        assert len(set().union(*parts)) == sum(map(len, parts)), task


def test_a_test_without_a_name_is_refused():
    with pytest.raises(ValueError, match=r"^task mine: expected test to name data, got '': name those that"):
        Task("mine", "codes", "mine:fold1", test="")
    assert Task("mine", "codes", "mine").test is None


def test_a_validation_set_that_nothing_would_be_chosen_by_is_refused():
    mine = {"label_set": "codes", "train": "mine:fold1", "validation": "mine:fold2"}
    with pytest.raises(ValueError, match=r"^task mine: expected test beside validation 'mine:fold2'"):
        tasks_of({"mine": mine})
    assert tasks_of({"mine": mine | {"test": "mine:fold3"}})["mine"].validation == "mine:fold2"


def test_what_a_run_is_watched_by_has_no_validation_set():
    task = TASKS[real_2core.get_config().run.probe_task]
    assert task.test
    scored = task.validation or task.train  # by the development that is proposed at its end
    tests = {name: spec for name, other in TASKS.items() for spec in (other.test, *other.sources) if spec}
    shared = {name for name, spec in tests.items() if shared_splits(scored, spec)}
    assert shared <= {"other_hospital", "cinc2021"}  # which hold out whole databases, and so say it
