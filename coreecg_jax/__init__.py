"""CoRe-ECG: contrastive and reconstructive self-supervised pretraining for 12-lead ECG, in JAX/Flax."""

__version__ = "0.1.0"
