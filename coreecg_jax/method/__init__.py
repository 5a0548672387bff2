"""The paper: views (FDA), masking (STDM), network, objective. Pure functions on devices.

Dimension key, carried in array names (`ecg_BLT`, `gain_BF`, `kept_BK`):

  B  recordings of the batch        L  leads
  T  samples of a crop              W  samples of a stored window
  F  frequencies of the rfft        M  frequency bands of FDA
  N  patch columns, T / P           P  samples of a patch
  S  tokens, L * N                  K  tokens that the encoder sees
  D  width of the encoder           E  width of the projection
  H  attention heads                R  register tokens
"""
