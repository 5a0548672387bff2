"""What the results of one table rest on: refused where they are of other data, told where of other code.

Results are made over days, and code changes daily: a table of several versions is of use to whoever knows it.
Results of other data, or out of other folds, are not of one comparison.
"""

import collections
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.downstream.predictions import Predictions
from coreecg_jax.downstream.result_files import Report

_NOT_SAID = "not said (results of before)"
_ANEW = "prepared otherwise or anew since"


class Origin(NamedTuple):
    """A result of a table, and where it stands there."""

    row: str
    question: str
    repeat: int  # of the fraction of labels
    name: str  # of the result, for errors
    numbers: Report


def require_one_origin(results: Sequence[Origin]) -> None:
    """Refuses results that are averaged or paired and are not of the same data.

    What was fitted is looked at within a question and repeat, what is scored within a question, what an
    encoder was pretrained on within a row; where a result says them, and by one rule.

    Raises:
      ValueError: naming two results, and what to do.
    """
    first: dict[tuple[Hashable, ...], tuple[Origin, Any]] = {}
    for result in results:
        for what, key, value, why in _data(result):
            one, expected = first.setdefault((what, *key), (result, value))
            if value != expected:
                raise ValueError(_other(result.name, one.name, what, why))


def require_one_division(results: Sequence[tuple[Origin, Predictions]]) -> None:
    """Refuses results of one question that are out of fold, of patients who were dealt to folds otherwise.

    Raises:
      ValueError: as `require_one_origin`.
    """
    first: dict[tuple[str, int], tuple[Origin, np.ndarray]] = {}
    for result, predictions in results:
        folds = (fold for runs in predictions.folds.values() for fold in runs.values() if fold is not None)
        for fold in folds:
            one, expected = first.setdefault((result.question, result.repeat), (result, fold))
            if not np.array_equal(fold, expected):
                raise ValueError(_other(result.name, one.name, "folds", "dealt otherwise by another version"))


def _other(name: str, one: str, what: str, why: str) -> str:
    of_run = what.startswith("pretraining")
    which, kept = ("run and cells", "") if of_run else ("cells", "runs are kept, ")
    return (
        f"cell {name}: expected the {what} of {one}, got others, {why}: remove the {which} of one of the "
        f"two, and those that were made like them, to have them made again ({kept}a test that was opened "
        "needs --allow_retest), or choose another --workdir"
    )


def _data(result: Origin) -> Iterator[tuple[str, tuple[Hashable, ...], Any, str]]:
    """(what it is, among whom it must be the same, its digest, why it may be another).

    What was chosen by what is scored looks better by as much as rows differ: no difference from what was not.
    """
    digests = result.numbers.get("digests", {})
    for part, digest in digests.get("data", {}).items():
        # What is scored is the same for all repeats; which recordings are fitted is what they differ by.
        within = (result.question,) if part == "test" else (result.question, result.repeat)
        yield f"data ({part})", (digests.get("data_rule"), *within), digest, _ANEW
    if "methods" in result.numbers and result.numbers.get("test") is None:
        by_scored = bool(chosen_by_what_is_scored(result.numbers))
        yield "rule by which settings were chosen", (result.question,), by_scored, "of another version"
    for name, digest in _pretrained_on(result.numbers).items():
        yield f"pretraining data ({name})", (result.row,), digest, _ANEW


def _pretrained_on(numbers: Report) -> dict[str, str]:
    """Data set -> digest of its manifest; none of results of before."""
    each = (encoder.get("data_digests", {}) for encoder in numbers.get("encoders", []))
    return {name: digest for digests in each for name, digest in digests.items()}


def differing_origins(results: Sequence[Origin]) -> list[str]:
    """A sentence for each thing in which the results of a table differ and that may be in its numbers.

    And one where scores are too high, as `marks.marks` has it, whether all are or some.
    """
    told = [
        several_codes(results),
        _told(
            "Whether all are of the same data cannot be told, as digests are not of the same", results, _rule
        ),
    ]
    told += _other_manifests("These results are of other data of the name", results, manifests)
    told += _other_manifests("Encoders were pretrained on other data of the name", results, _pretrained_on)
    for question in dict.fromkeys(result.question for result in results):
        asked = [result for result in results if result.question == question]
        of = f" ({question})" if question else ""
        told.append(_told("F1 thresholds were not chosen by one rule", asked, _f1_rule, of))
        told.append(_too_high(asked, of))
    return [sentence for sentence in told if sentence]


