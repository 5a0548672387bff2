"""The masked autoencoder of `baselines/` written plainly in PyTorch: the same network, masks and objective.

Pre-norm blocks, fused attention (`scaled_dot_product_attention`), AdamW, bfloat16 autocast on CUDA: what
a careful PyTorch user writes. A test gives both the same weights and compares what they predict.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from coreecg_jax.method.layers import sin_cos_positions
from coreecg_jax.records.leads import LEADS

HIDDEN = 0.75  # share of the patches of each lead
JITTER, FLOOR = 0.2, 0.1  # `objective.scale_jitter`, `objective.target_floor`


class Block(nn.Module):
    """Pre-norm attention and MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.mlp_norm = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.qkv, self.attention_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp_in, self.mlp_out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x_BKD: Tensor) -> Tensor:
        """The same shape."""
        qkv = self.qkv(self.attention_norm(x_BKD)).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        h = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x_BKD = x_BKD + self.attention_out(h)
        h = functional.gelu(self.mlp_in(self.mlp_norm(x_BKD)), approximate="tanh")
        return x_BKD + self.mlp_out(h)


def stack(width: int, depth: int, heads: int) -> nn.Sequential:
    """Blocks, then a LayerNorm."""
    return nn.Sequential(*(Block(width, heads) for _ in range(depth)), nn.LayerNorm(width, eps=1e-6))


class Peer(nn.Module):
    """`method.network.CoReECG` with a linear embedding, a lead-wise decoder and no time bias."""

    place: Tensor
    decoder_place: Tensor

    def __init__(
        self,
        *,
        columns: int,
        patch: int,
        width: int,
        depth: int,
        heads: int,
        decoder_width: int,
        decoder_depth: int,
        decoder_heads: int,
        registers: int = 4,
    ) -> None:
        super().__init__()
        self.columns, self.patch = columns, patch
        self.embed = nn.Sequential(nn.Linear(patch, width), nn.LayerNorm(width, eps=1e-6))
        self.lead_embedding = nn.Parameter(0.5 * torch.randn(len(LEADS), width))
        self.free_tokens = nn.Parameter(0.5 * torch.randn(1 + registers, width))
        self.encoder = stack(width, depth, heads)
        self.decoder_in, self.decoder_context = (nn.Linear(width, decoder_width) for _ in range(2))
        self.mask_token = nn.Parameter(0.02 * torch.randn(decoder_width))
        self.decoder_lead_embedding = nn.Parameter(0.5 * torch.randn(len(LEADS), decoder_width))
        self.decoder = stack(decoder_width, decoder_depth, decoder_heads)
        self.decoder_out = nn.Linear(decoder_width, patch)
        self.register_buffer("place", torch.from_numpy(sin_cos_positions(columns, width)))
        self.register_buffer("decoder_place", torch.from_numpy(sin_cos_positions(columns, decoder_width)))

    def forward(self, patches_BSP: Tensor, kept_BK: Tensor) -> Tensor:
        """Predicted patches float[B, S, P] from the kept ones."""
        batch, (columns, leads) = len(patches_BSP), (self.columns, len(LEADS))
        column_BK, lead_BK = kept_BK % columns, kept_BK // columns
        kept_BKP = patches_BSP.gather(1, kept_BK[..., None].expand(-1, -1, self.patch))
        x_BKD = self.embed(kept_BKP) + self.place[column_BK] + self.lead_embedding[lead_BK]
        x = self.encoder(torch.cat([self.free_tokens.expand(batch, -1, -1), x_BKD], 1))
        free = len(self.free_tokens)
        known_BKD = self.decoder_in(x[:, free:])
        full_BSD = self.mask_token.to(known_BKD.dtype).repeat(batch, leads * columns, 1)
        full_BSD = full_BSD.scatter(1, kept_BK[..., None].expand_as(known_BKD), known_BKD)
        x_BLND = full_BSD.unflatten(1, (leads, columns)) + self.decoder_place
        x_BLND = x_BLND + self.decoder_lead_embedding[:, None]
        context = self.decoder_context(x[:, :free]).repeat_interleave(leads, 0)
        decoded = self.decoder(torch.cat([context, x_BLND.flatten(0, 1)], 1))
        return self.decoder_out(decoded[:, free:]).reshape(batch, leads * columns, self.patch)


def random_mask(batch: int, columns: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Which tokens are kept, int64[B, K], as many in each lead; and which are hidden, bool[B, S]."""
    leads, kept = len(LEADS), columns - round(HIDDEN * columns)
    order_BLN = torch.rand(batch, leads, columns, device=device).argsort(-1)
    first_L1 = columns * torch.arange(leads, device=device)[:, None]
    kept_BK = (order_BLN[..., :kept] + first_L1).flatten(1)
    hidden_BS = torch.ones(batch, leads * columns, dtype=torch.bool, device=device)
    return kept_BK, hidden_BS.scatter(1, kept_BK, False)


def two_crops(ecg_BLW: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Two crops of each window: on the recording's own scale, float32[2 B, L, T], and as they are read."""
    windows = torch.cat([ecg_BLW, ecg_BLW]).float()
    start = torch.randint(windows.shape[-1] - samples + 1, (len(windows), 1, 1), device=ecg_BLW.device)
    place = (start + torch.arange(samples, device=ecg_BLW.device)).expand(-1, len(LEADS), -1)
    crops = windows.gather(2, place) * 1e-3
    centred = crops - crops.mean(-1, keepdim=True)
    scale = centred.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-3)
    factor = torch.exp(JITTER * torch.randn_like(scale))
    return centred / scale, centred * factor / 0.2  # millivolts over a typical scale


def loss_of(peer: nn.Module, ecg_BLW: Tensor, *, samples: int, patch: int) -> Tensor:
    """Mean squared error on the hidden patches of two crops of each recording."""
    clean, read = two_crops(ecg_BLW, samples)
    kept_BK, hidden_BS = random_mask(len(clean), samples // patch, ecg_BLW.device)
    patches = clean.reshape(len(clean), -1, patch)
    centred = patches - patches.mean(-1, keepdim=True)
    target = centred / (centred.square().mean(-1, keepdim=True) + FLOOR).sqrt()
    predicted = peer(read.reshape(len(read), -1, patch), kept_BK)
    error_BS = (predicted.float() - target).square().mean(-1)
    return (error_BS * hidden_BS).sum() / hidden_BS.sum()


def make_step(peer: nn.Module, *, samples: int, patch: int) -> Callable[[Tensor], Tensor]:
    """A function of a batch int16[B, L, W] that takes one step of AdamW and gives the loss."""
    device = next(peer.parameters()).device
    optimizer = torch.optim.AdamW(
        peer.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.05, fused=True
    )

    def step(ecg_BLW: Tensor) -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = loss_of(peer, ecg_BLW, samples=samples, patch=patch)
        loss.backward()
        nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        optimizer.step()
        return loss.detach()

    return step
