"""What is looked at while a run trains: a probe on its training folds, and pictures for TensorBoard."""

import functools
import io
from collections.abc import Mapping

import ml_collections
from matplotlib.figure import Figure

from coreecg_jax.downstream.examples import example_of
from coreecg_jax.downstream.neighbours import neighbour_score
from coreecg_jax.figures.ecg_paper import Trace, draw_ecg
from coreecg_jax.inputs.reader import Recordings, read_recordings
from coreecg_jax.inputs.selection import select
from coreecg_jax.inputs.together import ALONE, Processes
from coreecg_jax.method.objective import Objective
from coreecg_jax.records.leads import LEADS
from coreecg_jax.training.experiment import build, network_of, resolved
from coreecg_jax.training.state import Parameters
from coreecg_jax.training.validation import Evaluator
from coreecg_jax.training.watching import Draw
from launch.known_tasks import known_tasks


def watched(
    config: ml_collections.ConfigDict, processes: Processes = ALONE
) -> tuple[Mapping[str, Evaluator], Mapping[str, Draw]]:
    """`evaluators` and `pictures`; each process reads by itself what they are made of.

    Raises:
      FileNotFoundError, OSError, ValueError: when data are missing or damaged, or there is no such task; in
        all processes with the same words, whichever of them it concerns.
    """
    return processes.each(lambda: (evaluators(config), pictures(config)))


def evaluators(config: ml_collections.ConfigDict) -> Mapping[str, Evaluator]:
    """The nearest-neighbour score of `run.probe_task`, on its training folds only.

    Raises:
      ValueError: when there is no such task, or all of it is test: a score that is watched for days would be
        chosen by.
    """
    name = config.run.probe_task
    if not name:
        return {}
    tasks = known_tasks()
    if name not in tasks:
        raise ValueError(f"run.probe_task: expected '' or one of {', '.join(sorted(tasks))}, got {name!r}")
    task = tasks[name]
    if task.test is None:
        splits = ", ".join(sorted(name for name, one in tasks.items() if one.test))
        raise ValueError(
            f"run.probe_task: {name} has no test split, all of it is test, which nothing may be chosen by "
            "before it is asked about: expected '' (with which a run goes on too) or a task with a split: "
            f"{splits}"
        )
    score = neighbour_score(network_of(config), task, config.data.root, crop_seconds=config.data.crop_seconds)
    return {"probe": score}


def pictures(config: ml_collections.ConfigDict) -> Mapping[str, Draw]:
    """The reconstruction of the first validation recording."""
    config = resolved(config)
    data = config.data
    # Built before anything is read, as its errors name fields of the config.
    objective = build(config, select(data.root, data.validation).preprocessing).objective
    recordings = read_recordings(data.root, data.validation, min_seconds=data.crop_seconds, most=1)
    return {"reconstruction": functools.partial(_reconstruction, objective, recordings)}


def _reconstruction(objective: Objective, recordings: Recordings, parameters: Parameters) -> bytes:
    return _png(draw_reconstruction(objective, recordings, parameters))


def draw_reconstruction(objective: Objective, recordings: Recordings, parameters: Parameters) -> Figure:
    """The first recording with what is hidden of it and what is recovered."""
    example = example_of(objective, parameters, recordings, 0)
    traces = [Trace("recording", example.recording_LT), Trace("reconstruction", example.prediction_LT)]
    return draw_ecg(
        traces,
        sampling_rate=example.sampling_rate,
        leads=LEADS,
        title=f"recording {example.recording_id}: what is hidden, and what is recovered",
        hidden=example.hidden_LT,
    )


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()
