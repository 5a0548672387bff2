"""What was drawn for each run of a result: the seeds of encoders, of kernels, or of both."""

from collections.abc import Mapping, Sequence

from coreecg_jax.downstream.methods import JOINED, RIVAL
from coreecg_jax.downstream.result_files import Report
from coreecg_jax.downstream.scatter import Drawn


def drawn_of(method: str, runs: Sequence[str], encoders: Sequence[Report]) -> list[Drawn]:
    """What was drawn for each run of a method: the seed of its encoder, of its kernels, or of both.

    Args:
      method: its name.
      runs: the names of its runs, in the order of the encoders where each has one.
      encoders: as a result names them, with 'name' and 'seed'.
    """
    seeds = [each["seed"] for each in encoders]
    if len(set(seeds)) < len(seeds):  # of one seed on two machines
        seeds = [each["name"] for each in encoders]
    if method == RIVAL:
        return [{"kernels": name.removesuffix(", linear probe")} for name in runs]
    if method == JOINED:
        by_name = {each["name"]: seed for each, seed in zip(encoders, seeds)}
        pairs = [name.rpartition(", ") for name in runs]
        return [{"seed": by_name.get(encoder, encoder), "kernels": kernels} for encoder, _, kernels in pairs]
    if len(seeds) == len(runs):
        return [{"seed": seed} for seed in seeds]
    return [{"run": name} for name in runs]


def trainings(method: str, runs: Sequence[str], encoders: Sequence[Report]) -> int:
    """How many seeds the runs of a method are of; one encoder with several sets of kernels is one."""
    drawn = drawn_of(method, runs, encoders)
    factor = "seed" if "seed" in drawn[0] else next(iter(drawn[0]))
    return len({each[factor] for each in drawn})


def told_of_scatter(runs: Mapping[str, int]) -> str:
    """What is to be said of intervals of methods of so many `trainings` each."""
    lone = [method for method, count in runs.items() if count < 2]
    text = "with what the scatter of runs adds to that of their mean"
    if not lone:
        return text
    said = f"of one run each is {', '.join(lone)}: how far trainings scatter is not in those intervals"
    return said if len(lone) == len(runs) else f"{text}; {said}"
