"""From a question to its result on disk."""

import dataclasses
import functools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.methods import (
    BESIDE,
    Encoder,
    Protocols,
    compared_methods,
    require_one_configuration,
)
from coreecg_jax.downstream.predictions import write_predictions
from coreecg_jax.downstream.prepared_data import manifests_of
from coreecg_jax.downstream.protocol import Evaluation, Seal, develop, evaluate, other_sources
from coreecg_jax.downstream.provenance import digest_of_json, program
from coreecg_jax.downstream.result_files import (
    Report,
    read_report,
    read_reports,
    scored_only,
    write_report,
)
from coreecg_jax.downstream.results import predictions_of, report, unscored
from coreecg_jax.downstream.same_run import identity_of
from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.downstream.seal_marks import development_marks
from coreecg_jax.downstream.subsets import LEAD_SUBSETS
from coreecg_jax.downstream.tables import markdown, transfer_markdown
from coreecg_jax.downstream.tasks import Task
from coreecg_jax.records.checksums import digest_of_file
from coreecg_jax.records.leads import LEADS, lead_indices
from coreecg_jax.records.spelling import with_guess
from coreecg_jax.training.identity import differences, flat
from launch.asked_before import still_answered, told_of_sources
from launch.protocol_settings import default_protocols
from launch.same_question import require_same_question, told
from launch.telling_fits import Embedded, Tell, silent, told_methods, told_sources
from launch.unreported import kept_unless_reported, require_reported
from launch.writable import require_writable

PTBXL, SIMULATED = "ptbxl_superclass_two_folds", "simulated_conditions"  # tasks of the demo
EVALUATIONS = "evaluations"  # folder of results within that of a run
_LONGEST = 100  # characters of settings in the name of a file


@dataclasses.dataclass(frozen=True)
class Asked:
    """One question about some encoders."""

    task: Task
    root: Path  # of the data sets
    openings: Path  # log of test openings
    protocol: str = "linear"
    beside: tuple[str, ...] = tuple(BESIDE)
    subset: Subset = dataclasses.field(default_factory=Subset)
    rival_seeds: tuple[int, ...] = (0, 1, 2)
    settings: Protocols = dataclasses.field(default_factory=default_protocols)
    development: bool = False
    allow_retest: bool = False
    allow_overlap: bool = False
    manifests: Mapping[str, str] = dataclasses.field(default_factory=dict)  # of the data, when they are read

    def __post_init__(self) -> None:
        unknown = set(self.beside) - set(BESIDE)
        if unknown:
            got = ", ".join(with_guess(name, list(BESIDE)) for name in sorted(unknown))
            raise ValueError(f"--beside: expected some of {', '.join(BESIDE)}, got {got}")
        if not 0 < self.subset.fraction <= 1:
            raise ValueError(f"--fraction: expected more than 0 and at most 1, got {self.subset.fraction:g}")

    def name(self, pooling: str) -> str:
        """Of its files: task, protocol and what else is not the default."""
        parts = [self.task.name, self.protocol]
        if self.subset.leads != LEADS:
            parts.append(f"leads-{'-'.join(self.subset.leads)}")
        if self.subset.fraction < 1:
            parts.append(f"{self.subset.fraction:g}-{self.subset.repeat}")
        if pooling != Encoder.pooling:
            parts.append(f"pooling-{pooling}")
        if set(self.beside) != set(BESIDE):
            parts.append(f"beside-{'-'.join(sorted(self.beside)) or 'none'}")
        if changed := _changed(self.settings):
            text = "_".join(f"{field}-{value}" for field, value in changed.items())
            parts.append(text if len(text) <= _LONGEST else f"settings-{digest_of_json(changed)[:16]}")
        return "_".join([*parts, *(["development"] if self.development else [])])

    def question(self) -> dict[str, Any]:
        """What a result answers, whoever is asked and whatever data there are by then; as JSON has it."""
        fields = "task", "subset", "protocol", "settings", "beside", "rival_seeds", "development"
        everything = dataclasses.asdict(self) | {"settings": dataclasses.asdict(_settled(self.settings))}
        if not self.task.by_vocabulary:  # results of before the field were asked so
            del everything["task"]["by_vocabulary"]
        return json.loads(json.dumps({name: everything[name] for name in fields}))

    def about(self) -> dict[str, Any]:
        """What a report says of how and of which data it was asked, for whoever asks again."""
        return {
            "asked": self.question(),
            "manifests": dict(self.manifests),
            "allow_overlap": self.allow_overlap,
        }


