"""The encoder of a bundle in PyTorch. This folder can be copied: it needs torch, safetensors and numpy only.

    encoder = load("FOLDER")                      # a torch.nn.Module, float32, ready for fine-tuning too
    embedding_BF = encoder(ecg_BLW, available_BL)  # mV at the bundle's rate, filtered (config.json says how)

It computes what `coreecg_jax.load(FOLDER).embed` does with conditioned windows (`test_vectors.npz`).
"""

from .encoder import Encoder
from .leads import UnseenLeads
from .reading import load, read

__all__ = ["Encoder", "UnseenLeads", "load", "read"]
