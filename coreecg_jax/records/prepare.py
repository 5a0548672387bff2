"""From a source folder to a data set: `out/<name>/<version>/` with shards, settings, manifest and digests.

A data set comes into being by the rename of a finished folder. A run that fails or is killed leaves at most
`.incomplete-<name>` beside it, which no reader looks at, and from which the same command goes on.
"""

import dataclasses
import hashlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coreecg_jax.records.completion import complete
from coreecg_jax.records.databases.listing import NOT_DIVIDED, Listing
from coreecg_jax.records.label_sets import load_label_set
from coreecg_jax.records.local_runs import Run, run_here
from coreecg_jax.records.manifest import read_summary, refusals
from coreecg_jax.records.one_recording import Settings
from coreecg_jax.records.one_shard import DATA, Work, Written, finished
from coreecg_jax.records.plan import Shard, planned
from coreecg_jax.records.policy import policy_of_before
from coreecg_jax.records.progress import shown_progress
from coreecg_jax.records.schema import MANIFEST_FILE, PREPROCESSING_FILE, OtherSettings, Preprocessing
from coreecg_jax.records.shards import VERSION
from coreecg_jax.records.staging import staging
from coreecg_jax.records.stored_label_sets import differences

# A shard of one version must not stand beside one of another: these decide the last bit of a sample.
_PACKAGES = ("coreecg-jax", "numpy", "scipy")


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A complete data set."""

    folder: Path
    summary: dict[str, Any]  # the last line of the manifest
    was_there: bool  # it had been prepared before, with the same settings
    kept: int = 0  # recordings whose shards an earlier run had finished
    not_looked_at: str = ""  # files of the source that are no recordings

    def report(self) -> str:
        """Where it is; how many recordings were read, missing and refused, and why.

        Before that what may want a look: empty folds, the first refused file of each reason, other files.
        """
        counts = self.summary
        folds = (f"fold{number}" for number in range(1, counts["settings"].get("folds", 0) + 1))
        empty = ", ".join(fold for fold in folds if fold not in counts["windows_by_split"])
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts["refused_by_reason"].items())
        kept = f" (went on; {self.kept} recordings were in finished shards)" if self.kept else ""
        again = "; no file was looked at again, --overwrite prepares it anew" if self.was_there else ""
        return (
            (f"without a recording, so not there as splits: {empty}\n" if empty else "")
            + self._refused()
            + (f"{self.not_looked_at}\n" if self.not_looked_at else "")
            + f"{'was there already' if self.was_there else 'prepared'}: {self.folder}{kept}{again}\n"
            f"read {counts['read']} recordings ({counts['windows']} windows), missing {counts['missing']}, "
            f"refused {counts['refused']}" + (f" ({reasons})" if reasons else "")
        )

    def _refused(self) -> str:
        """A line for each reason, and where all of the refused are; '' where none was."""
        if not self.summary["refused"]:
            return ""
        manifest = self.folder / MANIFEST_FILE
        when = "in the earlier run " if self.was_there else ""
        lines = [
            f"{when}refused for {reason}: {one.count}; the first: {one.file}: {one.sentence}\n"
            for reason, one in sorted(refusals(manifest).items())
        ]
        return f"{''.join(lines)}each refused file and why: {manifest}\n"


def prepare(
    listing: Listing,
    out: Path,
    settings: Settings,
    *,
    overwrite: bool = False,
    run: Run = run_here,
    source: Path | None = None,
    progress: bool = False,
) -> Prepared:
    """Writes the data set of a source, goes on with one that is begun, or finds it already written.

    Args:
      listing: what the source lists.
      out: the folder of data sets.
      settings: decide with the listing about every byte.
      overwrite: replaces a data set that is there, or was begun with other settings.
      run: writes shards; whoever does, the bytes are the same.
      source: a folder without which the run shall stop.
      progress: says how far it is.

    Raises:
      ValueError: when the folder holds a data set with other settings and
        `overwrite` is false, or when no recording can be read.
    """
    folder = out / listing.name / VERSION
    if folder.exists() and not overwrite:
        same = _summary_of_same(folder, listing, settings)
        return Prepared(folder, same, was_there=True, not_looked_at=listing.not_looked_at)
    shards = planned(listing, settings.preprocessing.window_samples)
    asked = dataclasses.asdict(settings.preprocessing) | _recorded(listing, settings) | _exactly(listing)
    with staging(out, listing.name, asked, overwrite) as place:
        work = Work(listing.name, listing.read, settings, place, source)
        written, kept = _written(work, shards, run, len(listing.recordings) if progress else None)
        recorded = _recorded(listing, settings) | listing.contents()
        summary = complete(work, listing, shards, written, recorded)
        folder.parent.mkdir(exist_ok=True)
        if folder.exists():
            folder.rename(place / "replaced")
        (place / DATA).rename(folder)
    return Prepared(folder, summary, was_there=False, kept=kept, not_looked_at=listing.not_looked_at)


def _written(
    work: Work, shards: Sequence[Shard], run: Run, shown: int | None
) -> tuple[dict[str, Written], int]:
    """Every shard, by file; those that are finished are left as they are. And the recordings of these."""
    written = {shard.file: done for shard in shards if (done := finished(work.folder, shard))}
    kept = sum(done.recordings for done in written.values())
    todo = [shard for shard in shards if shard.file not in written]
    with shown_progress(shown, work.name, kept) as update:
        written |= {done.file: done for done in run(work, todo, update)}
    return written, kept


def _recorded(listing: Listing, settings: Settings) -> dict[str, Any]:
    """What must agree for a data set to be the same, besides the preprocessing."""
    return {
        "max_windows": settings.max_windows,
        **settings.policy.recorded(),
        "folds": listing.folds,
        "fold_seed": listing.fold_seed,
        "recordings_listed": len(listing.recordings),
        "listing": listing.digest(),
    }


def _exactly(listing: Listing) -> dict[str, Any]:
    """What must agree, too, for shards of two runs to stand beside each other."""
    contents = hashlib.sha256()
    for listed in listing.recordings:
        contents.update(repr(listed).encode())
    versions = {f"{name} version": importlib.metadata.version(name) for name in _PACKAGES}
    return {"contents of the listing": contents.hexdigest()[:16], **versions}


def _summary_of_same(folder: Path, listing: Listing, settings: Settings) -> dict[str, Any]:
    """The summary of the data set that is there, when it was made with the same settings."""
    needed = (PREPROCESSING_FILE, MANIFEST_FILE, "dataset_info.json")
    lacking = [name for name in needed if not (folder / name).is_file()]
    if lacking:
        raise ValueError(f"{folder} holds no complete data set (no {', '.join(lacking)}): use --overwrite")
    there = Preprocessing.from_json((folder / PREPROCESSING_FILE).read_text(encoding="utf-8"))
    summary = read_summary(folder / MANIFEST_FILE)
    before = NOT_DIVIDED | policy_of_before(summary["settings"])
    old = dataclasses.asdict(there) | before | summary["settings"]
    new = dataclasses.asdict(settings.preprocessing) | _recorded(listing, settings)
    # A data set of before these were recorded is taken for the same, as it was then.
    new |= {kind: digest for kind, digest in listing.contents().items() if kind in old}
    differing = [
        f"{key} is {old.get(key)}, asked for {value}" for key, value in new.items() if old.get(key) != value
    ]
    for name in listing.label_sets:
        differing += (f"label set {name}: {found}" for found in differences(folder, load_label_set(name)))
    if differing:
        raise OtherSettings(
            f"{folder} was prepared with other settings ({'; '.join(differing)}): "
            "use --overwrite to replace it, or another --out"
        )
    return summary
