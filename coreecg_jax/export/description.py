"""What a bundle says of itself: `config.json`, checked before anything else is read."""

import dataclasses
import inspect
import json
from typing import Any

from coreecg_jax.export.limits import MOST_COLUMNS, MOST_WINDOW_SAMPLES, require_in_limits
from coreecg_jax.export.migration import FORMAT, FORMAT_VERSION, migrated
from coreecg_jax.export.parsing import parse_fields, parse_json
from coreecg_jax.export.parts import PARTS, require_parts
from coreecg_jax.export.refusal import BundleRefused
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.normalisation import SMALLEST_SCALE, TYPICAL_SCALE
from coreecg_jax.method.representation import POOLINGS
from coreecg_jax.method.views import MODES
from coreecg_jax.records.conditioning import check_preprocessing
from coreecg_jax.records.leads import LEADS, lead_indices
from coreecg_jax.records.schema import Preprocessing

LICENCE = (
    "The code is Apache-2.0. Who may use the parameters, and for what, is for the licences of the training "
    "data to say: see `training.data`. Not a medical device; not for diagnosis."
)

LEARNING = ("learned", "per_bin")  # modes of FDA in which its parameters say what is important


@dataclasses.dataclass(frozen=True)
class Representation:
    """How the embedding of a recording is made: the mean over evenly spaced crops of each window."""

    pooling: str  # of `method.representation`
    crop_samples: int
    crops: int  # of each window


@dataclasses.dataclass(frozen=True)
class Normalisation:
    """What is done to a crop before the encoder reads it; `normalisation.normalise` and `as_read`."""

    limb_leads: str = "derived where two or more are available"
    mean: str = "subtracted, a lead"
    scale: str = "standard deviation over available leads and time, a recording"
    smallest_scale: float = SMALLEST_SCALE  # mV
    typical_scale: float = TYPICAL_SCALE  # mV; what the encoder reads is mV over it where `network.voltage`


@dataclasses.dataclass(frozen=True)
class Training:
    """Where the parameters come from."""

    method: str
    data: str  # data specification
    manifests: dict[str, str]  # data set -> SHA-256 of its manifest; '' where it was not at hand
    step: int
    seed: int
    crop_samples: int  # of a view
    dtype: str  # of matrix products in training; a bundle computes in float32
    fda_mode: str
    target_floor: float  # of the reconstruction's targets
    fewest_leads: int  # that the masks of training left to the encoder
    decoder_trained: bool = True  # false where the objective had no reconstruction (lambda_r = 0)


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """What is known of the embedding on one task and set of leads."""

    task: str
    leads: tuple[str, ...]
    probe: str
    protocol: str
    macro_auroc: float
    low: float  # of its interval
    high: float
    beside: dict[str, float]  # method on the same recordings -> its macro AUROC, mean over its runs

    def __post_init__(self) -> None:
        lead_indices(self.leads)


@dataclasses.dataclass(frozen=True)
class Recovery:
    """How far what `reconstruct` generates is from what was hidden, for one set of leads that is given."""

    data: str  # data specification, of held-out recordings
    windows: int
    leads: tuple[str, ...]  # that were given
    hidden: tuple[tuple[float, ...], ...]  # spans (from, to) that were hidden in all leads, s of the crop
    error: dict[str, float]  # lead -> root mean square error where it is generated, mV
    flat: dict[str, float]  # lead -> the same of a flat line at the lead's mean: its standard deviation, mV

    def __post_init__(self) -> None:
        lead_indices(self.leads)
        if set(self.error) != set(self.flat) or not set(self.error) <= set(LEADS):
            raise ValueError(
                f"expected error and flat of the same leads, got {[*self.error]}, {[*self.flat]}"
            )
        if not all(len(span) == 2 and 0 <= span[0] < span[1] for span in self.hidden):
            raise ValueError(f"hidden: expected spans (from, to) in seconds, got {self.hidden}")