def _changed(settings: Protocols) -> dict[str, Any]:
    """The settings that are not those of `configs/downstream/protocols.py`; field -> value."""
    default, asked = (
        flat(json.loads(json.dumps(dataclasses.asdict(_settled(some)))))
        for some in (default_protocols(), settings)
    )
    texts = {
        field: "-".join(map(str, each)) if isinstance(each, list) else each for field, each in asked.items()
    }
    return {field: texts[field] for field in differences(default, asked)}


def _settled(settings: Protocols, crops: int = Encoder.crops) -> Protocols:
    """With that number of crops where they say none."""
    return settings if settings.crops is not None else dataclasses.replace(settings, crops=crops)


class Done(NamedTuple):
    """A result on disk, and as text."""

    file: Path  # JSON
    predictions: Path  # Parquet; of several sources a folder of them
    text: str
    numbers: Report  # of several sources: source -> report


def leads_of(text: str) -> tuple[str, ...]:
    """'6' or 'I,II,V2' as names of leads.

    Raises:
      ValueError: when it is neither.
    """
    if text.isdigit():
        if int(text) not in LEAD_SUBSETS:
            raise ValueError(
                f"--leads: expected one of {', '.join(map(str, LEAD_SUBSETS))}, or names, got {text}"
            )
        return LEAD_SUBSETS[int(text)]
    return tuple(LEADS[place] for place in sorted(lead_indices([name for name in text.split(",") if name])))


def evaluated(
    asked: Asked, encoders: Sequence[Encoder], *, out: str | Path | None = None, tell: Tell = silent
) -> Done:
    """Asks, and writes everything. Of several sources each is written when it is done, and not asked again.

    Args:
      asked: the question.
      encoders: seeds of one configuration.
      out: JSON file; default: in `EVALUATIONS` of the first encoder's run, or of `root` without one or for a
        bundle, whose own folder is left as it is.
      tell: is told a line of each stage when it begins, and while it lasts.

    Raises:
      ValueError: when the encoders are not seeds of one configuration, the file does not end in .json, or a
        result of another question has it; as `downstream.protocol`.
      OSError: as `downstream.protocol`.
    """
    if asked.settings.crops is not None:  # then what the encoders say is not what is asked
        encoders = [dataclasses.replace(each, crops=asked.settings.crops) for each in encoders]
    require_one_configuration(encoders)
    own = encoders[0].crops if encoders else Encoder.crops
    asked = dataclasses.replace(asked, settings=_settled(asked.settings, own))
    folder = _folder(asked, encoders)
    name = asked.name(encoders[0].pooling if encoders else Encoder.pooling)
    file = Path(out) if out else folder / f"{name}.json"
    require_result_file(file)
    require_reported(file)
    embedded = Embedded()
    methods = functools.partial(
        compared_methods,
        encoders,
        protocol=asked.protocol,
        settings=asked.settings,
        beside=asked.beside,
        rival_seeds=asked.rival_seeds,
        store=folder / "features",
        watch=embedded,
    )
    nested = asked.task.test is None and not asked.task.sources
    nested |= asked.development and not asked.task.validation
    methods = told_methods(methods, tell, nested=nested, embedded=embedded)
    if not asked.task.sources and file.is_file():
        require_same_question(file, read_report(file), asked.question(), encoders)
    read = dataclasses.replace(asked.task, test=None) if asked.development else asked.task
    asked = dataclasses.replace(asked, manifests=manifests_of(asked.root, read))
    tell(f"{asked.task.name}: the recordings are read")
    identity = identity_of(encoders, dataclasses.asdict(asked.subset), asked.protocol)
    seal = Seal(asked.openings, identity, asked.allow_retest, asked.allow_overlap)
    if asked.development:
        found = develop(asked.task, asked.root, methods, asked.subset, seal)
        return written(found, encoders, asked, file, tell)
    if not asked.task.sources:
        found = evaluate(asked.task, asked.root, methods, asked.subset, seal, encoders)
        return written(found, encoders, asked, file, tell)
    there = _sources_there(file, encoders, asked)
    left = [source for source in asked.task.sources if source not in there]
    held_out = other_sources(asked.task, asked.root, methods, asked.subset, seal, encoders, sources=left)
    return _sources_written(told_sources(held_out, left, tell), there, encoders, asked, file, tell)


