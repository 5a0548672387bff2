"""Two real processes of one run, without a model: what they agree on, and a checkpoint of both."""

import pytest
from made_processes import run_together

from coreecg_jax.training.processes import anywhere, as_first, sharing, texts

TOGETHER = """
import contextlib, jax, numpy as np
from pathlib import Path
from orbax.checkpoint._src.multihost import multihost
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from coreecg_jax.training.mesh import place, put
from coreecg_jax.locks import locked
from coreecg_jax.training.only_run import LOCK, only_run
from coreecg_jax.training.processes import *
from coreecg_jax.training import stored as stored_module
from coreecg_jax.training.stored import Damaged, Stored, shaped
from coreecg_jax.training.wholeness import first_whole, set_aside

def refusal(call):
    try:
        return call()
    except (ValueError, OSError) as error:
        return str(error)

def hold(sleep=None):
    with only_run(Path(given["folder"]).parent, sleep=sleep):
        return "held"

placement = place()
state = {"kernel": np.random.default_rng(0).normal(size=(2, 1000)).astype(np.float32), "step": np.int32(7)}
shardings = {"kernel": placement.divided, "step": placement.replicated}
on_devices = put(state, shardings)
scrambled = jax.jit(lambda tree: jax.tree.map(lambda x: x * 0, tree), donate_argnums=0)

best = Stored(Path(given["folder"]).with_name("best"), writes=True)
stored = Stored(Path(given["folder"]), writes=True, after=best)
stored.save(7, on_devices, {"config": {}})
jax.block_until_ready(scrambled(on_devices))
stored.wait()
back = stored.state(7, shaped(put(state, shardings)))
whole = alone(lambda tree: all(np.array_equal(tree[name], state[name]) for name in state))
told = {
    "is_first": is_first(),
    "as_first": as_first(number + 5),
    "anywhere": [anywhere(number == 1), anywhere(False)],
    "texts": texts("ä" * (number + 1)),
    "long": [len(text) for text in texts("ä" * 50_000 * number)],
    "shared": sharing().shared("abc", lambda letter: f"{letter} by {number}"),
    "failing": refusal(lambda: sharing().each(lambda: 1 if number == 0 else int("x"))),
    "differing": refusal(lambda: sharing().require_same("seed", str(number))),
    "held": back["kernel"].addressable_shards[0].data.shape,
    "back": whole(back),
    "saved": stored.steps(),
}
# Another run goes on in the folder: the first of these looks.
with locked(Path(given["folder"]).with_name(LOCK), str) if number == 0 else contextlib.nullcontext():
    told["locked"] = refusal(hold)
    wait("the other run ends")
told["free"] = refusal(hold)
# The first sees that another machine holds it, which lets go at the third turn.
holding, turns = contextlib.ExitStack(), []
if number == 0:
    file = Path(given["folder"]).with_name(LOCK)
    holding.enter_context(locked(file, str))
    file.write_text("process 7 on a\\nmachine another\\n")
told["waited"] = refusal(lambda: hold(lambda seconds: turns.append(len(turns) == 2 and holding.close())))
told["turns"] = len(turns)
# Two folders at once, as of the last and the best.
barriers = set()
multihost._unique_barrier_key = lambda key: barriers.add(key) or key
for step in (8, 9):
    best.save(step, put(state, shardings), {"config": {}})
    stored.save(step, put(state, shardings), {"config": {}})
for one in (best, stored):
    one.wait()
told |= {"barriers": sorted(barriers), "at_once": [stored.steps(), best.steps()]}
wait("all is written")
# Without the other, which does not even look.
if number == 1:
    reader = Stored(Path(given["folder"]), writes=False)
    told["alone"] = [reader.steps(), reader.about(9)["config"]]
    reader.close()
wait("all is read")
# Of what each of them reads for itself the second reads a number wrong.
checksums = stored_module.checksums
if number == 1:
    stored_module.checksums = lambda tree: checksums(tree) | {"step": 0}
told["damaged for one"] = refusal(lambda: stored.state(8, shaped(back)))
stored_module.checksums = checksums
# A bit of what the second process alone holds is flipped: neither goes on. Mostly that is one file; on a busy
# machine there were others of that size beside it.
written = [path for path in stored.path(9).glob("state/ocdbt.process_1/d/*") if path.stat().st_size > 2000]
for data in written if number == 1 else ():
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 8
    data.write_bytes(content)
wait("it is flipped")
told["damaged"] = refusal(lambda: stored.state(9, shaped(back)))
# The same cut off: the first can read all of what it holds itself, and would go on inside Orbax.
wait("it is read")
for data in written if number == 1 else ():
    data.write_bytes(data.read_bytes()[:100])
wait("it is cut")
told["cut"] = refusal(lambda: stored.state(9, shaped(back)))
read = lambda step: stored.state(step, shaped(back))
before = first_whole(stored, read, set_aside)
told["gone on"] = [whole(before), stored.steps()]
# What the second process alone does not find in a best, and what nobody does.
best._reader.restore, restore = best._reader.restore if number == 0 else None, best._reader.restore
told["best for one"] = refusal(lambda: best.about(9))
best._reader.restore = restore
told["best"] = [refusal(lambda: best.loss(step)) for step in best.steps()]
for one in (best, stored):
    one.close()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "last"
    ended = run_together(TOGETHER, 2, {"folder": str(folder)}, timeout=120)
    assert [process.status for process in ended] == [0, 0], ended
    return folder, [process.said for process in ended]


def test_they_hear_from_one_another(both):
    first, second = both[1]
    assert (first["is_first"], second["is_first"]) == (True, False)
    for said in (first, second):
        assert said["as_first"] == 5
        assert said["anywhere"] == [True, False]
        assert said["texts"] == ["ä", "ää"]
        assert said["long"] == [0, 50_000]
        assert said["shared"] == ["a by 0", "b by 1", "c by 0"]
        assert said["failing"] == "invalid literal for int() with base 10: 'x'"
        assert said["differing"] == (
            "seed: expected the same in all processes, got 0 in process 0 and 1 in process 1"
        )


def test_a_folder_in_which_another_run_goes_on_is_refused_by_both(both):
    folder, (first, second) = both
    assert first["locked"].startswith(
        f"{folder.parent} is locked: expected no other run there, got one that "
    )
    assert first["locked"] == second["locked"]
    assert (first["free"], second["free"]) == ("held", "held")


def test_another_machine_that_holds_the_folder_is_waited_for_by_both(both):
    for said in both[1]:
        assert (said["waited"], said["turns"]) == ("held", 3)


def test_a_state_divided_between_them_is_saved_once_and_comes_back_to_the_bit(both):
    for said in both[1]:
        assert said["held"] == [1, 1000]
        assert said["back"]
        assert said["saved"] == [7]


def test_two_folders_that_are_saved_at_once_do_not_meet_at_a_barrier(both):
    """The runtime refuses a barrier that another thread of the process waits at."""
    for said in both[1]:
        assert said["at_once"] == [[9, 8], [9, 8]]
        of_last, of_best = (
            {key.removeprefix(prefix) for key in said["barriers"] if key.startswith(prefix)}
            for prefix in ("last_", "best_")
        )
        assert any("set_value_start" in key for key in of_last & of_best)
        assert len(of_last) + len(of_best) == len(said["barriers"])


def test_who_only_reads_waits_for_nobody(both):
    assert [said.get("alone") for said in both[1]] == [None, [[9, 8], {}]]


def test_what_one_of_them_reads_wrong_is_damaged_for_both(both):
    folder, said = both
    for one in said:
        assert one["damaged"].startswith(f"{folder}/9 has a wrong checksum of kernel: it is damaged")
        where = f"{folder}/8 has a wrong checksum of step in process 1: it is damaged"
        assert one["damaged for one"].startswith(where)


def test_what_one_of_them_cannot_read_is_set_aside_by_both_and_the_one_before_used(both):
    folder, said = both
    for one in said:
        assert one["cut"].startswith(f"{folder}/9 cannot be read (")
        assert " in process 1): it is damaged or not whole; copy the run" in one["cut"]
        assert one["gone on"] == [True, [8]]
    assert (folder.parent / "set_aside" / "last_9").is_dir()


def test_a_best_that_one_cannot_read_or_that_says_no_loss_is_damaged_for_both(both):
    best = both[0].with_name("best")
    for one in both[1]:
        assert one["best for one"].startswith(f"{best}/9 cannot be read (TypeError in process 1): it is ")
        assert [told.partition(":")[0] for told in one["best"]] == [
            f"{best}/{step} cannot be read (KeyError)" for step in (9, 8)
        ]


def test_one_process_agrees_with_itself():
    assert (sharing().number, sharing().count) == (0, 1)
    assert (as_first(3), anywhere(True), anywhere(False), texts("a")) == (3, True, False, ["a"])
