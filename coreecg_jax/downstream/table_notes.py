"""What must be known of a table of results as a whole: what it is without, and what its intervals hold."""

from collections.abc import Iterable, Sequence

from coreecg_jax.downstream.result_files import Report


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
