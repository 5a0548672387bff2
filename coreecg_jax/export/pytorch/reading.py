"""From the folder of a bundle to the encoder in PyTorch, every check before it is built."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from .encoder import Encoder
from .leads import LEADS, training_of

CONFIG, TENSORS, SUMS = "config.json", "model.safetensors", "SHA256SUMS"
VERSIONS = (1, 2, 3, 4)  # of the format: they have the same encoder
POOLINGS = ("rhythm", "lead", "recording")
SCALES = (1e-3, 0.2)  # mV: the smallest of a recording, and the typical one
NOT_OF_THE_ENCODER = ("network.decoder_", "network.mask_token", "network.projector.", "fda.")
RELEASED = Path(__file__).parents[1] / "released"  # in the package; a copy of these files has none


def load(folder: str | Path | None = None) -> Encoder:
    """The encoder of a bundle whose files are as they were written; or the released encoder; in `eval()`.

    Args:
      folder: of the bundle; default: the encoder that comes with the package, as of `coreecg_jax.load`.

    Raises:
      FileNotFoundError: without a folder, where these files were copied out of the package.
      ValueError: when a digest, a field of config.json or a tensor is not as it must be; says which.
    """
    if folder is None:
        if not RELEASED.is_dir():
            raise FileNotFoundError(
                f"expected the folder of a bundle, got none: the released encoder is not at {RELEASED}, "
                "as this folder was copied; give that of a bundle, such as coreecg_jax/export/released"
            )
        folder = RELEASED
    for name in (CONFIG, TENSORS):
        _require_digest(Path(folder), name)
    return read(folder)


def read(folder: str | Path) -> Encoder:
    """As `load`, whatever the digests say."""
    config = json.loads((Path(folder) / CONFIG).read_text(encoding="utf-8"))
    try:
        _require_known(config)
        expected, training = _shapes(config["network"]), training_of(config)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{CONFIG}: a field is missing or of another type: {error!r}") from error
    try:
        tensors = load_file(Path(folder) / TENSORS)
    except SafetensorError as error:
        raise ValueError(f"{TENSORS}: {error}") from error
    of_encoder = {name: x for name, x in tensors.items() if not name.startswith(NOT_OF_THE_ENCODER)}
    missing, unknown = sorted(set(expected) - set(of_encoder)), sorted(set(of_encoder) - set(expected))
    if missing or unknown:
        raise ValueError(
            f"{TENSORS}: not the tensors of the encoder in {CONFIG}: missing {missing[:5]}, "
            f"unknown {unknown[:5]}"
        )
    for name, x in tensors.items():
        shape = expected.get(name, tuple(x.shape))
        if (x.dtype, tuple(x.shape)) != (torch.float32, shape) or not x.isfinite().all():
            raise ValueError(
                f"{TENSORS}: {name}: expected finite float32 {list(shape)}, got {x.dtype} {list(x.shape)}"
            )
    return Encoder(config, of_encoder, training).eval()


def _require_digest(folder: Path, name: str) -> None:
    """The SHA-256 of a file is the one that SHA256SUMS has of it."""
    if not (folder / SUMS).is_file() or not (folder / name).is_file():
        raise ValueError(f"{folder}: expected {SUMS} and {name}: no bundle, or not copied whole")
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    with (folder / name).open("rb") as file:
        got = f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}"
    if got not in lines:
        raise ValueError(
            f"{folder / name}: its SHA-256 is not that of {SUMS}: it was damaged or changed after it was "
            "written; copy the bundle again"
        )


def _require_known(config: dict) -> None:
    """Raises ValueError for what this file would compute wrongly, or not at all."""
    network, made, patch = config["network"], config["representation"], config["network"]["patch"]
    scales = [config["normalisation"][name] for name in ("smallest_scale", "typical_scale")]
    known = {
        "format_version": (config["format_version"], VERSIONS),
        "representation.pooling": (made["pooling"], POOLINGS),
        "network.dtype": (network["dtype"], ("float32",)),
        "normalisation.smallest_scale and typical_scale": (scales, (list(SCALES),)),
        "unit": (config["unit"], ("mV",)),
    }
    for field, (got, expected) in known.items():
        if got not in expected:
            raise ValueError(f"{CONFIG}: {field}: expected {' or '.join(map(str, expected))}, got {got!r}")
    sizes = {f"network.{name}": network[name] for name in ("patch", "width", "depth", "heads")}
    sizes |= {f"representation.{name}": made[name] for name in ("crop_samples", "crops")}
    sizes |= {"training.fewest_leads": config["training"]["fewest_leads"]}
    for field, got in sizes.items():
        if type(got) is not int or got < 1:
            raise ValueError(f"{CONFIG}: {field}: expected 1 or more, got {got!r}")
    seconds, rate = (config["preprocessing"][name] for name in ("window_seconds", "sampling_rate"))
    if not made["crop_samples"] <= round(seconds * rate):
        raise ValueError(
            f"{CONFIG}: expected windows of at least representation.crop_samples = {made['crop_samples']}, "
            f"got {seconds:g} s at {rate:g} Hz"
        )
    if made["crop_samples"] % patch or network["width"] % (2 * network["heads"]):
        raise ValueError(
            f"{CONFIG}: expected representation.crop_samples to be a multiple of network.patch, and "
            f"network.width of 2 * network.heads, got {made['crop_samples']} and {patch}, "
            f"{network['width']} and {network['heads']}"
        )


def _shapes(network: dict) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor that the encoder of such a network has."""
    patch, width, depth, kernels = (network[name] for name in ("patch", "width", "depth", "kernels"))
    linear = {"qkv": (width, 3 * width), "attention_out": (width, width)}
    linear |= {"mlp_in": (width, 4 * width), "mlp_out": (4 * width, width)}
    layers, shapes = "encoder_stack.layers", {}
    for name, (before, after) in linear.items():
        shapes[f"{layers}.{name}.kernel"] = (depth, before, after)
        shapes[f"{layers}.{name}.bias"] = (depth, after)
    shapes |= {"embed.linear.kernel": (patch + 2 * kernels, width), "embed.linear.bias": (width,)}
    norms: dict[str, tuple[int, ...]] = {
        f"{layers}.attention_norm": (depth, width),
        f"{layers}.mlp_norm": (depth, width),
    }
    norms |= {"encoder_stack.norm": (width,), "embed.norm": (width,)}
    norms |= {"patch_norm": (patch,)} if network["normalise_patches"] else {}
    shapes |= {f"{name}.{part}": shape for name, shape in norms.items() for part in ("scale", "bias")}
    if kernels:
        shapes |= {"embed.taps": (network["kernel_length"], kernels), "embed.bias": (kernels,)}
    shapes |= {"lead_embedding": (len(LEADS), width), "free_tokens": (1 + network["registers"], width)}
    return {f"network.{name}": shape for name, shape in shapes.items()}
