"""A bundle as a transformer of scikit-learn, so that a probe is three lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from coreecg_jax.export.bundle import Bundle
from coreecg_jax.export.loading import RELEASED, load
from coreecg_jax.export.recordings import hertz_of, places_of, require_known
from coreecg_jax.export.signals import Signal
from coreecg_jax.records.leads import LEADS


class CoReECGEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Recordings to embeddings; nothing is learned from the recordings.

    Parameters:
      bundle: folder that launch.export wrote, or what `coreecg_jax.load` gave; default: the encoder that
        comes with the package.
      fs: sampling rate of the recordings, Hz. It must be given: a wrong one gives wrong numbers.
      leads: names of their rows, any of the twelve in any order.
      bad_leads: 'refuse' a recording with a lead that is flat, saturated or has NaN, or 'mask' it.
      conditioned: the recordings have the bundle's rate and were filtered already.

    Attributes:
      bundle_: the loaded bundle.
    """

    def __init__(
        self,
        bundle: Bundle | str | Path | None = None,
        *,
        fs: float | None = None,
        leads: Sequence[str] = LEADS,
        bad_leads: str = "refuse",
        conditioned: bool = False,
    ):
        self.bundle = bundle
        self.fs = fs
        self.leads = leads
        self.bad_leads = bad_leads
        self.conditioned = conditioned

    def fit(self, X: Signal, y: Any = None) -> Self:
        """Loads the bundle.

        Args:
          X: recordings in mV, [n, leads, samples] or a sequence of [leads, samples]; not looked at.
          y: not looked at.

        Raises:
          FileNotFoundError, ValueError: as `coreecg_jax.load`.
          ValueError: when no sampling rate was given, or one of the parameters makes no sense.
        """
        del X, y
        if self.fs is None:
            raise ValueError("fs: expected the sampling rate of the recordings in Hz, got none: fs=500, say")
        hertz_of(self.fs)
        places_of(self.leads)
        require_known(self.bad_leads)
        bundle = RELEASED if self.bundle is None else self.bundle
        self.bundle_ = bundle if isinstance(bundle, Bundle) else load(bundle)
        self._n_features_out = self.bundle_.width
        return self

    def transform(self, X: Signal) -> np.ndarray:
        """Embeddings float32[n, F]; arguments and errors as `Bundle.embed`."""
        check_is_fitted(self)
        return self.bundle_.embed(
            X, fs=hertz_of(self.fs), leads=self.leads, bad_leads=self.bad_leads, conditioned=self.conditioned
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.bad_leads == "mask"
        return tags