def several_codes(results: Sequence[Origin]) -> str:
    """A sentence where results are not of one version of the code, which may have chosen otherwise."""
    return _told("These results are not of one version of the code", results, _named_codes(results))


def other_code(results: Sequence[Origin], now: str) -> str:
    """A sentence where the results are of one version of the code, and not of that with the digest `now`."""
    digests = {_code(result.numbers)[0] for result in results}
    if len(digests) != 1 or digests <= {now, ""}:  # of several: `differing_origins`
        return ""
    there = _named_codes(results)(results[0].numbers)
    return f"**These results are of another version of the code than this one**: {there}; this one {now[:8]}."


def manifests(numbers: Report) -> dict[str, str]:
    """Data set -> digest of its manifest, of all that the task names; none of results of before."""
    return numbers.get("manifests", {})


def _other_manifests(
    what: str, results: Sequence[Origin], digests_of: Callable[[Report], dict[str, str]]
) -> Iterator[str]:
    """Of each data set that results say, where it is not one."""
    for name in sorted({name for result in results for name in digests_of(result.numbers)}):
        of_name = [result for result in results if name in digests_of(result.numbers)]
        yield _told(
            f"{what} {name}", of_name, lambda numbers, name=name: f"manifest {digests_of(numbers)[name][:8]}"
        )


def _told(what: str, results: Sequence[Origin], kind_of: Callable[[Report], str], of: str = "") -> str:
    """'WHAT (OF): KIND: row, row (2 of 3); KIND: row.'; '' where all are of one kind."""
    kinds: dict[str, list[Origin]] = {}
    for result in results:
        kinds.setdefault(kind_of(result.numbers), []).append(result)
    if len(kinds) < 2:
        return ""
    parts = (f"{kind}: {rows_told(some, results)}" for kind, some in kinds.items())
    return f"**{what}**{of}: {'; '.join(parts)}."


def rows_told(some: Sequence[Origin], of: Sequence[Origin]) -> str:
    """'row, row (2 of 3)': the rows of some results, and how many where not all of the row are."""
    counts, total = (collections.Counter(result.row for result in each) for each in (some, of))
    return ", ".join(
        row if count == total[row] else f"{row} ({count} of {total[row]})" for row, count in counts.items()
    )


def _too_high(results: Sequence[Origin], of: str) -> str:
    high = [result for result in results if chosen_by_what_is_scored(result.numbers)]
    said = "Settings were chosen by the recordings that are scored, so scores are too high"
    return f"**{said}**{of}: {rows_told(high, results)}." if high else ""


def _named_codes(results: Sequence[Origin]) -> Callable[[Report], str]:
    """Code by its digest, with a commit that has it: there may be several, and without git none."""
    commits: dict[str, str] = {}
    for result in results:
        digest, commit = _code(result.numbers)
        commits.setdefault(digest, f", commit {commit[:8]}{commit[40:]}" if commit else "")

    def name(numbers: Report) -> str:
        digest, _ = _code(numbers)
        return f"code {digest[:8]}{commits[digest]}" if digest else _NOT_SAID

    return name


def _code(numbers: Report) -> tuple[str, str]:
    """Digest and commit; '' for what is not said."""
    code = numbers.get("digests", {}).get("code") or ""
    return (code["digest"], code.get("commit", "")) if isinstance(code, dict) else (code, "")


def _rule(numbers: Report) -> str:
    return numbers.get("digests", {}).get("data_rule") or _NOT_SAID


def _f1_rule(numbers: Report) -> str:
    return numbers.get("f1_thresholds") or _NOT_SAID


def chosen_by_what_is_scored(numbers: Report) -> list[str]:
    """Methods of a development whose choices no outer folds were kept from (of before, or by validation)."""
    if numbers.get("test") is not None:
        return []
    return [
        name
        for name, runs in numbers.get("methods", {}).items()
        if any(run.get("validation_macro_auroc") is not None for run in runs)
    ]