@dataclasses.dataclass(frozen=True)
class Description:
    """All of `config.json`."""

    network: CoReECG
    preprocessing: Preprocessing
    normalisation: Normalisation
    representation: Representation
    training: Training
    labels: tuple[str, ...] = ()  # classes that the evaluations behind `accuracy` scored, in their order
    accuracy: tuple[Accuracy, ...] = ()
    recovery: tuple[Recovery, ...] = ()
    parts: tuple[str, ...] = PARTS  # of the network, that model.safetensors holds
    unit: str = "mV"  # of signals handed in, and of those that come back
    licence: str = LICENCE
    project_version: str = ""

    def __post_init__(self) -> None:
        _check(self)

    def in_short(self) -> str:
        """For a prompt or a notebook, where the numbers of a bundle would fill pages."""
        rate, crops = self.preprocessing.sampling_rate, self.representation
        return (
            f"{' and '.join(self.parts)}, {self.network.width} wide, {self.network.depth} deep; reads "
            f"{self.unit} at {rate:g} Hz; pooling {crops.pooling}"
        )

    def to_json(self) -> str:
        """The text of `config.json`."""
        network = {name: getattr(self.network, name) for name in _network_fields()}
        fields = {name: dataclasses.asdict(value) for name, value in _parts(self).items()}
        names = ("labels", "parts", "unit", "licence", "project_version")
        plain = {name: getattr(self, name) for name in names}
        known = {
            name: [dataclasses.asdict(one) for one in getattr(self, name)]
            for name in ("accuracy", "recovery")
        }
        head = {"format": FORMAT, "format_version": FORMAT_VERSION}
        whole = {**head, **plain, "network": network, **fields, **known}
        return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_description(text: bytes) -> Description:
    """What `to_json` wrote, by this version or an older one.

    Raises:
      BundleRefused: when a field is missing, unknown, of another type or out of range.
    """
    raw = migrated(parse_json(text, "config.json"))
    types = {field.name: field.type for field in dataclasses.fields(Description)}
    network = _read_network(raw.pop("network", None))
    del types["network"]
    fields = parse_fields(types, raw, "config.json")
    try:
        return Description(network=network, **fields)
    except ValueError as error:
        raise BundleRefused(f"config.json: {error}") from error


def require_trained_decoder(description: Description) -> None:
    """Raises ValueError where there is no decoder, or one with its initial parameters, which makes noise."""
    if "decoder" not in description.parts:
        raise ValueError(
            f"reconstruct: expected a bundle with a decoder, got one with {' and '.join(description.parts)} "
            "only: export the run with --parts=encoder,decoder"
        )
    if not description.training.decoder_trained:
        raise ValueError(
            f"reconstruct: expected an encoder trained with reconstruction, got method "
            f"{description.training.method!r}, whose objective never trained the decoder (lambda_r = 0): "
            "use a bundle of another run"
        )


def require_learned_importance(description: Description) -> None:
    """Raises ValueError where FDA learned nothing: its parameters are those that it began with."""
    if description.training.fda_mode not in LEARNING:
        raise ValueError(
            f"importance: expected FDA of mode {' or '.join(LEARNING)}, got method "
            f"{description.training.method!r} with mode {description.training.fda_mode!r}, in which no "
            "importance is learned: use a bundle of another run"
        )


def _read_network(value: Any) -> CoReECG:
    fields = parse_fields(_network_fields(), value, "config.json: network")
    try:
        require_in_limits(fields, "network")
        return CoReECG(**fields)
    except ValueError as error:
        raise BundleRefused(f"config.json: {error}") from error


def _network_fields() -> dict[str, Any]:
    """The settings of the network and their types."""
    parameters = inspect.signature(CoReECG).parameters.values()
    kinds = {each.name: each.annotation for each in parameters if each.name not in ("parent", "name")}
    return kinds | {"dtype": str}


def _parts(description: Description) -> dict[str, Any]:
    names = "preprocessing", "normalisation", "representation", "training"
    return {name: getattr(description, name) for name in names}


def _check(description: Description) -> None:
    """Raises ValueError for what no bundle of this version can say."""
    d, p, r = description, description.preprocessing, description.representation
    require_in_limits(d)
    require_parts(d.parts)
    if not p.window_samples <= MOST_WINDOW_SAMPLES:
        raise ValueError(
            f"preprocessing.window_seconds: expected at most {MOST_WINDOW_SAMPLES} samples at "
            f"{p.sampling_rate:g} Hz, got {p.window_seconds:g} s = {p.window_samples} samples"
        )
    check_preprocessing(p)
    if p.leads != LEADS:
        raise ValueError(f"preprocessing.leads: expected {', '.join(LEADS)}, got {', '.join(p.leads)}")
    if d.normalisation != Normalisation():
        raise ValueError(f"normalisation: this version knows {Normalisation()} only, got {d.normalisation}")
    if d.unit != "mV" or d.network.dtype != "float32":
        raise ValueError(
            f"expected unit mV and network.dtype float32, got {d.unit!r} and {d.network.dtype!r}"
        )
    if r.pooling not in POOLINGS:
        raise ValueError(f"representation.pooling: expected of {', '.join(POOLINGS)}, got {r.pooling!r}")
    _check_crop("representation", r.crop_samples, d)
    _check_crop("training", d.training.crop_samples, d)
    if d.training.fda_mode not in MODES:
        raise ValueError(f"training.fda_mode: expected of {', '.join(MODES)}, got {d.training.fda_mode!r}")


def _check_crop(part: str, samples: int, description: Description) -> None:
    """A crop is of whole patches, not too many of them, and lies in a window."""
    patch, window = description.network.patch, description.preprocessing.window_samples
    most = min(window, MOST_COLUMNS * patch)
    if not patch <= samples <= most or samples % patch:
        raise ValueError(
            f"{part}.crop_samples: expected a multiple of network.patch = {patch} up to {most} (the window's "
            f"{window} samples, {MOST_COLUMNS} patches), got {samples}"
        )
