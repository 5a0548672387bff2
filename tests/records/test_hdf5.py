"""HDF5 files of one recording."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_formats import (
    ECG_YAML,
    refused,
)
from made_recordings import LEADS, made_ecg

from coreecg_jax.records.formats.files import read_recording
from coreecg_jax.records.refusals import Reason, RecordingRefused


def test_hdf5_of_one_recording(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path, ecg = tmp_path / "r.h5", made_ecg()
    with h5py.File(path, "w") as file:
        file.create_dataset("lead/ecg", data=ecg.T, compression="gzip")
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + f"leads: [{', '.join(LEADS)}]\ndataset: lead/ecg\n")
    np.testing.assert_allclose(read_recording(path).ecg_LT, ecg)
    with h5py.File(path, "w") as file:
        file["lead/other"] = ecg
    assert "there are other" in refused(path).sentence


def test_hdf5_that_reaches_out_or_grows_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    (tmp_path / "ecg.yaml").write_text(ECG_YAML + "leads: [I, II]\ndataset: ecg\n")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["ecg"] = made_ecg()[:2]
    (tmp_path / "raw").write_bytes(made_ecg()[:2].tobytes())
    path = tmp_path / "r.h5"

    def written(write: Callable) -> RecordingRefused:
        path.unlink(missing_ok=True)
        with h5py.File(path, "w") as file:
            write(file)
        return refused(path)

    def link(file) -> None:
        file["ecg"] = h5py.ExternalLink("other.h5", "ecg")

    def stored_outside(file) -> None:
        file.create_dataset("ecg", (2, 5000), "<f8", external=[(str(tmp_path / "raw"), 0, 80_000)])

    def virtual(file) -> None:
        layout = h5py.VirtualLayout((2, 5000), "<f8")
        layout[:] = h5py.VirtualSource("other.h5", "ecg", (2, 5000))
        file.create_virtual_dataset("ecg", layout)

    for write in (link, stored_outside, virtual):
        assert written(write).reason == Reason.OUTSIDE_FOLDER
    assert (
        "at most"
        in written(lambda file: file.create_dataset("ecg", (2, 10**12), "<f8", chunks=(1, 1000))).sentence
    )
    assert (
        "chunks"
        in written(lambda file: file.create_dataset("ecg", (2, 10**8), "<f8", chunks=(1, 10**8))).sentence
    )
    assert "numbers" in written(lambda file: file.create_dataset("ecg", data=[b"text"])).sentence
