"""The encoder of a bundle in PyTorch. This file can be copied: it needs torch, safetensors and numpy only.

    encoder = load("FOLDER")                      # a torch.nn.Module, float32, ready for fine-tuning too
    embedding_BF = encoder(ecg_BLW, available_BL)  # mV at the bundle's rate, filtered (config.json says how)

It computes what `coreecg_jax.load(FOLDER).embed` does with conditioned windows (`test_vectors.npz`).
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

CONFIG, TENSORS, SUMS = "config.json", "model.safetensors", "SHA256SUMS"
VERSIONS = (1, 2, 3)  # of the format: they have the same encoder
POOLINGS = ("rhythm", "lead", "recording")
# I, II, III, aVR, aVL, aVF from I and II; V1 to V6 come after them.
LIMBS = ((1.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (-0.5, -0.5), (1.0, -0.5), (-0.5, 1.0))
LEADS = 12
TIME_SLOPES = (2.0, 0.5, 0.0)  # of the attention bias, a column; heads take them in turn
SCALES = (1e-3, 0.2)  # mV: the smallest of a recording, and the typical one
NOT_OF_THE_ENCODER = ("network.decoder_", "network.mask_token", "network.projector.", "fda.")
SHIFTS, LAG_COLUMNS = 3, 10  # of pooling 'rhythm'


def load(folder: str | Path) -> "Encoder":
    """The encoder of a bundle whose files are as they were written.

    Raises:
      ValueError: when a digest, a field of config.json or a tensor is not as it must be; says which.
    """
    for name in (CONFIG, TENSORS):
        _require_digest(Path(folder), name)
    return read(folder)


def read(folder: str | Path) -> "Encoder":
    """As `load`, whatever the digests say."""
    config = json.loads((Path(folder) / CONFIG).read_text(encoding="utf-8"))
    try:
        _require_known(config)
        expected = _shapes(config["network"])
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
    return Encoder(config, of_encoder)


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
    for field, got in sizes.items():
        if type(got) is not int or got < 1:
            raise ValueError(f"{CONFIG}: {field}: expected 1 or more, got {got!r}")
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
    shapes |= {"lead_embedding": (LEADS, width), "free_tokens": (1 + network["registers"], width)}
    return {f"network.{name}": shape for name, shape in shapes.items()}


class Encoder(nn.Module):
    """Embeddings of windows. `parts` has the encoder's parameters by their names in the file, '/' for '.'."""

    def __init__(self, config: dict, tensors: dict[str, Tensor]):
        super().__init__()
        self.network, self.made = config["network"], config["representation"]
        self.smallest = config["normalisation"]["smallest_scale"]  # mV
        self.typical = config["normalisation"]["typical_scale"]
        names = {name.removeprefix("network.").replace(".", "/"): x for name, x in tensors.items()}
        self.parts = nn.ParameterDict(names)
        self.register_buffer("limbs", torch.tensor(LIMBS), persistent=False)

    def forward(self, ecg: Tensor, available: Tensor | None = None) -> Tensor:
        """Embeddings float32 [B, F] of ecg float32 [B, 12, W] in mV, of at least one crop, valid to the end.

        `available` bool [B, 12]: leads that are there; the others take part in nothing, whatever they hold.
        A row without a lead, or with NaN or infinity in an available one, is NaN.
        """
        if available is None:
            available = torch.ones(ecg.shape[:2], dtype=torch.bool, device=ecg.device)
        samples, room = self.made["crop_samples"], ecg.shape[-1] - self.made["crop_samples"]
        if ecg.ndim != 3 or ecg.shape[1] != LEADS or room < 0 or available.shape != ecg.shape[:2]:
            raise ValueError(
                f"expected ecg [B, 12, {samples} or more] and available [B, 12], got {tuple(ecg.shape)} and "
                f"{tuple(available.shape)}"
            )
        finite = torch.where(available[..., None], ecg, 0.0).isfinite().flatten(1).all(1)
        usable = available.any(1) & finite
        # Read as zeros: NaN would reach every gradient, even where the loss leaves the row out (0 * NaN).
        ecg = torch.where(usable[:, None, None], ecg, 0.0)
        starts = np.unique(np.linspace(0, room, self.made["crops"]).round().astype(int))
        crops = torch.cat([ecg[..., start : start + samples] for start in starts])
        embedding = self.represent(crops, available.repeat(len(starts), 1))
        return torch.where(usable[:, None], embedding.reshape(len(starts), len(ecg), -1).mean(0), torch.nan)

    def represent(self, ecg: Tensor, available: Tensor) -> Tensor:
        """The representation of crops, all of whose samples are valid."""
        read, seen = self.normalise(ecg, available)
        if self.made["pooling"] == "rhythm":
            return self._rhythm(read, seen)
        first, tokens, _ = self.encode(read, seen)
        if self.made["pooling"] == "lead":
            return torch.cat([first, *_by_lead(tokens, seen)], -1)
        every = seen.repeat_interleave(tokens.shape[2], 1)
        return torch.cat([first, *_pool(tokens.flatten(1, 2), every)], -1)

    def _rhythm(self, read: Tensor, seen: Tensor) -> Tensor:
        """From several starts within a patch, in the order of time."""
        patch, samples = self.network["patch"], read.shape[-1] - self.network["patch"]
        starts = [number * patch // SHIFTS for number in range(SHIFTS)]
        several = [self.encode(read[..., start : start + samples], seen) for start in starts]
        first = torch.stack([one[0] for one in several]).mean(0)
        last, embedded = (torch.stack([one[k] for one in several], 3).flatten(2, 3) for k in (1, 2))
        parts = [first, *_by_lead(last, seen), *_by_lead(embedded, seen), _autocorrelation(last, seen)]
        return torch.cat(parts, -1)

    def normalise(self, ecg: Tensor, available: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder reads, [B, 12, T], and which leads are there once limb leads are derived."""
        ecg = torch.where(available[..., None], ecg.float(), 0.0)
        weight = available[:, :6].float()
        gram = torch.einsum("bl,li,lj->bij", weight, self.limbs, self.limbs)
        known = weight.sum(-1) >= 2  # any two limb leads span all six
        inverse = torch.linalg.inv(torch.where(known[:, None, None], gram, torch.eye(2, device=ecg.device)))
        i_ii = inverse @ torch.einsum("bl,li,blt->bit", weight, self.limbs, ecg[:, :6])
        fill = known[:, None] & ~available[:, :6]
        limb = torch.where(fill[..., None], self.limbs @ i_ii, ecg[:, :6])
        ecg = torch.cat([limb, ecg[:, 6:]], 1)
        there = torch.cat([available[:, :6] | fill, available[:, 6:]], 1)
        centred = (ecg - ecg.mean(-1, keepdim=True)) * there[..., None]
        count = there.sum(-1).clamp(min=1) * ecg.shape[-1]
        scale = ((centred**2).sum((1, 2)) / count).sqrt().clamp(min=self.smallest)
        divisor = torch.full_like(scale, self.typical) if self.network["voltage"] else scale
        return centred / divisor[:, None, None], there

    def encode(self, read: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The global token [B, D], tokens [B, 12, N, D] after the last and before the first layer."""
        patch, width, p = self.network["patch"], self.network["width"], self.parts
        batch, columns = len(read), read.shape[-1] // patch
        embedded = self.embed(read.reshape(-1, patch)).reshape(batch, LEADS, columns, width)
        x = embedded + _positions(columns, width).to(read.device) + p["lead_embedding"][:, None]
        free = p["free_tokens"][None].expand(batch, -1, -1)
        x = torch.cat([free, x.flatten(1, 2)], 1)
        bias = self._bias(columns, seen, free.shape[1])
        for layer in range(self.network["depth"]):
            x = self._block(x, bias, layer)
        x = self._norm(x, "encoder_stack/norm")
        return x[:, 0], x[:, free.shape[1] :].reshape(batch, LEADS, columns, width), embedded

    def embed(self, patches: Tensor) -> Tensor:
        """Tokens [X, D] of patches [X, P]: of their samples and of what small convolutions find."""
        p = self.parts
        if self.network["normalise_patches"]:
            patches = self._norm(patches, "patch_norm")
        parts = [patches]
        if self.network["kernels"]:
            taps = (p["embed/taps"] - p["embed/taps"].mean(0)).T[:, None]
            found = functional.conv1d(patches[:, None], taps, p["embed/bias"])
            found = functional.gelu(found, approximate="tanh")
            parts += [found.amax(-1), found.mean(-1)]
        return self._norm(self._dense(torch.cat(parts, -1), "embed/linear"), "embed/norm")

    def _bias(self, columns: int, seen: Tensor, free: int) -> Tensor:
        """Added to the logits: nearness in time, for a part of the heads; unseen tokens shut out."""
        column = torch.arange(columns, device=seen.device).repeat(LEADS)
        slopes = torch.tensor(np.resize(TIME_SLOPES, self.network["heads"]), device=seen.device).float()
        distance = (column[:, None] - column[None]).abs().float()
        time = -slopes[:, None, None] * distance * float(self.network["time_bias"])
        shut = functional.pad(torch.where(seen, 0.0, -1e9).repeat_interleave(columns, 1), (free, 0))
        return functional.pad(time, (free, 0, free, 0))[None] + shut[:, None, None]

    def _block(self, x: Tensor, bias: Tensor, layer: int) -> Tensor:
        batch, tokens, width = x.shape
        h = self._dense(self._norm(x, "attention_norm", layer), "qkv", layer)
        q, k, v = h.reshape(batch, tokens, 3, self.network["heads"], -1).permute(2, 0, 3, 1, 4)
        h = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        x = x + self._dense(h.transpose(1, 2).reshape(batch, tokens, width), "attention_out", layer)
        h = functional.gelu(
            self._dense(self._norm(x, "mlp_norm", layer), "mlp_in", layer), approximate="tanh"
        )
        return x + self._dense(h, "mlp_out", layer)

    def _dense(self, x: Tensor, name: str, layer: int | None = None) -> Tensor:
        return x @ self._part(name, "kernel", layer) + self._part(name, "bias", layer)

    def _norm(self, x: Tensor, name: str, layer: int | None = None) -> Tensor:
        scale, bias = self._part(name, "scale", layer), self._part(name, "bias", layer)
        return functional.layer_norm(x, scale.shape, scale, bias, eps=1e-6)

    def _part(self, name: str, what: str, layer: int | None) -> Tensor:
        if layer is None:
            return self.parts[f"{name}/{what}"]
        return self.parts[f"encoder_stack/layers/{name}/{what}"][layer]


def _positions(columns: int, width: int) -> Tensor:
    rate = 10_000.0 ** (-np.arange(width // 2) / (width // 2))
    angle = np.arange(columns)[:, None] * rate[None]
    return torch.tensor(np.concatenate([np.sin(angle), np.cos(angle)], 1)).float()


def _pool(x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and maximum of x [B, K, D] over what is seen [B, K], 0 where nothing is."""
    mean = (x * seen[..., None]).sum(1) / seen.sum(1).clamp(min=1)[:, None]
    largest = torch.where(seen[..., None], x, -torch.inf).amax(1)
    return mean, torch.where(seen.any(1)[:, None], largest, 0.0)


def _by_lead(tokens: Tensor, seen: Tensor) -> list[Tensor]:
    """Mean and maximum over time of each lead, [B, 12 D] each, 0 for a lead that is not there."""
    return [(x * seen[..., None]).flatten(1) for x in (tokens.mean(2), tokens.amax(2))]


def _autocorrelation(tokens: Tensor, seen: Tensor) -> Tensor:
    """How alike tokens of a lead are that lie 1 … SHIFTS * LAG_COLUMNS places apart."""
    centred = (tokens - tokens.mean(2, keepdim=True)) * seen[..., None, None]
    columns, leads = tokens.shape[2], seen.sum(1)
    products = []
    for lag in range(SHIFTS * LAG_COLUMNS + 1):
        pairs = max(columns - lag, 0)
        total = (centred[:, :, columns - pairs :] * centred[:, :, :pairs]).sum((1, 2, 3))
        products.append(total / (leads * pairs).clamp(min=1))
    products = torch.stack(products, -1)
    return products[:, 1:] / products[:, :1].clamp(min=1e-6)
