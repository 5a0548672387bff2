"""Is it learning, and is it fast: figures beside the losses."""

import contextlib
import time
from collections.abc import Generator, Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.inputs.batch import Batch
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.objective import Objective
from coreecg_jax.records.leads import LEADS

MOST_COMPARED = 2048  # pairs grow with the square: 80,000 recordings would take 83 GB on the host
_VECTORS_AT_ONCE = 4096  # a copy in float64: of all of 160,000 at width 768 it would take 1 GB


def representation_health(z1_BE: np.ndarray, z2_BE: np.ndarray, global_BD: np.ndarray) -> dict[str, float]:
    """Alignment and uniformity (Wang & Isola 2020) of unit vectors, effective rank of the global token.

    Args:
      z1_BE, z2_BE: projections of the two views of B recordings.
      global_BD: global tokens of all views.

    Uniformity compares all pairs; of more than `MOST_COMPARED` recordings, those of so many, evenly spaced.
    """
    alignment = ((z1_BE - z2_BE) ** 2).sum(-1).mean()
    return {
        "alignment": float(alignment),
        "uniformity": uniformity(z1_BE),
        "effective_rank": effective_rank(global_BD),
    }


def uniformity(z_BE: np.ndarray) -> float:
    """log of the mean of exp(-2 |u - v|^2) over the pairs of unit vectors."""
    evenly = np.linspace(0, len(z_BE) - 1, min(len(z_BE), MOST_COMPARED)).round().astype(int)
    z_BE = z_BE[evenly]
    distance_BB = 2 - 2 * z_BE @ z_BE.T
    others = ~np.eye(len(z_BE), dtype=bool)
    return float(np.log(np.exp(-2 * distance_BB[others]).mean()))


def effective_rank(vectors_BD: np.ndarray) -> float:
    """exp of the entropy of the normalised singular values of centred vectors (Roy & Vetterli 2007).

    From the eigenvalues of their Gram matrix [D, D], in float64: of 160,000 vectors of width 768 that takes a
    seventh of the time of their own decomposition, and no copy of them. What rounding alone may have made of
    0 counts as 0: directions below 4e-7 of the largest at width 768, of which float32 says little more.
    """
    squared_D = np.linalg.eigvalsh(_centred_products(vectors_BD))
    smallest = len(squared_D) * np.finfo(np.float64).eps * squared_D.max()
    singular = np.sqrt(np.where(squared_D > smallest, squared_D, 0))
    share = singular / max(singular.sum(), np.finfo(np.float32).tiny)
    return float(np.exp(-(share * np.log(np.maximum(share, 1e-12))).sum()))


def _centred_products(vectors_BD: np.ndarray) -> np.ndarray:
    """Products of all pairs of columns, their means taken off, float64 [D, D]."""
    mean_D = vectors_BD.mean(0, dtype=np.float64)
    gram_DD = np.zeros((vectors_BD.shape[1],) * 2)
    for start in range(0, len(vectors_BD), _VECTORS_AT_ONCE):
        part_BD = vectors_BD[start : start + _VECTORS_AT_ONCE] - mean_D
        gram_DD += part_BD.T @ part_BD
    return gram_DD


def step_flops(
    network: CoReECG, *, tokens_kept: int, columns: int, batch_size: int, decoded: bool = True
) -> float:
    """Floating-point operations of the matrix products of one step: forward, and twice that backward.

    Both views, with the decoder where it is run (`decoded`); what is not a matrix product (softmax, norms,
    FFT) is not counted, so MFU errs downwards.
    """
    free, leads = 1 + network.registers, len(LEADS)

    def stack(width: int, depth: int, sequences: int, tokens: int) -> int:
        return depth * sequences * tokens * (12 * width**2 + 2 * tokens * width)

    encoder = stack(network.width, network.depth, 1, free + tokens_kept)
    embed = tokens_kept * embedding_products(network)
    lead_wise = network.decoder == "lead_wise"
    context = free if network.context else 0
    sequences, tokens = (leads, context + columns) if lead_wise else (1, context + leads * columns)
    decoder = stack(network.decoder_width, network.decoder_depth, sequences, tokens)
    ends = (free + tokens_kept) * network.width * network.decoder_width
    ends += leads * columns * network.decoder_width * network.patch
    aligned = 3 if network.aligned == "pooled" else 1
    projector = network.width * (aligned * network.width + network.projection)
    multiply_adds = encoder + embed + projector + (decoder + ends if decoded else 0)
    return 3 * 2 * multiply_adds * 2 * batch_size


def embedding_products(network: CoReECG) -> int:
    """Multiply-adds of the embedding of one patch."""
    places = network.patch - network.kernel_length + 1
    read = network.patch + 2 * network.kernels
    return places * network.kernel_length * network.kernels + read * network.width


def matrix_rate(dtype: str) -> float:
    """Measured FLOP/s of one large square matrix product on all devices together: the ceiling of MFU."""
    size = 1024 if jax.default_backend() == "cpu" else 8192
    x = jax.random.normal(jax.random.key(0), (size, size)).astype(dtype)
    product = jax.jit(jnp.dot)
    product(x, x).block_until_ready()
    # On an accelerator one product is over in a millisecond, of which starting it would be a part.
    together = 1 if jax.default_backend() == "cpu" else 10
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(together):
            last = product(x, x)
        last.block_until_ready()  # a device computes them in turn
        seconds.append((time.perf_counter() - start) / together)
    # The CPU "devices" of one host share its cores; accelerators each have their own.
    devices = 1 if jax.default_backend() == "cpu" else jax.device_count()
    return devices * 2 * size**3 / float(np.median(seconds))


class Speed:
    """Recordings a second, share of the time spent waiting for input, and model FLOP utilisation.

    Utilisation is `step_flops` over what a large matrix product reaches in the same type, measured at
    the start of the run.
    """

    def __init__(self, objective: Objective, *, batch_size: int) -> None:
        network = objective.network
        self._batch_size = batch_size
        self._flops = step_flops(
            network,
            tokens_kept=objective.stdm.tokens_kept(objective.columns),
            columns=objective.columns,
            batch_size=batch_size,
            decoded=objective.lambda_r > 0,
        )
        self._rate = matrix_rate(network.dtype)
        self._waited = 0.0
        self._paused = 0.0
        self._at: tuple[int, float] | None = None

    def watched(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches; time until the host has each ready counts as waiting for input.

        On the host's side of the transfer: behind it, waiting for a batch is mostly waiting for the step
        that still runs on the device.
        """
        iterator = iter(batches)
        while True:
            with self.waiting():
                batch = next(iterator, None)
            if batch is None:
                return
            yield batch

    @contextlib.contextmanager
    def waiting(self) -> Generator[None]:
        """Time spent inside counts as waiting for input."""
        start = time.perf_counter()
        yield
        self._waited += time.perf_counter() - start

    @contextlib.contextmanager
    def paused(self) -> Generator[None]:
        """Time spent inside (validation) counts as nothing."""
        start = time.perf_counter()
        yield
        self._paused += time.perf_counter() - start

    def since_last(self, number: int) -> dict[str, float]:
        """Figures since the last call; the first call, which would count compilation, gives none."""
        now, before = time.perf_counter(), self._at
        paused, waited = self._paused, self._waited
        self._at, self._paused, self._waited = (number, now), 0.0, 0.0
        if before is None:
            return {}
        seconds = now - before[1] - paused
        steps_a_second = (number - before[0]) / seconds
        return {
            "recordings_per_second": steps_a_second * self._batch_size,
            "input_wait": waited / seconds,
            "mfu": steps_a_second * self._flops / self._rate,
        }
