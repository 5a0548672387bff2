"""Writes a bundle: every file, each run again from the disk before the folder is given its name."""

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from coreecg_jax.export import folder
from coreecg_jax.export.bundle import Bundle
from coreecg_jax.export.card import model_card
from coreecg_jax.export.crops import embed_full_windows
from coreecg_jax.export.description import Description
from coreecg_jax.export.loading import read_bundle
from coreecg_jax.export.onnx_file import run_onnx, write_onnx
from coreecg_jax.export.parts import parameters_of
from coreecg_jax.export.recordings import windows_of
from coreecg_jax.export.refusal import MissingPackage
from coreecg_jax.export.stablehlo import run_stablehlo, write_stablehlo
from coreecg_jax.export.tensors import flat, tensors_to_bytes
from coreecg_jax.export.vectors import Vectors, made_inputs, read_vectors, require_same, write_vectors
from coreecg_jax.records.spelling import with_guess

# Format -> (file name, writes the file, runs it: (file, ecg, available) -> embedding).
Write = Callable[[Path, Bundle], None]
Run = Callable[[Path, np.ndarray, np.ndarray], np.ndarray]


def run_pytorch(path: Path, ecg: np.ndarray, available: np.ndarray) -> np.ndarray:
    """The embedding by `export/pytorch/`, from the folder of the file."""
    try:
        import torch

        from coreecg_jax.export import pytorch
    except ImportError as error:
        raise MissingPackage(
            f"format pytorch: expected torch and safetensors ({error}): pip install 'coreecg-jax[torch]'"
        ) from error
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", pytorch.UnseenLeads)  # the vectors have windows with few leads
        return pytorch.read(path.parent)(torch.tensor(ecg), torch.tensor(available)).numpy()


PORTABLE: Mapping[str, tuple[str, Write, Run]] = {
    "onnx": (folder.ONNX, write_onnx, run_onnx),
    "stablehlo": (folder.STABLEHLO, write_stablehlo, run_stablehlo),
    "pytorch": (folder.TENSORS, lambda path, bundle: None, run_pytorch),  # reads what is there already
}
# Format -> the extra with its packages, and these.
PACKAGES = {"onnx": ("onnx", ("onnx", "onnxruntime")), "pytorch": ("torch", ("torch", "safetensors"))}
WITHOUT_ASKING = ("onnx", "stablehlo")


def write_bundle(
    out: Path | str,
    description: Description,
    parameters: Mapping[str, Any],
    *,
    formats: Sequence[str] = WITHOUT_ASKING,
) -> dict[str, float]:
    """Writes the folder `out`, whole or not at all.

    Args:
      out: must not be there yet.
      description: of the encoder.
      parameters: {'network': …, 'fda': …}; of the network the parts that the description names are written.
      formats: some of `PORTABLE`, beside the safetensors.

    Returns:
      Format -> largest difference of an embedding from the test vectors, when run from the written file.

    Raises:
      FileExistsError: when `out` is there.
      ValueError: when a format is unknown, a parameter not finite, or a difference larger than
        `vectors.TOLERANCE`.
      MissingPackage: when a format needs a package that is not there.
    """
    require_possible(out, formats)
    network = parameters_of(parameters["network"], description.parts)
    with folder.new_folder(Path(out)) as new:
        held = flat({**parameters, "network": network})
        tensors = {name: np.asarray(leaf) for name, leaf in held.items()}
        (new / folder.CONFIG).write_text(description.to_json(), encoding="utf-8")
        (new / folder.TENSORS).write_bytes(tensors_to_bytes(tensors))
        _write_vectors(new / folder.VECTORS, description, network)
        bundle, vectors = read_bundle(new), read_vectors(new / folder.VECTORS)
        differences = {"safetensors": require_same(embedded(bundle, vectors), vectors, folder.TENSORS)}
        for name in formats:
            file, write, run = PORTABLE[name]
            write(new / file, bundle)
            again = run(new / file, vectors.ecg, vectors.available)
            differences[name] = require_same(again, vectors, file)
        card = model_card(description, differences, vectors.embedding.shape[1])
        for name in (folder.CARD, folder.README):
            (new / name).write_text(card, encoding="utf-8")
        (new / folder.LICENCE).write_text(f"{description.licence}\n", encoding="utf-8")
    return differences


def require_possible(out: Path | str, formats: Sequence[str]) -> None:
    """What `write_bundle` would refuse, without what is to be written: asked before that is made.

    Raises:
      FileExistsError, ValueError, MissingPackage: as `write_bundle`.
    """
    unknown = [with_guess(name, list(PORTABLE)) for name in formats if name not in PORTABLE]
    if unknown:
        raise ValueError(f"formats: expected some of {', '.join(PORTABLE)}, got {', '.join(unknown)}")
    folder.require_free(Path(out))
    for name in formats:
        extra, packages = PACKAGES.get(name, ("", ()))
        try:
            for package in packages:
                importlib.import_module(package)
        except ImportError as error:
            raise MissingPackage(
                f"format {name}: expected {' and '.join(packages)} ({error}): pip install "
                f"'coreecg-jax[{extra}]', or leave {name} out of --formats"
            ) from error


def _write_vectors(path: Path, description: Description, parameters: Any) -> None:
    ecg_BLW, available_BL = made_inputs(description.preprocessing)
    embed = jax.jit(embed_full_windows, static_argnums=(0, 4))
    embedding_BF = embed(description.network, parameters, ecg_BLW, available_BL, description.representation)
    write_vectors(path, Vectors(ecg_BLW, available_BL, np.asarray(embedding_BF)))


def embedded(bundle: Bundle, vectors: Vectors) -> np.ndarray:
    """What the bundle makes of the test vectors, as a user calls it: missing leads are left out."""
    rate, leads = bundle.description.preprocessing.sampling_rate, bundle.description.preprocessing.leads
    done = [
        bundle.condition(
            ecg_LW[there],
            fs=rate,
            leads=[lead for lead, is_there in zip(leads, there) if is_there],
            bad_leads="mask",
            conditioned=True,
        )
        for ecg_LW, there in zip(vectors.ecg, vectors.available)
    ]
    preprocessing = bundle.description.preprocessing
    return bundle.embed_windows([windows_of(one, preprocessing) for several in done for one in several])
