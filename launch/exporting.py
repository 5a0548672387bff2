"""From a run to what a bundle says of it."""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

import coreecg_jax
from coreecg_jax.downstream.methods import JOINED, PRETRAINED, frozen_crops
from coreecg_jax.downstream.provenance import digest_of_parameters
from coreecg_jax.downstream.result_files import read_report
from coreecg_jax.export.description import (
    Accuracy,
    Description,
    Normalisation,
    Recovery,
    Representation,
    Training,
    require_trained_decoder,
)
from coreecg_jax.export.judging import Held, Question, judged, question_of, usual_questions
from coreecg_jax.export.parts import PARTS, part_of
from coreecg_jax.export.tensors import flat
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.inputs.selection import select
from coreecg_jax.method.objective import Objective
from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.experiment import build
from coreecg_jax.training.identity import differences

_DRAWS = 256  # of masks, to see how few leads they leave


def description_of(
    workdir: str,
    *,
    parts: Sequence[str] = PARTS,
    pooling: str,
    crops: int,
    data_root: str | None = None,
    evaluations: Sequence[str] = (),
    recovered_on: str = "",
    recovered_from: Sequence[str] = (),
) -> tuple[Description, dict[str, Any]]:
    """What the bundle of a run says, and the parameters of the run.

    `parts` are those of the network that the bundle is to hold, `evaluations` files of launch.evaluate,
    `recovered_on` a data specification, `recovered_from` more sets of leads for which the reconstruction is
    judged on it (`judging.question_of`).

    Raises:
      FileNotFoundError, ValueError: when there is no checkpoint, it cannot be read, or an evaluation is of
        another encoder.
    """
    questions = [question_of(text) for text in recovered_from]
    if questions and not recovered_on:
        raise ValueError("--recovered_from: expected --recovered_on too, the data on which it is judged")
    if recovered_on and "decoder" not in parts:
        raise ValueError(
            f"--recovered_on: expected the decoder among --parts, got {','.join(parts)}: a bundle without it "
            "reconstructs nothing"
        )
    loaded = load_parameters(workdir)
    config, objective = loaded.config, build(loaded.config, loaded.preprocessing).objective
    root = data_root or config.data.root
    training = Training(
        method=config.method,
        data=config.data.train,
        manifests=_manifests(loaded.data.get("train", {}), root, config.data.train),
        step=loaded.step,
        seed=config.seed,
        crop_samples=objective.crop_samples,
        dtype=config.model.dtype,
        fda_mode=objective.fda.mode,
        target_floor=objective.target_floor,
        fewest_leads=fewest_leads(objective),
        decoder_trained=objective.lambda_r > 0,
    )
    about, patch = loaded.preprocessing, objective.network.patch
    seconds, crops = frozen_crops(pooling, patch, about, config.data.crop_seconds, crops)
    description = Description(
        network=objective.network.clone(dtype="float32"),
        preprocessing=about,
        normalisation=Normalisation(),
        representation=Representation(pooling, round(seconds * about.sampling_rate), crops),
        training=training,
        parts=tuple(parts),
        labels=labels_of(evaluations),
        accuracy=tuple(
            accuracy_of(file, digest_of_parameters(loaded.params), pooling) for file in evaluations
        ),
        project_version=coreecg_jax.__version__,
    )
    if recovered_on:
        known = _recovery(description, loaded.parameters, root, recovered_on, questions)
        description = dataclasses.replace(description, recovery=known)
    return description, loaded.parameters


def accuracy_of(file: str, digest: str, pooling: str) -> Accuracy:
    """What an evaluation says of one pretrained encoder, whichever other seeds it was asked with.

    Args:
      file: JSON of launch.evaluate.
      digest: of the encoder's parameters (`provenance.digest_of_parameters`).
      pooling: of the bundle, which must be that of the evaluation.

    Raises:
      FileNotFoundError, ValueError: when it is no result of launch.evaluate, or of other encoders.
    """
    numbers = read_report(file)
    try:
        encoders = [(one["digest"], one["pooling"]) for one in numbers["encoders"]]
        if (digest, pooling) not in encoders:
            asked = ", ".join(f"{one['name']} ({one['pooling']})" for one in numbers["encoders"])
            raise ValueError(
                f"--evaluation: {file} is of other encoders or poolings ({asked}): expected this checkpoint "
                f"with pooling {pooling}; run launch.evaluate with it"
            )
        runs = numbers["scores"][PRETRAINED]["runs"]
        auroc = runs[encoders.index((digest, pooling))]["macro_auroc"]
        return Accuracy(
            task=numbers["task"]["name"],
            leads=tuple(numbers["subset"]["leads"]),
            probe=numbers["probe"],
            protocol=numbers["protocol"],
            macro_auroc=float(auroc["value"]),
            low=float(auroc["low"]),
            high=float(auroc["high"]),
            beside={
                name: float(each["macro_auroc"]["value"])
                for name, each in numbers["scores"].items()
                if name not in (PRETRAINED, JOINED)
            },
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"--evaluation: {file} has no score of a pretrained encoder: {error!r}") from error


