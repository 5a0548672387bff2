"""`model.onnx`: written and run. The packages are those of the extra `onnx`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coreecg_jax.export.refusal import MissingPackage
from coreecg_jax.export.vectors import TOLERANCE

if TYPE_CHECKING:
    from coreecg_jax.export.bundle import Bundle


def write_onnx(path: Path, bundle: "Bundle") -> None:
    """Writes the graph, checked by onnx itself.

    Raises:
      MissingPackage: without the packages of the extra.
    """
    _require()
    import onnx

    from coreecg_jax.export.onnx_encoder import Encoder
    from coreecg_jax.export.onnx_graph import Graph

    graph, d = Graph(), bundle.description
    embedding, width = Encoder(graph, d, bundle.parameters).windows("ecg", "available")
    inputs: dict[str, tuple[int, list[str | int]]] = {
        "ecg": (onnx.TensorProto.FLOAT, ["batch", 12, d.preprocessing.window_samples]),
        "available": (onnx.TensorProto.BOOL, ["batch", 12]),
    }
    p = d.preprocessing
    about = (
        f"ecg: mV, {p.sampling_rate:g} Hz, filtered {p.high_pass:g} to {p.low_pass:g} Hz, leads "
        f"{', '.join(p.leads)}; available: which of them are there. {d.licence}"
    )
    model = graph.model(inputs, embedding, width, about)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def run_onnx(path: Path, ecg: np.ndarray, available: np.ndarray) -> np.ndarray:
    """The embedding by ONNX Runtime on the CPU, one window at a time and all at once: they must agree."""
    _require()
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(rows: slice) -> Any:
        return session.run(["embedding"], {"ecg": ecg[rows], "available": available[rows]})[0]

    single = np.concatenate([run(slice(row, row + 1)) for row in range(len(ecg))])
    together = run(slice(None))
    return np.where(np.abs(single - together) <= TOLERANCE, together, np.nan)


def _require() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise MissingPackage(
            f"format onnx: expected the packages onnx and onnxruntime ({error}): pip install "
            "'coreecg-jax[onnx]', or leave it out (--formats=stablehlo)"
        ) from error
