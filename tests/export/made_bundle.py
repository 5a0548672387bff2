"""A bundle of a network with random parameters, small enough for every test to look at."""

import contextlib
import functools
import hashlib
import resource
from pathlib import Path

import jax
import numpy as np
from hypothesis import HealthCheck, settings

from coreecg_jax.export import folder
from coreecg_jax.export.description import Accuracy, Description, Normalisation, Representation, Training
from coreecg_jax.export.parts import PARTS
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.views import FDA
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.schema import Preprocessing

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
RATE = 100.0  # Hz
PATCH = 50  # samples
CROP = 400  # samples: 4 s, three of them in a window of 10 s
SIX = LEADS[:6]
NETWORK = CoReECG(
    patch=PATCH,
    width=16,
    depth=2,
    heads=2,
    registers=1,
    projection=8,
    decoder_width=8,
    decoder_depth=1,
    decoder_heads=1,
    kernels=3,
    kernel_length=9,
    zero_output=False,
)


def made_description(network=NETWORK, pooling="lead", parts=PARTS):
    """What a bundle of this network says."""
    training = Training("coreecg", "made", {"made": "0" * 64}, 7, 0, CROP, "float32", "learned", 0.1, 10)
    return Description(
        network=network,
        preprocessing=Preprocessing(sampling_rate=RATE),
        normalisation=Normalisation(),
        representation=Representation(pooling, CROP, 3),
        training=training,
        accuracy=(Accuracy("made_task", SIX, "linear", "sealed test", 0.8, 0.75, 0.85, {"untrained": 0.7}),),
        parts=parts,
        project_version="0",
    )


def rows(ecg, leads):
    """Those leads of a recording of twelve."""
    return ecg[[LEADS.index(lead) for lead in leads]]


def made_parameters(network=NETWORK):
    """Random parameters: of the initial ones many are zero, and a zero hides what it multiplies."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: rng.normal(0.0, 0.3, x.shape).astype(np.float32), _shapes(network))


@functools.cache
def _shapes(network):
    patches = np.zeros((1, 12, network.patch), np.float32)
    kept, seen = np.arange(12, dtype=np.int32)[None], np.ones((1, 12), bool)
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), patches, kept, seen))["params"]
    return {"network": shapes, "fda": FDA().init(CROP, RATE)}


def sign_again(where):
    """New digests, as one who tampers would write them."""
    names = sorted(path.name for path in where.iterdir() if path.name != folder.SUMS)
    lines = [f"{hashlib.sha256((where / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (where / folder.SUMS).write_text("".join(lines))


@contextlib.contextmanager
def bounded_memory(more=4 << 30):
    """Inside, this process cannot come by more bytes than these: what asks for them gets a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
