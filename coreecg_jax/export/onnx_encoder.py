"""The encoder of a bundle as an ONNX graph, from raw windows and lead mask to the embedding.

Inputs: `ecg` float32 [batch, 12, W], mV, windows of the bundle's rate and band, valid to their end;
`available` bool [batch, 12]: what the other leads hold is not looked at. Output: `embedding` float32
[batch, F]; NaN for a row without a lead, or with NaN or infinity in an available one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from coreecg_jax.export.description import Description
from coreecg_jax.export.onnx_graph import Graph
from coreecg_jax.export.tensors import flat
from coreecg_jax.method.attention import HIDDEN_KEY, TIME_SLOPES
from coreecg_jax.method.layers import sin_cos_positions
from coreecg_jax.method.rhythm import LAG_COLUMNS, SHIFTS
from coreecg_jax.records.crops import crop_starts
from coreecg_jax.records.leads import LEADS, LIMB_FROM_I_II, LIMB_LEADS

L, LIMBS = len(LEADS), len(LIMB_LEADS)


class Encoder:
    """Writes the parts of the encoder into a graph."""

    def __init__(self, graph: Graph, description: Description, parameters: dict[str, Any]):
        self.g, self.d, self.network = graph, description, description.network
        self.p = {name: np.asarray(x) for name, x in flat(parameters).items()}

    def windows(self, ecg: str, available: str) -> tuple[str, int]:
        """The embedding of windows and its width: the mean over evenly spaced crops."""
        g, made = self.g, self.d.representation
        starts = crop_starts(self.d.preprocessing.window_samples, made.crop_samples, made.crops)
        crops = [g.cut(ecg, 2, start, start + made.crop_samples) for start in starts]
        each = [self.crop(crop, available, made.crop_samples) for crop in crops]
        total = each[0][0]
        for embedding, _ in each[1:]:
            total = g.add("Add", total, embedding)
        mean = g.add("Div", total, float(len(starts)))
        return g.add("Where", self._usable(ecg, available), mean, float("nan")), each[0][1]

    def _usable(self, ecg: str, available: str) -> str:
        """[B, 1]: a lead is there, and none of those that are holds NaN or infinity."""
        g = self.g
        there = g.reshape(available, 0, L, 1)
        some = g.add("Greater", g.reduce("Max", g.add("Cast", available, to=1), 1), 0.0)
        total = g.reduce("Sum", g.add("Where", there, ecg, 0.0), 1, 2, keep=False)
        total = g.reshape(total, -1, 1)
        damaged = g.add("Or", g.add("IsNaN", total), g.add("IsInf", total))
        return g.add("And", some, g.add("Not", damaged))

    def crop(self, ecg: str, available: str, samples: int) -> tuple[str, int]:
        """The embedding of crops and its width, as `method.representation.represent` has it."""
        g, pooling = self.g, self.d.representation.pooling
        read, seen = self.normalise(ecg, available, samples)
        patch, width = self.network.patch, self.network.width
        if pooling == "rhythm":
            samples -= patch
            starts = [number * patch // SHIFTS for number in range(SHIFTS)]
            several = [self.encode(g.cut(read, 2, at, at + samples), seen, samples) for at in starts]
            total = g.add("Sum", *[first for first, *_ in several])
            last, embedded = (self._in_time([one[k] for one in several]) for k in (1, 2))
            parts = [
                g.add("Div", total, float(SHIFTS)),
                *self._by_lead(last, seen),
                *self._by_lead(embedded, seen),
            ]
            lags = SHIFTS * LAG_COLUMNS
            parts.append(self._autocorrelation(last, seen, SHIFTS * (samples // patch), lags))
            return g.add("Concat", *parts, axis=1), 49 * width + lags
        first, tokens, _ = self.encode(read, seen, samples)
        if pooling == "lead":
            return g.add("Concat", first, *self._by_lead(tokens, seen), axis=1), 25 * width
        return g.add("Concat", first, *self._together(tokens, seen, samples // patch), axis=1), 3 * width

    def normalise(self, ecg: str, available: str, samples: int) -> tuple[str, str]:
        """What the encoder reads [B, 12, T], and 1.0 or 0.0 for each lead, derived ones too [B, 12, 1]."""
        g = self.g
        there = g.reshape(available, 0, L, 1)
        ecg = g.add("Where", there, ecg, 0.0)
        weight = g.cut(g.add("Cast", there, to=1), 1, 0, LIMBS)  # [B, 6, 1]
        derived, known = self._derived(g.cut(ecg, 1, 0, LIMBS), weight)
        fill = g.add("And", known, g.add("Not", g.cut(there, 1, 0, LIMBS)))
        limb = g.add("Where", fill, derived, g.cut(ecg, 1, 0, LIMBS))
        ecg = g.add("Concat", limb, g.cut(ecg, 1, LIMBS, L), axis=1)
        limb_there = g.add("Or", g.cut(there, 1, 0, LIMBS), fill)
        seen = g.add("Cast", g.add("Concat", limb_there, g.cut(there, 1, LIMBS, L), axis=1), to=1)
        centred = g.add("Mul", g.add("Sub", ecg, g.reduce("Mean", ecg, 2)), seen)
        if self.network.voltage:
            return g.add("Div", centred, self.d.normalisation.typical_scale), seen
        leads = g.add("Max", g.reduce("Sum", seen, 1), 1.0)
        energy = g.reduce("Sum", g.add("Mul", centred, centred), 1, 2)
        scale = g.add("Sqrt", g.add("Div", energy, g.add("Mul", leads, float(samples))))
        return g.add("Div", centred, g.add("Max", scale, self.d.normalisation.smallest_scale)), seen

    def _derived(self, limb: str, weight: str) -> tuple[str, str]:
        """All limb leads [B, 6, T] by least squares from those at hand; whether these are two [B, 1, 1]."""
        g, mix = self.g, LIMB_FROM_I_II
        gram = {
            (i, j): g.reduce("Sum", g.add("Mul", weight, (mix[:, i] * mix[:, j])[:, None]), 1)
            for i, j in ((0, 0), (0, 1), (1, 1))
        }
        seen = [g.reduce("Sum", g.add("Mul", g.add("Mul", limb, weight), mix[:, i, None]), 1) for i in (0, 1)]
        known = g.add("GreaterOrEqual", g.reduce("Sum", weight, 1), 2.0)
        product = g.add("Mul", gram[0, 0], gram[1, 1])
        determinant = g.add("Sub", product, g.add("Mul", gram[0, 1], gram[0, 1]))
        determinant = g.add("Where", known, determinant, 1.0)

        def solved(a: str, b: str, x: str, y: str) -> str:
            return g.add("Div", g.add("Sub", g.add("Mul", a, x), g.add("Mul", b, y)), determinant)

        one = solved(gram[1, 1], gram[0, 1], seen[0], seen[1])
        two = solved(gram[0, 0], gram[0, 1], seen[1], seen[0])
        parts = [g.add("Mul", x, mix[:, i, None]) for i, x in enumerate((one, two))]
        return g.add("Add", *parts), known

    def encode(self, read: str, seen: str, samples: int) -> tuple[str, str, str]:
        """Global token [B, D], and tokens [B, 12, N, D] after the last and before the first layer."""
        g, patch, width = self.g, self.network.patch, self.network.width
        columns, free = samples // patch, 1 + self.network.registers
        embedded = g.reshape(self.embed(g.reshape(read, -1, patch)), -1, L, columns, width)
        place = sin_cos_positions(columns, width)[None] + self.p["lead_embedding"][:, None]
        tokens = g.reshape(g.add("Add", embedded, place[None]), -1, L * columns, width)
        # 0 for each recording: what the free tokens are added to.
        nothing = g.add("Mul", g.cut(tokens, 1, 0, 1), 0.0)
        x = g.add("Concat", g.add("Add", nothing, self.p["free_tokens"][None]), tokens, axis=1)
        bias = self._bias(columns, seen, free)
        for layer in range(self.network.depth):
            x = self._block(x, bias, free + L * columns, layer)
        x = self._norm(x, "encoder_stack.norm")
        last = g.reshape(g.cut(x, 1, free, free + L * columns), -1, L, columns, width)
        return g.reshape(g.cut(x, 1, 0, 1), -1, width), last, embedded

    def embed(self, patches: str) -> str:
        """Tokens [X, D] of patches [X, P]."""
        g = self.g
        if self.network.normalise_patches:
            patches = self._norm(patches, "patch_norm")
        parts = [patches]
        if self.network.kernels:
            taps_JC = self.p["embed.taps"] - self.p["embed.taps"].mean(0, keepdims=True)
            channels = g.reshape(patches, -1, 1, self.network.patch)
            found = g.add("Conv", channels, taps_JC.T[:, None], self.p["embed.bias"])
            found = g.add("Gelu", found, approximate="tanh")
            parts += [g.reduce(kind, found, 2, keep=False) for kind in ("Max", "Mean")]
        joined = g.add("Concat", *parts, axis=1)
        return self._norm(self._dense(joined, "embed.linear"), "embed.norm")

    def _bias(self, columns: int, seen: str, free: int) -> str:
        """Added to the logits, [B, H, K, K]: nearness in time, and unseen tokens shut out."""
        g, column = self.g, np.tile(np.arange(columns), L)
        distance = np.abs(column[:, None] - column[None]).astype(np.float32)
        slopes = np.resize(np.asarray(TIME_SLOPES, np.float32), self.network.heads) * self.network.time_bias
        time = np.pad(-slopes[:, None, None] * distance, ((0, 0), (free, 0), (free, 0)))
        shut = g.add("Mul", g.add("Sub", 1.0, seen), HIDDEN_KEY)  # [B, 12, 1]
        shut = g.reshape(g.add("Expand", shut, g.ints(1, L, columns)), -1, 1, 1, L * columns)
        open_to_free = g.add("Mul", g.cut(shut, 3, 0, 1), np.zeros((1, 1, 1, free)))
        return g.add("Add", g.add("Concat", open_to_free, shut, axis=3), time[None])

    def _block(self, x: str, bias: str, tokens: int, layer: int) -> str:
        g, heads, width = self.g, self.network.heads, self.network.width
        h = self._dense(self._norm(x, "attention_norm", layer), "qkv", layer)
        split = g.transpose(g.reshape(h, -1, tokens, 3, heads, width // heads), 2, 0, 3, 1, 4)
        q, k, v = (g.add("Gather", split, g.constant(number, np.int64), axis=0) for number in range(3))
        q = g.add("Mul", q, (width // heads) ** -0.5)
        logits = g.add("Add", g.add("MatMul", q, g.transpose(k, 0, 1, 3, 2)), bias)
        h = g.add("MatMul", g.add("Softmax", logits, axis=-1), v)
        h = g.reshape(g.transpose(h, 0, 2, 1, 3), -1, tokens, width)
        x = g.add("Add", x, self._dense(h, "attention_out", layer))
        h = g.add("Gelu", self._dense(self._norm(x, "mlp_norm", layer), "mlp_in", layer), approximate="tanh")
        return g.add("Add", x, self._dense(h, "mlp_out", layer))

    def _dense(self, x: str, name: str, layer: int | None = None) -> str:
        product = self.g.add("MatMul", x, self._part(name, "kernel", layer))
        return self.g.add("Add", product, self._part(name, "bias", layer))

    def _norm(self, x: str, name: str, layer: int | None = None) -> str:
        parts = self._part(name, "scale", layer), self._part(name, "bias", layer)
        return self.g.add("LayerNormalization", x, *parts, axis=-1, epsilon=1e-6)

    def _part(self, name: str, what: str, layer: int | None) -> np.ndarray:
        return (
            self.p[f"{name}.{what}"]
            if layer is None
            else self.p[f"encoder_stack.layers.{name}.{what}"][layer]
        )

    def _by_lead(self, tokens: str, seen: str) -> list[str]:
        """Mean and maximum over time of each lead, [B, 12 D] each, 0 for a lead that is not there."""
        g, width = self.g, self.network.width
        pooled = [g.add("Mul", g.reduce(kind, tokens, 2, keep=False), seen) for kind in ("Mean", "Max")]
        return [g.reshape(x, -1, L * width) for x in pooled]

    def _together(self, tokens: str, seen: str, columns: int) -> list[str]:
        """Mean and maximum over all tokens of leads that are there."""
        g, weight = self.g, self.g.reshape(seen, -1, L, 1, 1)
        count = g.add("Max", g.add("Mul", g.reduce("Sum", weight, 1, 2), float(columns)), 1.0)
        mean = g.add("Div", g.reduce("Sum", g.add("Mul", tokens, weight), 1, 2), count)
        shut = g.add("Mul", g.add("Sub", 1.0, weight), HIDDEN_KEY)
        largest = g.reduce("Max", g.add("Add", tokens, shut), 1, 2)
        return [g.reshape(x, -1, self.network.width) for x in (mean, largest)]

    def _in_time(self, several: Sequence[str]) -> str:
        """Tokens from several starts [B, 12, N, D] in the order of time, [B, 12, N * starts, D]."""
        g, width = self.g, self.network.width
        spread = [g.add("Unsqueeze", x, g.ints(3)) for x in several]
        return g.reshape(g.add("Concat", *spread, axis=3), 0, L, -1, width)

    def _autocorrelation(self, tokens: str, seen: str, columns: int, lags: int) -> str:
        """As `method.rhythm.autocorrelation`, [B, lags]."""
        g = self.g
        centred = g.add("Sub", tokens, g.reduce("Mean", tokens, 2))
        centred = g.add("Mul", centred, g.reshape(seen, -1, L, 1, 1))
        leads = g.reduce("Sum", seen, 1, 2, keep=False)  # [B]
        products = []
        for lag in range(lags + 1):
            pairs = max(columns - lag, 0)
            late, early = g.cut(centred, 2, columns - pairs, columns), g.cut(centred, 2, 0, pairs)
            total = g.reduce("Sum", g.add("Mul", late, early), 1, 2, 3, keep=False)
            count = g.add("Max", g.add("Mul", leads, float(pairs)), 1.0)
            products.append(g.add("Unsqueeze", g.add("Div", total, count), g.ints(1)))
        first = g.add("Max", products[0], 1e-6)
        return g.add("Div", g.add("Concat", *products[1:], axis=1), first)
