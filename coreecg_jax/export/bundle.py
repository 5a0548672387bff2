"""A bundle in use: embeddings, tokens, reconstruction and importance of any recording, with any leads."""

import dataclasses
import functools
import math
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from coreecg_jax.export import crops, filling, programs, recordings
from coreecg_jax.export.description import Description, require_trained_decoder
from coreecg_jax.export.importance import Importance, importance_of
from coreecg_jax.export.kept_programs import KeptProgram
from coreecg_jax.export.recordings import Conditioned, Windows
from coreecg_jax.export.signals import Signal, several_of
from coreecg_jax.method.layers import taken_apart
from coreecg_jax.records.conditioning import filters_are_imported, import_filters
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.refusals import RecordingRefused
from coreecg_jax.startup import collected_later

AT_ONCE = 64  # recordings whose windows are in memory; of the recordings themselves one or two are


class UnseenLeads(UserWarning):
    """An embedding from fewer leads than the encoder ever saw in training."""


class Tokens(NamedTuple):
    """What the encoder makes of one crop of each recording."""

    tokens_BLND: np.ndarray  # float32, leads in the order of LEADS, columns in time; 0 where not seen
    global_BD: np.ndarray  # float32
    seen_BLN: np.ndarray  # bool, where there was a signal


@dataclasses.dataclass(frozen=True, eq=False)
class Bundle:
    """A loaded bundle; `loading.load` makes it.

    Attributes:
      description: all of its config.json.
      parameters: of the network, float32.
      fda: parameters of FDA.
    """

    description: Description
    parameters: dict[str, Any]
    fda: dict[str, Any]

    def __repr__(self) -> str:
        return f"Bundle({self.description.in_short()})"

    def embed(
        self,
        signal: Signal,
        *,
        fs: float,
        leads: Sequence[str] = LEADS,
        bad_leads: str = "refuse",
        conditioned: bool = False,
    ) -> np.ndarray:
        """One embedding a recording, float32[n, F].

        The recording is resampled, filtered and cut into windows as the training data were; the embedding is
        the mean over evenly spaced crops of its windows. Missing leads are masked; limb leads that the others
        determine are derived.

        Args:
          signal: in mV, one recording [leads, samples], several of one length [n, leads, samples], or a list.
          fs: its sampling rate, Hz.
          leads: names of its rows, any subset of the twelve in any order.
          bad_leads: 'refuse' a recording with a lead that is flat, saturated or has NaN, or 'mask' it.
          conditioned: the signal has the bundle's rate and was filtered so already.

        Raises:
          RecordingRefused: when a recording is too short, or cannot be used for another reason.
          ValueError: when leads, shape, rate or type make no sense.
        """
        several = several_of(signal)
        if not (conditioned or filters_are_imported()):
            self._compile_while_importing(several[:AT_ONCE], fs, leads)
        parts = []
        for first in range(0, len(several), AT_ONCE):  # windows of so many are held, not of all
            some = several[first : first + AT_ONCE]
            asked: Any = {"fs": fs, "leads": leads, "bad_leads": bad_leads, "conditioned": conditioned}
            preprocessing = self.description.preprocessing
            done = self._each_conditioned(some, **asked, first=first)
            cut = [recordings.windows_of(one, preprocessing) for one in done]
            self.warn_of_unseen(cut)
            parts.append(self.embed_windows(cut))
        return np.concatenate(parts)

    def tokens(
        self,
        signal: Signal,
        *,
        fs: float,
        leads: Sequence[str] = LEADS,
        start: float = 0.0,
        bad_leads: str = "refuse",
        conditioned: bool = False,
    ) -> Tokens:
        """The encoder's tokens of one crop of each recording, from `start` seconds on; else as `embed`."""
        done = self.condition(signal, fs=fs, leads=leads, bad_leads=bad_leads, conditioned=conditioned)
        self.warn_of_unseen(done)
        samples = self.description.representation.crop_samples
        ecg_BLT, available_BL, length_B = self._crop(done, start, samples)
        network: Any = self.description.network
        encoded = programs.tokens(network)(self._placed, ecg_BLT, available_BL, length_B)
        tokens_BLND, global_BD, seen_BLN = (np.asarray(x) for x in encoded)
        return Tokens(np.where(seen_BLN[..., None], tokens_BLND, 0.0), global_BD, seen_BLN)

    def reconstruct(
        self,
        signal: Signal,
        *,
        fs: float,
        leads: Sequence[str] = LEADS,
        hidden: Sequence[tuple[float, float]] = (),
        start: float = 0.0,
        bad_leads: str = "refuse",
        conditioned: bool = False,
    ) -> filling.Reconstruction:
        """All twelve leads of one crop of each recording, as long as those of training.

        Each sample is measured, derived from other limb leads, or generated.

        Args:
          signal, fs, leads, bad_leads, conditioned: as of `embed`.
          hidden: spans (from, to) in seconds of the recording that are to be filled, in all leads; whole
            columns are, so a little more than the span.
          start: of the crop, seconds of the recording.

        Raises:
          RecordingRefused, ValueError: as `embed`; also when spans or start lie outside, nothing is left, or
            the decoder was not trained.
        """
        require_trained_decoder(self.description)
        done = self.condition(signal, fs=fs, leads=leads, bad_leads=bad_leads, conditioned=conditioned)
        self.warn_of_unseen(done)
        spans = tuple((first - start, last - start) for first, last in hidden)
        crop = self._crop(done, start, self.description.training.crop_samples)
        return filling.reconstruct(self.description, self._placed, *crop, spans)

    def importance(self) -> Importance:
        """Which frequencies FDA protects, for a recording whose energy is neutral.

        Raises:
          ValueError: when FDA learned nothing.
        """
        return importance_of(self.description, self.fda)

    def _program(self, places: tuple[int, ...]) -> KeptProgram:
        network: Any = self.description.network  # hashable, though its type does not say so
        leads = tuple(LEADS[place] for place in places)
        return programs.embedding(network, leads, self.description.representation.pooling)

    def _compile_while_importing(
        self, several: Sequence[np.ndarray], fs: float, leads: Sequence[str]
    ) -> None:
        """Compiles what these recordings need, if they are as they seem, while their filters are imported."""
        preprocessing = self.description.preprocessing
        places, windows = recordings.expected_windows(several, fs, leads, preprocessing)
        with collected_later(), ThreadPoolExecutor(1) as beside:
            beside.submit(import_filters)  # what may fail there fails again where it is needed, and is told
            if windows:  # else all are too short or odd, which conditioning says
                shapes = crops.arguments(windows, len(places), self.description.representation)
                self._program(places).compile(self._placed, *shapes)

    @functools.cached_property
    def _placed(self) -> dict[str, Any]:
        """The parameters where they are computed with, as they are computed with: handed over once."""
        stacks = {
            name: taken_apart(part) for name, part in self.parameters.items() if name.endswith("_stack")
        }
        return jax.device_put({**self.parameters, **stacks})

    @functools.cached_property
    def width(self) -> int:
        """Numbers of an embedding."""
        return programs.width(self.description, self.parameters)

    def condition(
        self,
        signal: Signal,
        *,
        fs: float,
        leads: Sequence[str],
        bad_leads: str,
        conditioned: bool,
    ) -> list[Conditioned]:
        """Each recording at the bundle's rate and band; arguments and errors as of `embed`."""
        asked: Any = {"fs": fs, "leads": leads, "bad_leads": bad_leads, "conditioned": conditioned}
        return list(self._each_conditioned(several_of(signal), **asked))

    def _each_conditioned(
        self,
        several: Sequence[np.ndarray],
        *,
        fs: float,
        leads: Sequence[str],
        bad_leads: str,
        conditioned: bool,
        first: int = 0,
    ) -> Iterator[Conditioned]:
        """As `condition`, one after the other; `first` is the number that errors give to the first."""
        recordings.places_of(leads)  # what is wrong with these is so for all: no recording is to be named
        recordings.hertz_of(fs)
        preprocessing = self.description.preprocessing
        alone = first == 0 and len(several) == 1
        for number, one in enumerate(several, first):
            try:
                raw = recordings.placed(one, fs, leads)
            except ValueError as error:
                raise ValueError(str(error) if alone else f"recording {number}: {error}") from None
            try:
                yield recordings.conditioned_of(
                    raw, preprocessing, bad_leads=bad_leads, conditioned=conditioned
                )
            except RecordingRefused as refusal:
                which = f"recording {number}: {refusal.sentence}"
                raise RecordingRefused(refusal.reason, which) from None

    def embed_windows(self, prepared: Sequence[Windows], places: Sequence[int] = ()) -> np.ndarray:
        """Embeddings float32[n, F] of recordings that were prepared; says nothing of unseen leads.

        One program is compiled for each set of leads, those that any recording has and those at `places`.
        """
        there_L = np.any([one.available_L for one in prepared], axis=0)
        used = tuple(sorted({*places, *np.flatnonzero(there_L).tolist()}))
        embed = functools.partial(self._program(used), self._placed)
        return crops.embed_recordings(embed, prepared, self.description.representation, used)

    def warn_of_unseen(self, done: Sequence[Conditioned | Windows]) -> None:
        """Warns of every set of leads that is smaller than any that the encoder saw in training."""
        sets = {tuple(one.available_L.tolist()) for one in done}
        for available in sorted(sets):
            there = np.array(available)
            if self.is_unseen(there):
                names = tuple(lead for lead, is_there in zip(LEADS, there) if is_there)
                warnings.warn(self._unseen(names), UnseenLeads, stacklevel=3)

    def is_unseen(self, available_L: np.ndarray) -> bool:
        """Whether training never left the encoder so few leads, those that can be derived counted."""
        return bool(recordings.derivable(available_L).sum() < self.description.training.fewest_leads)

    def known_accuracy(self, leads: Sequence[str]) -> str:
        """What is known of the accuracy with these leads, those that limb leads determine counted."""
        there_L = recordings.leads_named(leads)
        known = [
            f"{one.task}, {one.probe}, leads {', '.join(one.leads)}: macro AUROC {one.macro_auroc:.3f} "
            f"({one.low:.3f} to {one.high:.3f})"
            for one in self.description.accuracy
            if recordings.same_leads(recordings.leads_named(one.leads), there_L)
        ]
        return "; ".join(known) or "nothing known"

    def _unseen(self, names: tuple[str, ...]) -> str:
        return (
            f"leads {', '.join(names)} alone: training never left the encoder fewer than "
            f"{self.description.training.fewest_leads} leads. Accuracy of these: {self.known_accuracy(names)}"
        )

    def _crop(
        self, done: Sequence[Conditioned], start: float, samples: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One crop of each recording: float32[B, 12, T], bool[B, 12] and its valid samples int32[B]."""
        rate, patch = self.description.preprocessing.sampling_rate, self.description.network.patch
        first = round(start * rate) if math.isfinite(start) else -1
        for number, one in enumerate(done):
            last = one.ecg_LT.shape[1] - patch  # the encoder reads whole patches only
            if not 0 <= first <= last:
                raise ValueError(
                    f"start: expected 0 to {last / rate:g} s in recording {number}, got {start:g} s"
                )
        rest = [one.ecg_LT[:, first : first + samples] for one in done]
        ecg_BLT = np.stack([np.pad(x, ((0, 0), (0, samples - x.shape[1]))) for x in rest])
        length_B = np.array([x.shape[1] for x in rest], np.int32)
        return ecg_BLT.astype(np.float32), np.stack([one.available_L for one in done]), length_B
