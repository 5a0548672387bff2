"""What must be known of a table of results as a whole: what it is without, and what its intervals hold."""

from collections.abc import Iterable, Sequence

from coreecg_jax.downstream.result_files import Report

# Below results that are out of fold (`scores`: why an AUROC is not of all recordings together).
OUT_OF_FOLD = (
    "AUROC counts pairs within a fold, while AUPRC, F1, Brier score and ECE are of the predictions of all "
    "folds together and may disagree with it."
)


def about_table(results: Sequence[Report]) -> list[str]:
    """What stands beside none of the results, and what none was looked at for."""
    told = []
    absent = [set(each.get("incomplete_without", ())) for each in results]
    if absent and (of_all := set.intersection(*absent)):
        names = ", ".join(name for name in results[0]["incomplete_without"] if name in of_all)
        told.append(f"**Incomplete: without {names}.** What stands beside is asked once a seed, of one row.")
    if results and all(str(each.get("protocol", "")).startswith("development") for each in results):
        told.append("What the encoders saw of these recordings in pretraining was not looked at.")
    return told


def about_what_stands_beside(beside: Sequence[str], reference: str, has_kernels: bool) -> list[str]:
    """Of rows that are no pretraining: the sign of their differences, and what the rival's mean is over."""
    if not beside:
        return []
    sign = (
        f"− {reference} is the row minus {reference} in every row: of what stands beside "
        f"({', '.join(beside)}) it is minus the advantage of {reference}, whose sign is the other one in the "
        "tables of launch.evaluate (pretrained − …)."
    )
    drawn = "Cells are results; the rival has no seed of pretraining, and its mean is over the kernels named."
    return [sign, drawn] if has_kernels else [sign]


def about_intervals(runs: Iterable[tuple[str, str, int]]) -> list[str]:
    """What the intervals of lines hold, by the (row, question, seed) of each result."""
    seeds: dict[tuple[str, str], set[int]] = {}
    for row, question, seed in runs:
        seeds.setdefault((row, question), set()).add(seed)
    if not seeds:
        return []
    questions = {question for _, question in seeds}
    lone = [
        row if len(questions) == 1 else f"{row} ({question})"
        for (row, question), known in seeds.items()
        if len(known) < 2
    ]
    said = "Intervals hold patients and the scatter of seeds and of draws of labels"
    if lone:
        said += f"; of one seed alone, of whose scatter they say nothing: {', '.join(lone)}"
    return [f"{said}."]
