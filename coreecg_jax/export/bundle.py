"""A bundle in use: embeddings, tokens, reconstruction and importance of any recording, with any leads."""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from coreecg_jax.export import crops, filling, folder, recordings
from coreecg_jax.export.description import Description, read_description
from coreecg_jax.export.recordings import Windows
from coreecg_jax.export.tensors import Shapes, flat, nested, read_tensors
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.representation import represent
from coreecg_jax.method.unmasked import encode_unmasked, read
from coreecg_jax.method.views import FDA
from coreecg_jax.records.leads import LEADS, lead_indices
from coreecg_jax.records.refusals import RecordingRefused

# float[L, T], or float[n, L, T], or a sequence of float[L, T] of any lengths; mV.
Signal = np.ndarray | Sequence[np.ndarray]


class UnseenLeads(UserWarning):
    """An embedding from fewer leads than the encoder ever saw in training."""


class Tokens(NamedTuple):
    """What the encoder makes of one crop of each recording."""

    tokens_BLND: np.ndarray  # float32, leads in the order of LEADS, columns in time; 0 where not seen
    global_BD: np.ndarray  # float32
    seen_BLN: np.ndarray  # bool, where there was a signal


class Importance(NamedTuple):
    """What FDA learned to protect."""

    hertz_M: np.ndarray  # centre of each band
    logit_M: np.ndarray  # mean 0 and deviation 1 over bands: above 0 rather protected, below rather varied
    energy_weight: float  # how much a recording's own energy in a band adds


