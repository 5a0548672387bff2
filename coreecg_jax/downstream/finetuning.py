"""A head on an encoder, trained by gradients: attention probe, full fine-tuning, from scratch."""

import functools
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.downstream.choosing import Standing, positives_to_choose_by, standing
from coreecg_jax.downstream.features import crop_features, recording_rows
from coreecg_jax.downstream.finetuning_settings import Settings
from coreecg_jax.downstream.finetuning_step import Parameters, TuneState, Windows, compiled
from coreecg_jax.downstream.heads import init_head
from coreecg_jax.downstream.refusals import NotFitted
from coreecg_jax.downstream.tokens import ENCODER, leads_in_use
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.normalisation import MILLIVOLTS_PER_STORED_UNIT
from coreecg_jax.training.optimizer import schedule


class Epoch(NamedTuple):
    """One pass over the training recordings."""

    number: int  # from 1
    train_loss: float  # binary cross-entropy, mean over recordings and classes
    validation: Standing


class Tuned(NamedTuple):
    """A head and its encoder as they were after an epoch, at last the best."""

    encoder: Parameters  # of the whole network, of which the encoder alone was trained
    head: Parameters
    best_epoch: int  # by validation (`choosing`), the first of equals; of a refit, how many there were
    history: tuple[Epoch, ...]


def fine_tune(
    network: CoReECG,
    parameters: Parameters,
    train_recordings: Recordings,
    train_labels: np.ndarray,
    validation_recordings: Recordings,
    validation_labels: np.ndarray,
    settings: Settings,
    *,
    crop_seconds: float,
    seed: int,
    known: np.ndarray | None = None,
    validation_known: np.ndarray | None = None,
) -> Tuned:
    """Trains a head, and the encoder unless it is frozen, and stops by validation.

    The epoch of the best macro AUROC is returned, of equals that of the smallest log loss, then the first.

    Each epoch sees every recording once, or as often as `settings.min_epoch_steps` asks for, by a random crop
    of one of its windows; the last batch is filled up with recordings of the same epoch. From the drawn
    parameters of `init_parameters` this is supervised training from scratch.

    Args:
      network: the network.
      parameters: its parameters, pretrained or not; left as they are.
      train_recordings: windows of R recordings.
      train_labels: bool (R, C), recordings in the order of first appearance.
      validation_recordings: of other patients.
      validation_labels: bool, as many classes.
      settings: of the training.
      crop_seconds: of a crop, a whole number of patches.
      seed: of the head, the order, crops and all that is drawn.
      known: bool (R, C), where a training label says something, and is learned from (`vocabularies`); None:
        everywhere. validation_known: the same of the validation's.

    Raises:
      ValueError: when labels, recordings and crops do not fit, no class of the validation has both labels, or
        the loss is not finite.
    """
    _require_labels("validation", validation_recordings, validation_labels, train_labels)
    positives_to_choose_by(validation_labels, validation_known)  # raises before anything is trained
    epochs = _epochs(
        *(network, parameters, train_recordings, train_labels, settings),
        crop_seconds=crop_seconds,
        seed=seed,
        known=known,
    )
    history: list[Epoch] = []
    best = None
    for now, loss in epochs:
        predicted = predict(network, now, validation_recordings, crop_seconds=crop_seconds, settings=settings)
        found = standing(predicted, validation_labels, known=validation_known)
        history.append(Epoch(now.best_epoch, loss, found))
        if best is None or history[-1].validation.better_than(history[best.best_epoch - 1].validation):
            best = jax.tree.map(np.array, now)._replace(best_epoch=now.best_epoch)  # memory is used again
        elif now.best_epoch >= settings.min_epochs and now.best_epoch - best.best_epoch >= settings.patience:
            break
    assert best is not None
    return best._replace(history=tuple(history))


def refit(
    network: CoReECG,
    parameters: Parameters,
    recordings: Recordings,
    labels: np.ndarray,
    settings: Settings,
    *,
    epochs: int,
    crop_seconds: float,
    seed: int,
    known: np.ndarray | None = None,
) -> Tuned:
    """Trains as `fine_tune` does, for so many epochs and without a validation set.

    For an epoch that was chosen by a part of these recordings, after which all of them may be learned from.
    The learning rates are those of the first `epochs` of `settings.epochs`. The other arguments are those of
    `fine_tune`, and the result has no history.

    Raises:
      ValueError: when labels, recordings and crops do not fit, there are not so many epochs, or the loss is
        not finite.
    """
    if not 1 <= epochs <= settings.epochs:
        raise ValueError(f"epochs: expected 1 to {settings.epochs}, those of the settings, got {epochs}")
    of = network, parameters, recordings, labels, settings
    each = _epochs(*of, crop_seconds=crop_seconds, seed=seed, known=known)
    *_, (last, _) = itertools.islice(each, epochs)
    return jax.tree.map(np.array, last)._replace(best_epoch=epochs)


