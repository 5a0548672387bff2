"""What preparing does with each flag of a recording, and from where on it is suspected.

keep: as it is; mask: the leads concerned become zeros with a flag, and no step sees them; set_aside: the
recording becomes a line of the manifest with its reason. Limits stand on 693 real recordings (docs/data.md).
Command: python -m launch.prepare --config=configs/quality.py --config.policy.noise=mask …
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """What launch.prepare does unless told otherwise."""
    config = ml_collections.ConfigDict()

    config.policy = policy = ml_collections.ConfigDict()  # keep, mask or set_aside
    policy.missing = "set_aside"  # or mask
    policy.nan = "set_aside"  # or mask; one invalid sample is enough
    policy.flat = "set_aside"
    policy.saturated = "set_aside"
    policy.baseline_wander = "keep"
    policy.noise = "keep"
    policy.limb_lead_relation = "keep"  # the limb leads do not follow from I and II
    policy.arms_reversed = "keep"  # mask: all limb leads
    policy.right_arm_and_leg_reversed = "keep"  # mask: all limb leads
    policy.unit = "keep"

    config.limits = limits = ml_collections.ConfigDict()  # in uV
    limits.baseline_uv = 3000.0  # range of the means over a second
    limits.noise_uv = 60.0  # robust standard deviation of what is faster than 40 Hz
    limits.relation_uv = 100.0  # 99th percentile of what differs from what I and II make
    limits.smallest_amplitude_uv = 250.0  # 99th percentile of |lead - median|, of the median lead
    limits.largest_amplitude_uv = 3000.0
    limits.lead_ratio = 20.0  # of one lead's amplitude to the median lead's, and the other way round
    return config
