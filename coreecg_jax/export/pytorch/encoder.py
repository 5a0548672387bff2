"""The encoder itself: from windows to embeddings, with the bundle's parameters."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .leads import LEADS, Training, as_bool, warn_of_unseen

# I, II, III, aVR, aVL, aVF from I and II; V1 to V6 come after them.
LIMBS = ((1.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (-0.5, -0.5), (1.0, -0.5), (-0.5, 1.0))
TIME_SLOPES = (2.0, 0.5, 0.0)  # of the attention bias, a column; heads take them in turn
SHIFTS, LAG_COLUMNS = 3, 10  # of pooling 'rhythm'


class Encoder(nn.Module):
    """Embeddings of windows. `parts` has the encoder's parameters by their names in the file, '/' for '.'."""

    def __init__(self, config: dict, tensors: dict[str, Tensor], training: Training):
        super().__init__()
        self.trained = training
        self.network, self.made = config["network"], config["representation"]
        self.rate = config["preprocessing"]["sampling_rate"]  # Hz
        self.window = round(config["preprocessing"]["window_seconds"] * self.rate)  # samples
        self.smallest = config["normalisation"]["smallest_scale"]  # mV
        self.typical = config["normalisation"]["typical_scale"]
        names = {name.removeprefix("network.").replace(".", "/"): x for name, x in tensors.items()}
        self.parts = nn.ParameterDict(names)
        self.register_buffer("limbs", torch.tensor(LIMBS), persistent=False)

    def forward(self, ecg: Tensor, available: Tensor | None = None) -> Tensor:
        """Embeddings float32 [B, F] of ecg float32 [B, 12, W] in mV, of a crop to a window, valid to the end.

        `available` bool [B, 12], or 0 and 1 of any type: leads that are there; the others take part in
        nothing, whatever they hold. A row without a lead, or with NaN or infinity in an available one, is
        NaN. Of fewer leads than training ever left it warns (`UnseenLeads`), but not where it is compiled.
        `torch.export` and `torch.func.vmap` take masks of bool only.

        Raises:
          ValueError: when a shape is another one, or `available` has other numbers.
        """
        samples, room = self.made["crop_samples"], ecg.shape[-1] - self.made["crop_samples"]
        told = ecg.new_ones(ecg.shape[:2], dtype=torch.bool) if available is None else available
        if ecg.ndim != 3 or ecg.shape[1] != len(LEADS) or room < 0 or told.shape != ecg.shape[:2]:
            raise ValueError(
                f"expected ecg [B, 12, {samples} or more] and available [B, 12], got {tuple(ecg.shape)} and "
                f"{tuple(told.shape)}"
            )
        if (
            ecg.shape[-1] > self.window
        ):  # what is beyond would be passed over, or another rate be read as this
            raise ValueError(
                f"expected windows of {samples} to {self.window} samples at {self.rate:g} Hz, got "
                f"{ecg.shape[-1]}: resample, or cut it into windows and take the mean of their embeddings"
            )
        there = as_bool(told)
        # All twelve need no look at the values, for which a GPU would be waited for; compiled there are none.
        if available is not None and not torch.compiler.is_compiling():
            warn_of_unseen(there, self.trained)
        finite = torch.where(there[..., None], ecg, 0.0).isfinite().flatten(1).all(1)
        usable = there.any(1) & finite
        # Read as zeros: NaN would reach every gradient, even where the loss leaves the row out (0 * NaN).
        ecg = torch.where(usable[:, None, None], ecg, 0.0)
        starts = np.unique(np.linspace(0, room, self.made["crops"]).round().astype(int))
        crops = torch.cat([ecg[..., start : start + samples] for start in starts])
        embedding = self.represent(crops, there.repeat(len(starts), 1))
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
        embedded = self.embed(read.reshape(-1, patch)).reshape(batch, len(LEADS), columns, width)
        x = embedded + _positions(columns, width).to(read.device) + p["lead_embedding"][:, None]
        free = p["free_tokens"][None].expand(batch, -1, -1)
        x = torch.cat([free, x.flatten(1, 2)], 1)
        bias = self._bias(columns, seen, free.shape[1])
        for layer in range(self.network["depth"]):
            x = self._block(x, bias, layer)
        x = self._norm(x, "encoder_stack/norm")
        return x[:, 0], x[:, free.shape[1] :].reshape(batch, len(LEADS), columns, width), embedded

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
        column = torch.arange(columns, device=seen.device).repeat(len(LEADS))
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
