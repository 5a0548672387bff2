"""A simulator of 12-lead ECG: virtual patients, several recordings each, labelled, without any download.

It is a teaching signal, not a patient. It is made so that code, tests and first experiments have recordings
with the algebra, the statistics and the rhythms of real ones; nothing clinical may be concluded from it.

How a recording comes about, a file a step:

  conditions     which rhythm and which morphology, drawn for the patient and then for the recording
  anatomy        the patient: age, sex, electric axis, sizes and durations of the waves
  electrodes     where the electrodes lie, what they see of the dipole, and how leads come from electrodes
  rhythm         respiration, heart-rate variability, when beats come and of which kind
  conduction     the QRS: normal, bundle branch blocks, hypertrophy, premature ventricular beats
  repolarisation ST and T, and the severity to which they are brought
  synthesis      Gaussians of time, added up at the electrodes, beat by beat
  noise          what electrodes pick up besides the ventricles: drift, muscle, mains, fibrillating atria
  simulate       all of it together

The heart is a moving dipole whose three axes are sums of Gaussians (McSharry et al. 2003,
doi:10.1109/TBME.2003.808805; Sameni et al. 2007, doi:10.1155/2007/43407), seen by the electrodes through the
lead vectors of Dower et al. 1980 (doi:10.1002/clc.4960030103). Chest electrodes see near sources besides,
which no dipole explains. All of it, noise too, happens at the electrodes, and leads are differences of
electrodes: the limb-lead relations hold to rounding. Sizes and spreads were set by the medians and
quartiles of 502 recordings of PTB-XL.

Dimension key, besides that of the project (L leads, T samples):

  E  electrodes: RA, LA, LL, V1 ... V6        K  waves of a beat
  H  heartbeats                               3  x to the left, y to the feet, z to the back (Frank)
"""
