"""Bundles from a model hub, by the optional package huggingface_hub."""

import os
import re
from pathlib import Path

from coreecg_jax.export.folder import CONFIG, SUMS, TENSORS
from coreecg_jax.export.refusal import MissingPackage

PREFIX = "hf://"
CACHE = "COREECG_CACHE"  # environment variable: where downloaded bundles lie
_NAME = re.compile(r"hf://(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[\w-][\w.-]*))?")


def downloaded(name: str | Path) -> Path:
    """The folder of the files that `load` reads, downloaded where they are not there yet.

    Plain files, not the links of the hub's own cache: `load` follows no links. They lie under
    `$COREECG_CACHE`, by default `~/.cache/coreecg_jax`.

    Args:
      name: 'hf://ORGANISATION/NAME' or 'hf://ORGANISATION/NAME@REVISION'.

    Raises:
      ValueError: when the name is no such name.
      MissingPackage: without huggingface_hub.
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
    where = cache / match["repository"].replace("/", "--") / revision
    huggingface_hub.snapshot_download(
        match["repository"],
        revision=revision,
        local_dir=where,
        allow_patterns=[SUMS, CONFIG, TENSORS],
    )
    return where