def labels_of(evaluations: Sequence[str]) -> tuple[str, ...]:
    """Names of the classes that the evaluations scored, each once, in their order.

    Raises:
      FileNotFoundError, ValueError: when a file is no result of launch.evaluate.
    """
    names: dict[str, None] = {}
    for file in evaluations:
        label_set = read_report(file).get("label_set", {})  # reports of old have none
        names |= dict.fromkeys(str(name) for name in label_set.get("classes", []))
    return tuple(names)


def sizes(out: str, network: Mapping[str, Any], parts: Sequence[str]) -> str:
    """The size of each file of a bundle, as a Markdown table, and parameters by part, left out ones too."""
    files = sorted(Path(out).iterdir())
    table = "".join(f"\n| {path.name} | {path.stat().st_size / 1e6:,.3f} |" for path in files)
    counts = dict.fromkeys(PARTS, 0)
    for name, x in flat(network).items():
        counts[part_of(name.split(".")[0])] += x.size
    told = [f"{part} {count:,}{'' if part in parts else ' (left out)'}" for part, count in counts.items()]
    return f"| file | MB |\n|---|---:|{table}\n\nparameters: {', '.join(told)}"


def _recovery(
    description: Description, parameters: dict[str, Any], root: str, spec: str, asked: Sequence[Question]
) -> tuple[Recovery, ...]:
    """The error of what `reconstruct` generates, by lead, for the usual sets of leads and those asked for."""
    require_trained_decoder(description)
    trained_on = description.training.data
    seen = set(select(root, trained_on, shards=False).files) & set(select(root, spec).files)
    if seen:
        raise ValueError(
            f"--recovered_on: expected recordings that were held out, got {len(seen)} files of the "
            f"training data ({trained_on})"
        )
    samples, rate = description.training.crop_samples, description.preprocessing.sampling_rate
    recordings = read_recordings(root, spec, min_seconds=samples / rate)
    if recordings.preprocessing != description.preprocessing:
        raise ValueError(
            f"--recovered_on: expected data prepared as the training data, {description.preprocessing}, got "
            f"{recordings.preprocessing}"
        )
    millivolts = recordings.preprocessing.microvolts_per_unit / 1000.0
    ecg_BLT = recordings.ecg[:, :, :samples].astype(np.float32) * np.float32(millivolts)
    held = Held(spec, ecg_BLT, recordings.available, np.minimum(recordings.length, samples))
    questions = dict.fromkeys((*usual_questions(description), *asked))
    return tuple(judged(description, parameters["network"], held, question) for question in questions)


def _manifests(noted: Mapping[str, str], root: str, spec: str) -> dict[str, str]:
    """SHA-256 of the manifest of each data set as the run noted it, whatever data lie there by now.

    None of a run of before, which noted none: those that lie there may have been prepared since.
    """
    if not noted:
        print(
            "no manifests of the training data in config.json: the run noted none, as runs of older "
            "versions; an evaluation of this bundle cannot tell which data they were",
            file=sys.stderr,
        )
        return {}
    try:
        there = select(root, spec, shards=False).manifest_digests()
    except (FileNotFoundError, ValueError):  # gone, or others: the run's own are known all the same
        return dict(noted)
    if changed := ", ".join(differences(noted, there)):
        print(
            f"{changed}: the data under {root} are not those of the training, whose digests config.json has: "
            "they were prepared again since, or are others",
            file=sys.stderr,
        )
    return dict(noted)


def fewest_leads(objective: Objective) -> int:
    """Leads of which the encoder saw anything, in the draw of some hundred that leaves fewest."""
    seen_BL = np.asarray(objective.leads_seen(jax.random.key(0), _DRAWS))
    return max(1, int(seen_BL.sum(-1).min()))
