"""The encoder itself: from windows to embeddings, with the bundle's parameters."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .inputs import as_bool, can_be_looked_at, require_as_the_encoder, require_windows
from .leads import LEADS, Training, warn_of_unseen
from .limbs import LIMBS, derived
from .pooling import SHIFTS, autocorrelation, by_lead, over_all, width_of
from .stacks import Layer, apart, dense, norm, take_apart_what_is_loaded

TIME_SLOPES = (2.0, 0.5, 0.0)  # of the attention bias, a column; heads take them in turn


class Encoder(nn.Module):
    """Embeddings of windows.

    There is no dropout: `train()` and `eval()` give the same numbers, and only in `eval()` it warns.

    Attributes:
      parts: parameters outside the layers, by their names in the file, '/' for '.'.
      layers: of the encoder, from the signal on, so that each can have a learning rate of its own.
      window: the most samples W.
      width: numbers of an embedding, F.
    """

    limbs: Tensor
    slopes: Tensor
    positions: Tensor

    def __init__(self, config: dict, tensors: dict[str, Tensor], training: Training):
        super().__init__()
        self.trained = training
        self.network, self.made = config["network"], config["representation"]
        self.rate = config["preprocessing"]["sampling_rate"]  # Hz
        self.window = round(config["preprocessing"]["window_seconds"] * self.rate)  # samples
        self.width = width_of(self.made["pooling"], self.network["width"])
        self.smallest = config["normalisation"]["smallest_scale"]  # mV
        self.typical = config["normalisation"]["typical_scale"]
        names = {name.removeprefix("network.").replace(".", "/"): x for name, x in tensors.items()}
        parts, layers = apart(names)
        self.parts = nn.ParameterDict(parts)
        self.layers = nn.ModuleList(map(Layer, layers))
        self.register_load_state_dict_pre_hook(take_apart_what_is_loaded)
        # What is computed with and never learned: on the device once, and not in a state dict.
        columns, heads = self.made["crop_samples"] // self.network["patch"], self.network["heads"]
        slopes = torch.tensor(np.resize(TIME_SLOPES, heads)).float() * float(self.network["time_bias"])
        constants = {"limbs": torch.tensor(LIMBS), "slopes": slopes}
        constants["positions"] = _positions(columns, self.network["width"])
        for name, x in constants.items():
            self.register_buffer(name, x, persistent=False)

    @property
    def dtype(self) -> torch.dtype:
        """Of the parameters: the network computes in it, and embeddings have it."""
        return self.parts["lead_embedding"].dtype

    def forward(self, ecg: Tensor, available: Tensor | None = None) -> Tensor:
        """Embeddings [B, F], of the parameters' type, of ecg [B, 12, W] in mV, W a crop to a window.

        All samples must be valid. `ecg` may be of any floating-point type: normalisation and pooling are
        computed in float32, or float64 where the parameters are. `available` bool [B, 12], or 0 and 1 of any
        type: leads that are there; the others take part in nothing, whatever they hold. A row without a lead,
        or with NaN or infinity in an available one, is NaN.

        In `eval()` it warns of fewer leads than training ever left (`UnseenLeads`); not in `train()`, where
        leads are left out so that the encoder learns it, and not where values cannot be looked at: compiled,
        exported, traced, under `torch.func.vmap`. There a row of a mask with other numbers is NaN.

        Raises:
          TypeError: when `ecg` or `available` is no tensor, `ecg` has no floating-point type, or `available`
            has complex numbers.
          ValueError: when a shape or device is another one, or `available` has other numbers.
        """
        samples = self.made["crop_samples"]
        require_windows(ecg, available, samples, self.window, self.rate)
        require_as_the_encoder(ecg, available, self.parts["lead_embedding"])
        told = ecg.new_ones(ecg.shape[:2], dtype=torch.bool) if available is None else available
        there = as_bool(told)
        # All twelve need no look at the values, for which a GPU would be waited for.
        if available is not None and not self.training and can_be_looked_at():
            warn_of_unseen(there, self.trained)
        ecg = ecg.to(_exact(self.dtype))
        finite = torch.where(there[..., None], ecg, 0.0).isfinite().flatten(1).all(1)
        usable = there.any(1) & finite
        # Read as zeros: NaN would reach every gradient, even where the loss leaves the row out (0 * NaN).
        ecg = torch.where(usable[:, None, None], ecg, 0.0)
        starts = _starts(ecg.shape[-1] - samples, self.made["crops"])
        crops = torch.cat([ecg[..., start : start + samples] for start in starts])
        each = self.represent(crops, there.repeat(len(starts), 1))
        embedding = each.reshape(len(starts), ecg.shape[0], self.width).mean(0)
        return torch.where(usable[:, None], embedding, torch.nan).to(self.dtype)

    def represent(self, ecg: Tensor, available: Tensor) -> Tensor:
        """The representation of crops, all of whose samples are valid."""
        read, seen = self.normalise(ecg, available)
        if self.made["pooling"] == "rhythm":
            return self._rhythm(read, seen)
        first, tokens, _ = self.encode(read, seen)
        if self.made["pooling"] == "lead":
            return torch.cat([first, *by_lead(tokens, seen)], -1)
        every = seen.repeat_interleave(tokens.shape[2], 1)
        return torch.cat([first, *over_all(tokens.flatten(1, 2), every)], -1)

    def _rhythm(self, read: Tensor, seen: Tensor) -> Tensor:
        """From several starts within a patch, in the order of time."""
        patch, samples = self.network["patch"], read.shape[-1] - self.network["patch"]
        starts = [number * patch // SHIFTS for number in range(SHIFTS)]
        several = [self.encode(read[..., start : start + samples], seen) for start in starts]
        first = torch.stack([one[0] for one in several]).mean(0)
        last, embedded = (torch.stack([one[k] for one in several], 3).flatten(2, 3) for k in (1, 2))
        parts = [first, *by_lead(last, seen), *by_lead(embedded, seen), autocorrelation(last, seen)]
        return torch.cat(parts, -1)

    def normalise(self, ecg: Tensor, available: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder reads, [B, 12, T], and which leads are there once limb leads are derived."""
        ecg = torch.where(available[..., None], ecg.to(_exact(ecg.dtype)), 0.0)
        limb, fill = derived(ecg[:, :6], available[:, :6], self.limbs.to(ecg.dtype))
        ecg = torch.cat([limb, ecg[:, 6:]], 1)
        there = torch.cat([available[:, :6] | fill, available[:, 6:]], 1)
        centred = (ecg - ecg.mean(-1, keepdim=True)) * there[..., None]
        count = there.sum(-1).clamp(min=1) * ecg.shape[-1]
        # Bounded before the root, whose slope at 0 is infinite: gradients of a flat recording are finite.
        scale = ((centred**2).sum((1, 2)) / count).clamp(min=self.smallest**2).sqrt()
        divisor = torch.full_like(scale, self.typical) if self.network["voltage"] else scale
        return centred / divisor[:, None, None], there

    def encode(self, read: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The global token [B, D], tokens [B, 12, N, D] after the last and before the first layer."""
        patch, width, p = self.network["patch"], self.network["width"], self.parts
        batch, columns = read.shape[0], read.shape[-1] // patch
        read = read.to(self.dtype)
        embedded = self.embed(read.reshape(-1, patch)).reshape(batch, len(LEADS), columns, width)
        x = embedded + self.positions[:columns] + p["lead_embedding"][:, None]
        free = p["free_tokens"][None].expand(batch, -1, -1)
        x = torch.cat([free, x.flatten(1, 2)], 1)
        bias = self._bias(columns, seen, free.shape[1])
        for layer in self.layers:
            x = layer(x, bias, self.network["heads"])
        # What is pooled from here on are sums of many: in float32 at least.
        x = norm(x, p, "encoder_stack/norm").to(_exact(self.dtype))
        last = x[:, free.shape[1] :].reshape(batch, len(LEADS), columns, width)
        return x[:, 0], last, embedded.to(x.dtype)

    def embed(self, patches: Tensor) -> Tensor:
        """Tokens [X, D] of patches [X, P]: of their samples and of what small convolutions find."""
        p = self.parts
        if self.network["normalise_patches"]:
            patches = norm(patches, p, "patch_norm")
        parts = [patches]
        if self.network["kernels"]:
            taps = (p["embed/taps"] - p["embed/taps"].mean(0)).T[:, None]
            found = functional.conv1d(patches[:, None], taps, p["embed/bias"])
            found = functional.gelu(found, approximate="tanh")
            parts += [found.amax(-1), found.mean(-1)]
        return norm(dense(torch.cat(parts, -1), p, "embed/linear"), p, "embed/norm")

    def _bias(self, columns: int, seen: Tensor, free: int) -> Tensor:
        """Added to the logits: nearness in time, for a part of the heads; unseen tokens shut out."""
        column = torch.arange(columns, device=seen.device).repeat(len(LEADS))
        distance = (column[:, None] - column[None]).abs().to(self.dtype)
        time = -self.slopes[:, None, None] * distance
        shut = torch.where(seen, 0.0, -1e9).to(self.dtype).repeat_interleave(columns, 1)
        shut = functional.pad(shut, (free, 0))
        return functional.pad(time, (free, 0, free, 0))[None] + shut[:, None, None]


def _exact(dtype: torch.dtype) -> torch.dtype:
    """The type of what must not be rounded to that of a small network: float32, or a larger one as it is."""
    return torch.promote_types(dtype, torch.float32)


def _starts(room: int, crops: int) -> list[int]:
    """Of evenly spaced crops, each once; by plain numbers, which a compiler need not follow."""
    room = int(room)  # of a tensor, where it is traced
    step = room / max(crops - 1, 1)
    return sorted({round(number * step) for number in range(crops)})


def _positions(columns: int, width: int) -> Tensor:
    rate = 10_000.0 ** (-np.arange(width // 2) / (width // 2))
    angle = np.arange(columns)[:, None] * rate[None]
    return torch.tensor(np.concatenate([np.sin(angle), np.cos(angle)], 1)).float()