def require_result_file(file: str | Path) -> None:
    """Raises ValueError unless it is named as JSON, OSError where it cannot be written."""
    if Path(file).suffix != ".json":  # else `share_0.5` and `share_0.25` had one table, `share_0.parquet`
        raise ValueError(f"--out: expected a file ending in .json, got {file}: name it {file}.json")
    require_writable("--out", file, is_file=True)


def _folder(asked: Asked, encoders: Sequence[Encoder]) -> Path:
    """Where results lie that are given no name."""
    if not encoders:
        return asked.root / EVALUATIONS
    if encoders[0].bundle:
        return asked.root / EVALUATIONS / f"bundle_{told(encoders[0].name, encoders[0].digest)}"
    return Path(encoders[0].name) / EVALUATIONS


def written(
    found: Evaluation,
    encoders: Sequence[Encoder],
    asked: Asked,
    file: Path,
    tell: Tell,
    made_by: Report | None = None,
) -> Done:
    """Scores what was predicted, and writes all of it; `made_by`: that fitted, None: this program."""
    tell("scores: intervals by resamples of patients")
    predictions = file.with_suffix(".parquet")
    now = program()  # before anything fails
    made_by = made_by or now
    with kept_unless_reported(found, encoders, asked, file, made_by):
        write_predictions(predictions_of(found), predictions)  # first: a test may have been opened for them
        about = asked.about() | {"predictions": digest_of_file(predictions)}
        numbers: Report = report(found, encoders, probe=asked.protocol) | about
        if made_by != now:
            numbers |= {"versions": made_by["versions"], "reported_by": now}
            numbers["digests"] = numbers.get("digests", {}) | {"code": made_by["code"]}
        write_report(numbers, file)
    for sentence in development_marks(numbers):  # whoever tells nothing else, as a sweep
        print(f"warning: {sentence.replace('**', '')}", file=sys.stderr, flush=True)
    return Done(file, predictions, markdown(numbers), numbers)


def _sources_there(file: Path, encoders: Sequence[Encoder], asked: Asked) -> dict[str, Report | None]:
    """Sources that were done when this question was cut off: their tests need not be opened again, nor with
    --allow_retest, which the one that was cut off needs."""
    reports = read_reports(file) if file.is_file() else {}
    done = next((each for each in reports.values() if each and "asked" in each), None)
    if done is None:  # results of before do not say it
        return {}
    require_same_question(file, done, asked.question(), encoders)
    same = [each["digest"] for each in done["encoders"]] == [encoder.digest for encoder in encoders]
    if not same:
        return {}
    there = still_answered(file, reports, asked.about(), asked.root)
    if there:
        known = f"was there already: {', '.join(there)} in {file}"
        print(f"{known}; to ask all again, move that file or name another by --out", flush=True)
    return there


def _sources_written(
    held_out: Iterator[tuple[str, Evaluation | TooFewRecordings]],
    there: dict[str, Report | None],
    encoders: Sequence[Encoder],
    asked: Asked,
    file: Path,
    tell: Tell,
) -> Done:
    """One file of all sources, and one of each; without enough of any class there are no scores."""
    reports, folder = dict(there), file.with_suffix("")
    for source, found in held_out:
        try:
            if isinstance(found, TooFewRecordings):
                raise found
            reports[source] = written(found, encoders, asked, folder / f"{source}.json", tell).numbers
        except TooFewRecordings as error:  # said, not hidden; its test may have been opened, so it is done
            print(f"{source}: no scores: {error}", flush=True)
            reports[source] = unscored(error, encoders) | asked.about()
        reports = {source: reports[source] for source in asked.task.sources if source in reports}
        write_report(reports, file)  # a source that is done is not lost with those that follow
    scored = scored_only(reports)
    text = "  \n".join([transfer_markdown(scored), *told_of_sources(scored, there)])
    return Done(file, folder, text, scored)
