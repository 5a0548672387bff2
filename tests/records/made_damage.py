"""Files of every format, damaged at random, read in a process with little memory: a program for test_fuzz.py.

    python made_damage.py FOLDER CASES SEED KIND …

Kinds named after a database are its tables: they are listed, not read.
It prints a line for each reading that ended neither as a recording nor as a refusal, then one JSON line: of
each kind cases, refused, slowest seconds; and the peak memory in MB. The file of the case in hand stays in
FOLDER, so that a crash can be looked at.
"""

import json
import os
import random
import re
import resource
import sys
import time
import warnings
from pathlib import Path

from made_whole import whole_files

from coreecg_jax.records.databases import folder as own
from coreecg_jax.records.databases.catalogue import DATABASES
from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.formats.contest_mat import read_contest_mat
from coreecg_jax.records.formats.files import read_recording
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import RecordingRefused

MEMORY = 2 << 30  # bytes beyond what the packages take
_TRICKS = (
    b"../../../etc/passwd",
    b"/dev/zero",
    b"http://127.0.0.1:9/",
    b"\x00" * 16,
    b"nan",
    b"1e400",
    b"-1",
)


def main() -> None:
    folder, cases, seed, kinds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    warnings.simplefilter("ignore")
    files = {kind: whole_files(kind, folder / kind) for kind in kinds}
    for paths in files.values():  # packages are loaded before memory is limited
        for path, _ in paths:
            _read(path)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    tried = {kind: _try(paths, cases, random.Random(f"{seed} {kind}")) for kind, paths in files.items()}
    print(json.dumps({"kinds": tried, "peak_mb": round(peak_mb())}))


def _read(path: Path) -> Recording | Listing:
    """By the suffix, as everywhere; the contest's files are CPSC2018's alone. Of a folder its listing."""
    if path.is_dir():
        own_files = path.name == "folder"
        return own.list_recordings(path) if own_files else DATABASES[path.name].list_recordings(path)
    return read_contest_mat(path) if path.suffix == ".mat" else read_recording(path)


def peak_mb() -> float:
    """Of this program alone: what getrusage says begins with the peak of the process that started it."""
    (line,) = [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) / 1024


def _try(paths: list[tuple[Path, Path]], cases: int, chance: random.Random) -> dict[str, float]:
    """Reads `cases` damaged copies; of each pair the first is read, the second damaged."""
    refused, slowest = 0, 0.0
    for case in range(cases):
        path, damaged = paths[case % len(paths)]
        whole = damaged.read_bytes()
        damaged.write_bytes(damage(whole, chance))
        start = time.monotonic()
        try:
            outcome: object = _read(path)
        except BaseException as error:
            outcome = error
        slowest = max(slowest, time.monotonic() - start)
        refused += isinstance(outcome, Exception)
        if not _may_be(outcome):
            damaged.with_name(f"case{case}-{damaged.name}").write_bytes(damaged.read_bytes())
            print(
                f"{damaged.parent.name} case {case}: {type(outcome).__name__}: {str(outcome)[:200]}",
                flush=True,
            )
        damaged.write_bytes(whole)
    return {"cases": cases, "refused": refused, "slowest": round(slowest, 2)}


def _may_be(outcome: object) -> bool:
    """Whether a reading may end so; a list that is refused need not have a reason, only a sentence."""
    if isinstance(outcome, RecordingRefused):
        return bool(outcome.sentence and outcome.reason)
    if isinstance(outcome, Recording):
        return outcome.ecg_LT.shape[0] == 12 and outcome.sampling_rate > 0
    if isinstance(outcome, Listing):
        return len(outcome.recordings) > 0
    told = type(outcome) in (ValueError, FileNotFoundError) and "expected" in str(outcome)
    return told or (type(outcome) is ValueError and ".csv, line " in str(outcome))  # no CSV, or no UTF-8


def damage(whole: bytes, chance: random.Random) -> bytes:
    """One to four changes, half of them in the first two kilobytes, where headers are.

    Half of the files keep their length, for a file of another length is refused before it is parsed.
    """
    raw = bytearray(whole)
    changes = (
        (_bytes, _word, _digits) if chance.random() < 0.5 else (_bytes, _word, _cut, _repeat, _grow, _trick)
    )
    for _ in range(chance.randint(1, 4)):
        if raw:
            within = len(raw) if chance.random() < 0.5 else min(len(raw), 2048)
            chance.choice(changes)(raw, chance.randrange(within), chance)
    return bytes(raw)


def _bytes(raw: bytearray, at: int, chance: random.Random) -> None:
    for place in range(at, min(len(raw), at + chance.randint(1, 8))):
        raw[place] = chance.randrange(256)


def _word(raw: bytearray, at: int, chance: random.Random) -> None:
    word = chance.choice((b"\xff\xff\xff\x7f", b"\x00" * 4, b"\xff" * 4))
    raw[at : at + 4] = word[: len(raw) - at]


def _digits(raw: bytearray, at: int, chance: random.Random) -> None:
    """Another number of as many digits."""
    if numbers := list(re.finditer(rb"\d+", bytes(raw[at : at + 4096]))):
        start, end = chance.choice(numbers).span()
        raw[at + start : at + end] = bytes(chance.choice(b"0123456789") for _ in range(end - start))


def _cut(raw: bytearray, at: int, chance: random.Random) -> None:
    del raw[at : chance.choice((len(raw), at + chance.randint(1, 64)))]


def _repeat(raw: bytearray, at: int, chance: random.Random) -> None:
    raw[at:at] = raw[at : at + chance.randint(1, 4096)]


def _grow(raw: bytearray, at: int, chance: random.Random) -> None:
    """A number of up to thirty digits."""
    if numbers := list(re.finditer(rb"\d+", bytes(raw[at : at + 4096]))):
        start, end = chance.choice(numbers).span()
        raw[at + start : at + end] = str(10 ** chance.randint(0, 30)).encode()


def _trick(raw: bytearray, at: int, chance: random.Random) -> None:
    raw[at:at] = chance.choice(_TRICKS)


if __name__ == "__main__":
    main()
