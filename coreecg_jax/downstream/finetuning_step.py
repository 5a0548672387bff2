"""One step of fine-tuning, and one batch of predictions: pure functions, compiled once a process."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax import struct

from coreecg_jax.downstream.augmentation import Crops, augment, mixup
from coreecg_jax.downstream.finetuning_settings import Settings
from coreecg_jax.downstream.heads import make_head
from coreecg_jax.method.layers import drop_path
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.normalisation import crop, derive_limb_leads, random_starts
from coreecg_jax.method.unmasked import encode_unmasked, read
from coreecg_jax.training.optimizer import is_matrix

Parameters = dict[str, Any]
CLIP = 1.0  # global norm of the gradient


class TuneState(struct.PyTreeNode):
    """Steps done, what is trained ({'head'} or {'head', 'encoder'}), the optimizer's state."""

    step: jax.Array  # int32
    trained: Parameters
    optimizer: optax.OptState


class Windows(NamedTuple):
    """Stored windows of a batch, with labels."""

    ecg_BLW: jax.Array  # int16
    length_B: jax.Array  # int32, samples
    available_BL: jax.Array  # bool
    labels_BC: jax.Array  # bool
    known_BC: jax.Array  # bool, whether a label says something (`vocabularies`)


class Compiled(NamedTuple):
    """Functions that every fit of one shape shares."""

    head: nn.Module
    # (encoder's and head's parameters) -> state before the first step
    start: Callable[[Parameters], TuneState]
    # (state, parameters that are not trained, windows, mV a unit, learning rate, seed) -> (state, loss)
    step: Callable[..., tuple[TuneState, jax.Array]]
    # (network's parameters, head's, ecg_BLT mV, available_BL, length_B) -> probabilities float32 (B, C)
    probabilities: Callable[..., jax.Array]


def compiled(
    network: CoReECG, settings: Settings, *, classes: int, places: tuple[int, ...], samples: int
) -> Compiled:
    """The functions for crops of `samples` samples of the leads at `places` (`tokens.leads_in_use`)."""
    hashable: Any = network  # a flax module is, though its type does not say so
    return _compiled(hashable, settings.of_a_step, classes, places, samples)


@functools.lru_cache(maxsize=32)
def _compiled(
    network: CoReECG, settings: Settings, classes: int, places: tuple[int, ...], samples: int
) -> Compiled:
    head = make_head(settings.head, classes, heads=network.heads, places=places)
    optimizer = make_tuner(network.depth, settings.layer_decay, settings.weight_decay)

    def logits(parameters: Parameters, head_parameters: Parameters, crops: Crops, keep_XB: Any) -> jax.Array:
        tokens = encode_unmasked(network, parameters, read(network, *crops[:3]), places, keep_XB)
        logits_BC: Any = head.apply({"params": head_parameters}, tokens)
        return logits_BC

    def start(trained: Parameters) -> TuneState:
        # Copied, as a step gives the memory of its state away.
        trained = jax.tree.map(lambda each: jnp.array(each, copy=True), trained)
        return TuneState(jnp.zeros((), jnp.int32), trained, optimizer.init(trained))

    def step(
        state: TuneState, fixed: Parameters, windows: Windows, unit: Any, rate: Any, seed: Any
    ) -> tuple[TuneState, jax.Array]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        crop_key, drop_key = jax.random.split(key)
        crops = training_crops(crop_key, windows, settings, samples, unit)
        keep_XB = None
        if settings.drop_path:
            batch = len(crops.length_B)
            keep_XB = drop_path(drop_key, settings.drop_path, depth=network.depth, batch=batch)

        def loss_of(trained: Parameters) -> jax.Array:
            parameters = {**fixed, **trained.get("encoder", {})}
            logits_BC = logits(parameters, trained["head"], crops, keep_XB)
            each_BC = optax.sigmoid_binary_cross_entropy(logits_BC, crops.labels_BC)
            known = jnp.maximum(crops.known_BC.sum(), 1)  # none where a batch is of classes nobody looked for
            return jnp.where(crops.known_BC, each_BC, 0.0).sum() / known

        loss, gradient = jax.value_and_grad(loss_of)(state.trained)
        updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.trained)
        updates = jax.tree.map(lambda update: -rate * update, updates)
        trained: Any = optax.apply_updates(state.trained, updates)
        return TuneState(state.step + 1, trained, optimizer_state), loss

    def probabilities(
        parameters: Parameters,
        head_parameters: Parameters,
        ecg_BLT: jax.Array,
        available_BL: jax.Array,
        length_B: jax.Array,
    ) -> jax.Array:
        none_BC = jnp.zeros((len(ecg_BLT), classes))
        crops = Crops(ecg_BLT, available_BL, length_B, none_BC, none_BC.astype(bool))
        return jax.nn.sigmoid(logits(parameters, head_parameters, crops, None))

    return Compiled(head, jax.jit(start), jax.jit(step, donate_argnums=0), jax.jit(probabilities))


def training_crops(
    key: jax.Array, windows: Windows, settings: Settings, samples: int, unit: jax.Array
) -> Crops:
    """A crop of each window from a random place, changed and mixed as the settings say."""
    start_key, augment_key, mix_key = jax.random.split(key, 3)
    start_B = random_starts(start_key, windows.length_B, samples)
    ecg_BLT = crop(windows.ecg_BLW, start_B, samples).astype(jnp.float32) * unit
    length_B = jnp.minimum(windows.length_B - start_B, samples)
    ecg_BLT, available_BL = derive_limb_leads(ecg_BLT, windows.available_BL)
    labels_BC = windows.labels_BC.astype(jnp.float32)
    crops = Crops(ecg_BLT, available_BL, length_B, labels_BC, windows.known_BC)
    crops = augment(augment_key, crops, settings.augment) if settings.augment else crops
    return mixup(mix_key, crops, settings.mixup) if settings.mixup else crops


def make_tuner(depth: int, layer_decay: float, weight_decay: float) -> optax.GradientTransformation:
    """AdamW less its learning rate: an update is to be multiplied by -rate.

    Weight decay is on kernels of linear layers (`training.optimizer.is_matrix`); the rate of each layer
    holds for its decay, too.
    """

    def scaled(updates: optax.Updates, _: Any) -> optax.Updates:
        def scale(path: jax.tree_util.KeyPath, update: jax.Array) -> jax.Array:
            factors = layer_scale(path, depth, layer_decay)
            return update * factors.reshape(-1, *[1] * (update.ndim - 1))

        return jax.tree_util.tree_map_with_path(scale, updates)

    return optax.chain(
        optax.clip_by_global_norm(CLIP),
        optax.scale_by_adam(b1=0.9, b2=0.999),
        optax.add_decayed_weights(weight_decay, mask=is_matrix),
        optax.stateless(scaled) if layer_decay != 1 else optax.identity(),
    )


def layer_scale(path: jax.tree_util.KeyPath, depth: int, decay: float) -> np.ndarray:
    """The learning rate of a parameter over the head's: float32[layers] of the stack, else float32[1].

    As in BEiT (Bao et al. 2022): `decay` to the number of layers that stand above. Embeddings are below all
    `depth` layers; the final norm and the head are above them.
    """
    names = [str(getattr(key, "key", key)) for key in path]
    if names[0] == "head" or names[:3] == ["encoder", "encoder_stack", "norm"]:
        return np.ones(1, np.float32)
    above = np.arange(depth, 0, -1) if names[1:3] == ["encoder_stack", "layers"] else np.array([depth + 1])
    return (decay**above).astype(np.float32)
