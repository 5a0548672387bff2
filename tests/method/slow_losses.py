"""The losses in plain numpy, row by row and token by token."""

import numpy as np


def slow_info_nce(z1, z2, patient, temperature):
    """Cross-entropy of the right candidate, both directions, row by row."""

    def one_way(queries, candidates):
        losses = []
        for i, query in enumerate(queries):
            rivals = [j for j in range(len(candidates)) if j == i or patient[j] != patient[i]]
            logits = np.array([query @ candidates[j] / temperature for j in rivals])
            losses.append(np.log(np.exp(logits).sum()) - query @ candidates[i] / temperature)
        return np.mean(losses)

    return (one_way(z1, z2) + one_way(z2, z1)) / 2


def slow_reconstruction(
    prediction, clean_patches, visible, available, floor, counted=lambda b, lead, c: True
):
    """(loss, explained variance on the recording's scale) over hidden tokens of available leads."""
    squares, count, residual, total = 0.0, 0, 0.0, 0.0
    columns = visible.shape[2]
    for b, lead, column in np.ndindex(*visible.shape):
        if visible[b, lead, column] or not available[b, lead] or not counted(b, lead, column):
            continue
        patch = clean_patches[b, lead * columns + column].astype(np.float64)
        scale = np.sqrt(patch.var() + floor)
        guess = prediction[b, lead * columns + column]
        squares += np.mean((guess - (patch - patch.mean()) / scale) ** 2)
        count += 1
        residual += np.mean((guess * scale - (patch - patch.mean())) ** 2)
        total += patch.var()
    return squares / max(count, 1), 1 - residual / total if count else np.nan