def _epochs(
    network: CoReECG,
    parameters: Parameters,
    recordings: Recordings,
    labels: np.ndarray,
    settings: Settings,
    *,
    crop_seconds: float,
    seed: int,
    known: np.ndarray | None,
) -> Iterator[tuple[Tuned, float]]:
    """What there is after each epoch, in memory that the next one uses again, and the loss."""
    samples = crop_samples(network, recordings, crop_seconds)
    _require_labels("train", recordings, labels, labels)
    places, classes = leads_in_use(recordings), labels.shape[1]
    functions = compiled(network, settings, classes=classes, places=places, samples=samples)
    head_key = jax.random.fold_in(jax.random.key(seed), 2**31)  # steps are folded in from 0 on
    trained = {"head": init_head(functions.head, head_key, network.width, len(places), labels, known)}
    fixed = {name: each for name, each in parameters.items() if settings.frozen or name not in ENCODER}
    if not settings.frozen:
        trained["encoder"] = {name: each for name, each in parameters.items() if name in ENCODER}
    fixed = jax.device_put(fixed)
    about = labels, np.ones_like(labels) if known is None else known
    run_epoch = functools.partial(_run_epoch, functions.step, fixed, recordings, about)
    state = functions.start(trained)
    for number, rates in enumerate(_rates(settings, epoch_steps(len(labels), settings)), 1):
        state, loss = run_epoch(state, rates, settings, seed, number)
        if not np.isfinite(loss):
            raise NotFitted(
                f"fine-tuning: the loss is {loss} in epoch {number}; lower learning_rate, got "
                f"{settings.learning_rate:g}"
            )
        yield Tuned({**fixed, **state.trained.get("encoder", {})}, state.trained["head"], number, ()), loss


def predict(
    network: CoReECG,
    tuned: Tuned,
    recordings: Recordings,
    *,
    crop_seconds: float,
    settings: Settings,
) -> np.ndarray:
    """Probabilities float64 (R, C), recordings in the order of first appearance.

    The mean over evenly spaced crops of each window and over the windows of a recording.

    Raises:
      ValueError: when crops do not fit, or a probability is not finite.
    """
    samples = crop_samples(network, recordings, crop_seconds)
    classes = len(tuned.head["output"]["bias"])
    places = leads_in_use(recordings)
    functions = compiled(network, settings, classes=classes, places=places, samples=samples)
    on_device: Any = jax.device_put((tuned.encoder, tuned.head))
    probabilities = crop_features(
        functools.partial(functions.probabilities, *on_device),
        recordings,
        crop_seconds=crop_seconds,
        crops=settings.evaluate_crops,
        batch_size=settings.batch_size,
    )
    # The weights of many crops may add up to a little more than 1.
    return np.clip(probabilities.astype(np.float64), 0.0, 1.0)


def crop_samples(network: CoReECG, recordings: Recordings, crop_seconds: float) -> int:
    """Samples of a crop.

    Raises:
      ValueError: when they are no whole number of patches, or more than a window has.
    """
    about = recordings.preprocessing
    samples = round(crop_seconds * about.sampling_rate)
    if samples < 1 or samples % network.patch or samples > about.window_samples:
        raise ValueError(
            f"crop_seconds: expected a whole number of patches ({network.patch} samples) and at most "
            f"the stored {about.window_seconds:g} s, got {crop_seconds:g} s = {samples} samples"
        )
    return samples


def epoch_steps(recordings: int, settings: Settings) -> int:
    """Steps of an epoch of so many recordings."""
    return max(-(-recordings // settings.batch_size), settings.min_epoch_steps)


def epoch_rows(owner: np.ndarray, batch_size: int, *, steps: int, seed: int, epoch: int) -> np.ndarray:
    """The windows of an epoch, int (steps, batch_size): one of each recording, in random order.

    Where that does not fill the steps, all recordings come again, in another order and by windows drawn
    anew; what the last batch then lacks is taken from the beginning.

    Args:
      owner: for each window the number of its recording (`features.recording_rows`).
      batch_size: recordings of a step.
      steps: at least so many that each recording is seen (`epoch_steps`).
      seed: of the training.
      epoch: its number.
    """
    rng = np.random.default_rng([seed, epoch])
    by_recording, windows = np.argsort(owner, kind="stable"), np.bincount(owner)

    def once() -> np.ndarray:
        chosen = np.floor(rng.random(len(windows)) * windows).astype(int)
        return rng.permutation(by_recording[np.cumsum(windows) - windows + chosen])

    passes = max(1, steps * batch_size // len(windows))
    return np.resize(np.concatenate([once() for _ in range(passes)]), (steps, batch_size))


def _run_epoch(
    step: Any,
    fixed: Parameters,
    recordings: Recordings,
    labels_and_known: tuple[np.ndarray, np.ndarray],
    state: TuneState,
    rates: np.ndarray,
    settings: Settings,
    seed: int,
    epoch: int,
) -> tuple[TuneState, float]:
    owner = recording_rows(recordings)
    rows_of_steps = epoch_rows(owner, settings.batch_size, steps=len(rates), seed=seed, epoch=epoch)
    unit = np.float32(MILLIVOLTS_PER_STORED_UNIT * recordings.preprocessing.microvolts_per_unit)
    losses = []
    for rows, rate in zip(rows_of_steps, rates, strict=True):
        ecg_BLW, length_B, available_BL, _ = recordings.batch(rows)
        labels_BC, known_BC = (each[owner[rows]] for each in labels_and_known)
        windows = Windows(*map(jnp.asarray, (ecg_BLW, length_B, available_BL, labels_BC, known_BC)))
        state, loss = step(state, fixed, windows, unit, rate, np.uint32(seed))
        losses.append(loss)
    return state, float(np.mean(jax.device_get(losses)))


def _rates(settings: Settings, steps: int) -> np.ndarray:
    """The learning rate of every step, float32 (epochs, steps of an epoch)."""
    total = settings.epochs * steps
    rate = schedule(settings.learning_rate, warmup_steps=round(settings.warmup_epochs * steps), steps=total)
    return np.asarray(rate(np.arange(total)), np.float32).reshape(settings.epochs, steps)


def _require_labels(name: str, recordings: Recordings, labels: np.ndarray, like: np.ndarray) -> None:
    count = recording_rows(recordings).max(initial=-1) + 1
    if labels.shape != (count, like.shape[-1]) or labels.dtype != np.bool_:
        raise ValueError(
            f"{name} labels: expected bool of {count} recordings and {like.shape[-1]} classes, got "
            f"{labels.dtype} of shape {labels.shape}"
        )
