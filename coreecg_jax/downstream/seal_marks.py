"""What a result says of the opening of its test, or of what it was scored on in development."""

from coreecg_jax.downstream.openings import FILE, times
from coreecg_jax.downstream.result_files import Report


def seal_marks(numbers: Report) -> list[str]:
    """Sentences of a result; of one of before, whose opening says less, fewer."""
    return _opening_marks(numbers) if numbers["opening"] else development_marks(numbers)


def development_marks(numbers: Report) -> list[str]:
    """Of what is scored in development: whether it was a test before, and whether that was written down."""
    known = numbers.get("development")
    if not known:
        return []
    lines = []
    if opened := known["opened_before"]:
        lines.append(
            f"**A part of what is scored here was opened as a test {times(opened)} by this run before**: "
            "what is chosen by these scores is chosen by that test."
        )
    if known["failed"]:
        lines.append(f"**{known['failed']}**")
    if log := known["log"]:
        lines.append(
            f"**Written down in {log}, not in the log beside the data ({FILE}): an opening that is counted "
            "there will not say that this run was scored here.**"
        )
    return lines


def seal_marks_of_row(numbers: Report) -> list[str]:
    """The same of the results of a row of a table, but for the number of its own questions; without a full
    stop."""
    opening, development = numbers.get("opening") or {}, numbers.get("development") or {}
    lines = []
    if (own := opening.get("number_by_run", 0)) > 1:
        lines.append(f"The labels of the test were opened {times(own)} by the run")
    if opening.get("in_development"):
        lines.append(
            "The run was scored in development on a part of the test: what was chosen by that was chosen by "
            "the test"
        )
    if log := opening.get("log"):
        lines.append(_counted_elsewhere(log))
    if development.get("opened_before"):
        lines.append(
            "A part of what is scored was opened as a test by the run before: what is chosen by these scores "
            "is chosen by that test"
        )
    if development.get("failed"):
        lines.append(
            "It is not known whether the run opened this as a test, or that it was scored here was not "
            "written down"
        )
    return lines


def _opening_marks(numbers: Report) -> list[str]:
    opening = numbers["opening"]
    own, elsewhere = opening["number_by_run"], opening.get("in_other_questions", 0)
    again = [f"{times(own)} by this run"] * (own > 1)
    again += [f"{times(elsewhere)} by this run in other questions"] * (elsewhere > 0)
    marked = f", **{' and '.join(again)}**" if again else ""
    lines = [f"The labels of this test were opened {times(opening['number_by_all'])} so far{marked}."]
    if scored := opening.get("in_development"):
        lines.append(
            f"**This run was scored {times(scored)} in development on a part of this test, by these labels "
            "or others: what was chosen by that was chosen by the test.**"
        )
    if log := opening.get("log"):  # results of before do not say it
        lines.append(f"**{_counted_elsewhere(log)}.**")
    return lines


def _counted_elsewhere(log: str) -> str:
    return (
        f"Counted in {log}, not in the log beside the data ({FILE}): openings that stand in others are not "
        "in these numbers"
    )
