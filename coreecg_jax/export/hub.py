"""Bundles from a model hub, by the optional package huggingface_hub."""

import os
import re
import urllib.parse
from pathlib import Path

from coreecg_jax.export.folder import CONFIG, SUMS, TENSORS
from coreecg_jax.export.refusal import MissingPackage

PREFIX = "hf://"
CACHE = "COREECG_CACHE"  # environment variable: where downloaded bundles lie
_PART = r"[\w-][\w.-]*"  # of a path: never '.', '..' or nothing
_NAME = re.compile(rf"hf://(?P<repository>{_PART}/{_PART})(?:@(?P<revision>{_PART}(?:/{_PART})*))?")


def downloaded(name: str | Path) -> Path:
    """The folder of the files that `load` reads, downloaded where they are not there yet.

    Plain files, not the links of the hub's own cache: `load` follows no links. They lie under
    `$COREECG_CACHE`, by default `~/.cache/coreecg_jax`.

    Args:
      name: 'hf://ORGANISATION/NAME' or 'hf://ORGANISATION/NAME@REVISION', a branch, tag, commit or
        'refs/pr/1'.

    Raises:
      ValueError: when the name is no such name.
      MissingPackage: without huggingface_hub.
      FileNotFoundError: when the hub has no such repository or revision for this user, or cannot be reached
        and nothing was downloaded before.
    """
    match = _NAME.fullmatch(str(name))
    if not match:
        raise ValueError(f"expected hf://ORGANISATION/NAME or hf://ORGANISATION/NAME@REVISION, got {name}")
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingPackage(f"{name}: expected huggingface_hub: pip install 'coreecg-jax[hub]'") from error
    revision = match["revision"] or "main"
    cache = Path(os.environ.get(CACHE) or Path.home() / ".cache" / "coreecg_jax")
    # A revision with '/' is one folder too: none lies in that of another.
    where = cache / match["repository"].replace("/", "--") / urllib.parse.quote(revision, safe="")
    try:
        huggingface_hub.snapshot_download(
            match["repository"],
            revision=revision,
            local_dir=where,
            allow_patterns=[SUMS, CONFIG, TENSORS],
        )
    except (
        OSError
    ) as error:  # what the package raises for a repository that is not there, and without a network
        raise FileNotFoundError(f"{name}: not on the hub, or out of reach: {error}") from error
    return where