@dataclasses.dataclass(frozen=True, eq=False)
class Bundle:
    """A loaded bundle; `load` makes it.

    Attributes:
      description: all of its config.json.
      parameters: of the network, float32.
      fda: parameters of FDA.
    """

    description: Description
    parameters: dict[str, Any]
    fda: dict[str, Any]

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
        prepared = self.prepare(signal, fs=fs, leads=leads, bad_leads=bad_leads, conditioned=conditioned)
        self.warn_of_unseen(prepared)
        return self.embed_windows(prepared)

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
        prepared = self.prepare(signal, fs=fs, leads=leads, bad_leads=bad_leads, conditioned=conditioned)
        self.warn_of_unseen(prepared)
        samples = self.description.representation.crop_samples
        ecg_BLT, available_BL, length_B = self._one_crop(prepared, start, samples)
        network: Any = self.description.network
        encoded = _encoder(network)(self.parameters, ecg_BLT, available_BL, length_B)
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
          RecordingRefused, ValueError: as `embed`; also when spans or start lie outside, or nothing is left.
        """
        prepared = self.prepare(signal, fs=fs, leads=leads, bad_leads=bad_leads, conditioned=conditioned)
        self.warn_of_unseen(prepared)
        spans = tuple((first - start, last - start) for first, last in hidden)
        crop = self._one_crop(prepared, start, self.description.training.crop_samples)
        return filling.reconstruct(self.description, self.parameters, *crop, spans)

    def importance(self) -> Importance:
        """Which frequencies FDA protects, for a recording whose energy is neutral."""
        training, rate = self.description.training, self.description.preprocessing.sampling_rate
        s_M = np.asarray(self.fda["s"], np.float64)
        centred_M = s_M - s_M.mean()
        logit_M = centred_M / np.sqrt((centred_M**2).mean() + 1e-6)  # as `views.FDA` standardises
        hertz_M = FDA(mode=training.fda_mode).centres(training.crop_samples, rate)
        return Importance(hertz_M, logit_M, float(self.fda["a"]))

    def prepare(
        self, signal: Signal, *, fs: float, leads: Sequence[str], bad_leads: str, conditioned: bool
    ) -> list[Windows]:
        """Each recording as windows of the bundle's rate and band; arguments and errors as of `embed`."""
        several = [signal] if isinstance(signal, np.ndarray) and signal.ndim == 2 else list(signal)
        if not several:
            raise ValueError("signal: expected at least one recording, got none")
        prepared = []
        for number, one in enumerate(several):
            raw = recordings.placed(one, fs, leads)
            try:
                windows = recordings.windows_of(
                    raw, self.description.preprocessing, bad_leads=bad_leads, conditioned=conditioned
                )
            except RecordingRefused as refusal:
                which = f"recording {number} of {len(several)}: {refusal.sentence}"
                raise RecordingRefused(refusal.reason, which) from None
            prepared.append(windows)
        return prepared

    def embed_windows(self, prepared: Sequence[Windows]) -> np.ndarray:
        """Embeddings float32[n, F] of recordings that were prepared; says nothing of unseen leads."""
        used = tuple(np.flatnonzero(np.any([one.available_L for one in prepared], axis=0)).tolist())
        network: Any = self.description.network
        compiled = _compiled(network, used, self.description.representation.pooling)
        embed = functools.partial(compiled, self.parameters)
        return crops.mean_over_crops(embed, prepared, self.description.representation, used)

    def warn_of_unseen(self, prepared: Sequence[Windows]) -> None:
        """Warns of every set of leads that is smaller than any that the encoder saw in training."""
        fewest = self.description.training.fewest_leads
        sets = {tuple(one.available_L.tolist()) for one in prepared}
        for available in sorted(sets):
            there = np.array(available)
            if recordings.derivable(there).sum() < fewest:
                names = tuple(lead for lead, is_there in zip(LEADS, there) if is_there)
                warnings.warn(self._unseen(names), UnseenLeads, stacklevel=3)

    def _unseen(self, names: tuple[str, ...]) -> str:
        known = [
            f"{one.task}, {one.probe}: macro AUROC {one.macro_auroc:.3f} ({one.low:.3f} to {one.high:.3f})"
            for one in self.description.accuracy
            if lead_indices(one.leads) == lead_indices(names)
        ]
        return (
            f"leads {', '.join(names)} alone: training never left the encoder fewer than "
            f"{self.description.training.fewest_leads} leads. Known of these: {'; '.join(known) or 'nothing'}"
        )

    def _one_crop(
        self, prepared: Sequence[Windows], start: float, samples: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One crop of each recording: float32[B, 12, T], bool[B, 12] and its valid samples int32[B]."""
        p = self.description.preprocessing
        window, first = divmod(round(start * p.sampling_rate), p.window_samples)
        for number, one in enumerate(prepared):
            if not (start >= 0 and window < len(one.length_X) and first < one.length_X[window]):
                last = sum(one.length_X.tolist()) / p.sampling_rate
                raise ValueError(f"start: expected 0 to {last:g} s in recording {number}, got {start:g} s")
        rest = [one.ecg_XLW[window, :, first : first + samples] for one in prepared]
        ecg_BLT = np.stack([np.pad(x, ((0, 0), (0, samples - x.shape[1]))) for x in rest])
        length_B = np.array([min(samples, int(one.length_X[window]) - first) for one in prepared], np.int32)
        return ecg_BLT, np.stack([one.available_L for one in prepared]), length_B


@functools.lru_cache(maxsize=64)
def _compiled(network: CoReECG, places: tuple[int, ...], pooling: str) -> Callable[..., Any]:
    """`represent` of the leads at these places, compiled once a process for each shape."""
    leads = [LEADS[place] for place in places]
    return jax.jit(functools.partial(represent, network, leads=leads, pooling=pooling))


@functools.lru_cache(maxsize=8)
def _encoder(network: CoReECG) -> Callable[..., Any]:
    """Every token of crops of all twelve leads, compiled once a process for each shape."""

    def encoded(parameters: Any, *crops: Any) -> tuple[jax.Array, ...]:
        places = range(len(LEADS))
        tokens = encode_unmasked(network, parameters, read(network, *crops), places)
        return tokens.tokens_BUND, tokens.global_BD, tokens.seen_BUN

    return jax.jit(encoded)


def load(path: Path | str) -> Bundle:
    """A bundle that `launch.export` wrote, from its folder.

    Nothing in it is executed; sizes, names, types and shapes are checked before anything is allocated.

    Raises:
      FileNotFoundError: when there is none.
      BundleRefused: when it was damaged or changed, or is of a newer version; says what.
    """
    where = Path(path)
    sums = folder.read_sums(where)
    for name in folder.NEEDED:
        folder.intact(where, name, sums)
    return read_bundle(where)


def read_bundle(where: Path) -> Bundle:
    """A bundle from its two needed files, whatever their digests; `load` asks for those."""
    description = read_description((where / folder.CONFIG).read_bytes())
    tensors = read_tensors(where / folder.TENSORS, expected_tensors(description))
    tree = nested(tensors)
    return Bundle(description, tree["network"], tree["fda"])


def expected_tensors(description: Description) -> Shapes:
    """Name -> shape of every tensor that the network of a description has; nothing is allocated."""
    network, training = description.network, description.training
    rate = description.preprocessing.sampling_rate
    shapes = jax.eval_shape(functools.partial(_initial, network))
    fda = jax.eval_shape(lambda: FDA(mode=training.fda_mode).init(training.crop_samples, rate))
    return {name: leaf.shape for name, leaf in flat({"network": shapes, "fda": fda}).items()}


def _initial(network: CoReECG) -> Any:
    patches = jax.numpy.zeros((1, len(LEADS), network.patch))
    kept = jax.numpy.arange(len(LEADS), dtype=jax.numpy.int32)[None]
    seen = jax.numpy.ones((1, len(LEADS)), bool)
    return network.init(jax.random.key(0), patches, kept, seen)["params"]
