"""What the data of a run are, as digests: of which recordings they hold, and of their shards."""

import hashlib

from coreecg_jax.inputs.selection import Selection
from coreecg_jax.records.checksums import SUMS, read_sums

Digests = dict[str, dict[str, dict[str, str]]]


def digests_of(**selections: Selection) -> Digests:
    """'data' (`Selection.manifest_digests`) and 'shards' (`shard_digests`) by use, such as `train`, and data
    set.

    Raises:
      OSError, ValueError: when a file that says it cannot be read or is damaged.
    """
    return {
        "data": {use: each.manifest_digests() for use, each in selections.items()},
        "shards": {use: shard_digests(each) for use, each in selections.items()},
    }


def shard_digests(selection: Selection) -> dict[str, str]:
    """SHA-256 by data set of what `SHA256SUMS` says of the selected shards, which are not read.

    Of recordings that were prepared again, by another version, the manifest may be the same to the byte and
    the samples not. A data set without `SHA256SUMS`, or without a line for each of its shards, is left out;
    so are all where the folders are not read, as of a packed corpus.

    Raises:
      OSError, ValueError: as `read_sums`.
    """
    if selection.digests is not None:
        return {}
    digests = {}
    for name, folder in zip(selection.names, selection.folders):
        known = read_sums(folder) if (folder / SUMS).is_file() else {}
        lines = [(known.get(file.name), file.name) for file in selection.files if file.parent == folder]
        if all(digest for digest, _ in lines):
            digests[name] = hashlib.sha256(repr(lines).encode()).hexdigest()
    return digests
