"""What a reader must know before believing a number: of one result, and of the results of a table by row."""

from collections.abc import Sequence
from typing import NamedTuple

from coreecg_jax.downstream.origins import Origin, chosen_by_what_is_scored, rows_told
from coreecg_jax.downstream.pretrained_on import BY_NAME, Exposure, shared_text
from coreecg_jax.downstream.result_files import Report
from coreecg_jax.downstream.seal_marks import seal_marks, seal_marks_of_row
from coreecg_jax.downstream.shared_patient_ids import SharedIds, shared_ids_text
from coreecg_jax.downstream.shared_splits import as_specification
from coreecg_jax.downstream.vocabularies import never_named_text, unannotated_text

_ANY_ENCODER = "The encoder"


class _Said(NamedTuple):
    """Of an encoder."""

    name: str
    text: str  # after its name, without a full stop


def marks(numbers: Report) -> list[str]:
    """Sentences of one result."""
    lines = seal_marks(numbers)
    lines += [f"{text}." for text in _ids_in_both(numbers)]
    lines += [f"{text}." for text in (*_never_fitted(numbers), *_left_out(numbers))]
    lines += [f"{text}." for text in unannotated_text(numbers.get("unannotated", {}))]
    lines += [f"{text}." for text in never_named_text(numbers.get("never_named", {}))]
    lines += [f"{name}{text}." for name, text in _exposures(numbers)]
    if chosen := chosen_by_what_is_scored(numbers):
        lines.append(
            f"**{', '.join(chosen)}: settings (C, neighbours, epoch) were chosen by the recordings that are "
            "scored, so scores are too high**, the more the more there was to choose from."
        )
    if numbers["incomplete_without"]:
        again = " and, as this test was opened, with --allow_retest" if numbers["opening"] else ""
        absent = ", ".join(numbers["incomplete_without"])
        left_out = f"Left out by --beside: launch.evaluate asks for all without that flag{again}."
        lines.append(f"**Incomplete: without {absent}.** {left_out}")
    return lines


def marks_of_test(numbers: Report) -> list[str]:
    """What of a result's test is not as it should be, whatever was asked; sentences without a full stop."""
    unknown = (*_never_fitted(numbers), *_left_out(numbers))
    return [*seal_marks_of_row(numbers), *_ids_in_both(numbers), *unknown]


def marks_of_encoder(numbers: Report) -> list[str]:
    """What a result's encoders saw of its test, or what of that cannot be told; without a full stop."""
    return list(dict.fromkeys(f"{_ANY_ENCODER}{said.text}" for said in _exposures(numbers)))


def marks_by_row(results: Sequence[Origin]) -> list[str]:
    """A sentence for each of these that results of a table have: WHAT (the questions, if not all): rows."""
    by_text: dict[str, list[Origin]] = {}
    for marks_of in (marks_of_test, marks_of_encoder):
        for result in results:
            for text in marks_of(result.numbers):
                by_text.setdefault(text, []).append(result)
    questions = dict.fromkeys(result.question for result in results)
    told = []
    for text, some in by_text.items():
        asked = dict.fromkeys(result.question for result in some)
        of = f" ({'; '.join(asked)})" if len(asked) < len(questions) else ""
        told.append(f"**{text}**{of}: {rows_told(some, [one for one in results if one.question in asked])}.")
    return told


def _ids_in_both(numbers: Report) -> list[str]:
    """Of data sets that were fitted or chosen by, and asked about."""
    return [shared_ids_text(SharedIds(**each)) for each in numbers.get("patient_ids_in_both", [])]


def _never_fitted(numbers: Report) -> list[str]:
    """Classes of the macro of which nothing could be learned: a probe says the same of every recording."""
    scored = numbers.get("macro_classes", [])
    if absent := [name for name in scored if not numbers["train"]["positives"][name]]:
        count = f"{len(absent)} of {len(scored)} classes in the macro"
        return [
            f"No recording that was fitted has {', '.join(absent)} ({count}), so scores of it say nothing"
        ]
    return []


def _left_out(numbers: Report) -> list[str]:
    """Classes that are not in the macro, though they could be scored."""
    if absent := numbers.get("unlearnable", []):  # results of before count them
        names = ", ".join(absent)
        return [f"No recording to be fitted has {names}: left out of the macro, as no method could learn it"]
    return []


def _exposures(numbers: Report) -> list[_Said]:
    return [
        _Said(name, text)
        for name, found in numbers.get("pretrained_on_test", {}).items()
        for text in _exposure(found)
    ]


def _exposure(numbers: Report | None) -> list[str]:
    """What is known, and what is not, of what an encoder saw of the test; after its name."""
    if numbers is None:
        return [": its pretraining data are not at hand: cannot tell whether it saw the test"]
    found = Exposure(**numbers)  # results of before lack what is 0 or empty by default
    lines = []
    if shared := shared_text(found):
        lines.append(f" saw {shared} of the test in pretraining, unlabelled")
    elif found.named:
        parts = as_specification(found.named)
        lines.append(f" was pretrained on {parts}, which the test names too, {BY_NAME}")
    if found.changed:
        lines.append(": the data of that name are not those that it was trained on; it may have seen more")
    if found.unknown:
        lines.append(
            f": {as_specification(found.unknown)} of its pretraining data are not at hand, or may be others "
            "of that name: cannot tell whether it saw more of the test"
        )
    ids = (SharedIds(**each) for each in numbers.get("ids_in_both", ()))
    lines += [f": {shared_ids_text(each, ' of its pretraining data')}" for each in ids]
    return lines
