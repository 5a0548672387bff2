"""`MODEL_CARD.md`, `README.md` too: what to know before use, with the front matter that model hubs read."""

from collections.abc import Mapping
from fractions import Fraction

from coreecg_jax.export.description import Description
from coreecg_jax.records.conditioning import EDGE_SECONDS, MAX_DENOMINATOR

_HEAD = """---
license: other
license_name: licences-of-the-training-data
license_link: LICENSE
library_name: coreecg-jax
pipeline_tag: feature-extraction
tags: [ecg, electrocardiogram, self-supervised, jax]
---
# A CoRe-ECG encoder

Turns 12-lead ECG, or any of its leads, into vectors. Not a medical device; not for diagnosis.

"""
_USE = """## Use

    import coreecg_jax
    bundle = coreecg_jax.load("THIS FOLDER")
    embedding = bundle.embed(signal_mV, fs=500, leads=("I", "II", "V2"))  # float32 (n, {width})

PyTorch, ONNX Runtime and StableHLO: docs/export.md of the project. These take windows of {seconds:g} s at
{rate:g} Hz that are filtered already: Butterworth high-pass {high:g} Hz, then low-pass {low:g} Hz, order
{order}, each forwards and backwards over the whole recording, before it is cut. So from `signal`, mV,
[leads, samples], here at 500 Hz (another rate: up / down = {rate:g} / rate):

    from scipy.signal import butter, resample_poly, sosfiltfilt
    filtered = resample_poly(signal, {up}, {down}, axis=-1, padtype="line")  # up, down
    for cutoff, kind in (({high:g}, "highpass"), ({low:g}, "lowpass")):
        sos = butter({order}, cutoff, kind, fs={rate:g}, output="sos")
        filtered = sosfiltfilt(sos, filtered, padlen={pad})
    window = filtered[:, :{window}]  # float32 at its lead's row of [B, 12, {window}]

"""
_BESIDE = (
    "Beside it, on the same recordings: what stands in the last columns, each the mean of its runs. Which "
    "differences are beyond chance is not for this table to say (launch.evaluate gives their intervals).\n"
)
_ALONE = "What an encoder that was not trained, or random convolutions, would reach is not said here.\n"


def model_card(description: Description, differences: Mapping[str, float], width: int) -> str:
    """The text, from the description and the difference of each format from the test vectors."""
    d, p, r, t = description, description.preprocessing, description.representation, description.training
    known = all(t.manifests.values()) and t.manifests
    manifests = "manifests by SHA-256 in config.json" if known else "which manifests is not known of all"
    rows = {
        "training data": f"{t.data} ({manifests})",
        "method": f"{t.method}, step {t.step}, seed {t.seed}",
        "encoder": f"width {d.network.width}, depth {d.network.depth}, patch {d.network.patch} samples",
        "model.safetensors": ", ".join(d.parts),
        "input": f"mV at {p.sampling_rate:g} Hz, {p.high_pass:g} to {p.low_pass:g} Hz",
        "leads": ", ".join(p.leads),
        "embedding": f"{width} numbers: pooling {r.pooling}, mean of {r.crops} crops of "
        f"{r.crop_samples / p.sampling_rate:g} s of each {p.window_seconds:g} s window",
        "fewest leads seen in training": str(t.fewest_leads),
        "labels evaluated": ", ".join(d.labels) or "none (an encoder, without classifier)",
        "licence": d.licence,
        "written by": f"coreecg-jax {d.project_version}",
    }
    table = "".join(f"| {name} | {value} |\n" for name, value in rows.items())
    ratio = Fraction(p.sampling_rate / 500).limit_denominator(MAX_DENOMINATOR)
    use = _USE.format(
        width=width,
        seconds=p.window_seconds,
        rate=p.sampling_rate,
        high=p.high_pass,
        low=p.low_pass,
        order=p.filter_order,
        up=ratio.numerator,
        down=ratio.denominator,
        pad=round(EDGE_SECONDS * p.sampling_rate),
        window=p.window_samples,
    )
    checked = "".join(f"| {name} | {value:.1e} |\n" for name, value in differences.items())
    formats = "## Formats\nRun again after writing; largest difference from the test vectors:\n\n"
    formats += f"| format | difference |\n|---|---:|\n{checked}"
    return f"{_HEAD}| | |\n|---|---|\n{table}\n{use}{_accuracy(d)}{_recovery(d)}{formats}"


def _accuracy(description: Description) -> str:
    if not description.accuracy:
        return "## Accuracy\nNo evaluation was handed in when this was written: nothing is known.\n\n"
    methods = list(dict.fromkeys(name for one in description.accuracy for name in one.beside))
    lines = [
        f"| {one.task} | {len(one.leads)}: {', '.join(one.leads)} | {one.probe} | {one.protocol} | "
        f"{one.macro_auroc:.3f} ({one.low:.3f} to {one.high:.3f}) |"
        + "".join(f" {one.beside[name]:.3f} |" if name in one.beside else " – |" for name in methods)
        + "\n"
        for one in description.accuracy
    ]
    head = "| task | leads | probe | protocol | macro AUROC (95 %) |" + "".join(
        f" {name} |" for name in methods
    )
    note = _BESIDE if methods else _ALONE
    return f"## Accuracy\n{head}\n|{'---|' * (5 + len(methods))}\n{''.join(lines)}\n{note}\n"


def _recovery(description: Description) -> str:
    if not description.recovery:
        return ""
    text = (
        "## Reconstruction\nRoot mean square error, mV, of what `bundle.reconstruct` generates on held-out "
        "recordings; in brackets that of a flat line, the lead's standard deviation: an error as large says "
        "that nothing is recovered.\n\n"
    )
    leads = description.preprocessing.leads
    text += f"| given | windows | {' | '.join(leads)} |\n|---|---:|{'---:|' * len(leads)}\n"
    for one in description.recovery:
        spans = "".join(f"; {first:g} to {last:g} s hidden" for first, last in one.hidden)
        given = f"{len(one.leads)}: {', '.join(one.leads)}{spans} ({one.data})"
        cells = [
            f"{one.error[lead]:.2f} ({one.flat[lead]:.2f})" if lead in one.error else "–" for lead in leads
        ]
        text += f"| {given} | {one.windows} | {' | '.join(cells)} |\n"
    return text + "\n"
