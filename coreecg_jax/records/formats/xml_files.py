"""XML of hospitals, by defusedxml: no entities, nothing from outside, bounded depth and number of elements.

What kind of ECG it is, the root element says: `AnnotatedECG` (HL7) or `RestingECG` (GE MUSE).
"""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from coreecg_jax.records.formats.hl7_aecg import hl7_recording
from coreecg_jax.records.formats.limits import check_file, need
from coreecg_jax.records.formats.muse import muse_recording
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused

MAX_BYTES = 1 << 25
MAX_ELEMENTS, MAX_DEPTH = 500_000, 200


def read_xml(path: Path) -> Recording:
    """The leads of an HL7 aECG or GE MUSE file.

    Raises:
      RecordingRefused: when it cannot be read, with the reason.
      MissingPackage: without defusedxml.
    """
    root = _parse(path)
    try:
        if root.tag == "AnnotatedECG":
            return hl7_recording(path.name, root)
        if root.tag == "RestingECG":
            return muse_recording(path.name, root)
    except RecordingRefused:
        raise
    except (ValueError, ArithmeticError) as error:  # numbers that are none
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {error}") from error
    raise RecordingRefused(
        Reason.UNREADABLE,
        f"{path.name}: expected AnnotatedECG (HL7) or RestingECG (GE MUSE) as root, got {root.tag[:80]!r}",
    )


def _parse(path: Path) -> ElementTree.Element:
    """The root element, names without their namespaces."""
    defused = need("defusedxml.ElementTree", path.name)
    check_file(path, MAX_BYTES)
    try:
        parser = defused.DefusedXMLParser(target=_Bounded(), forbid_entities=True, forbid_external=True)
        parser.feed(path.read_bytes())
        return parser.close()
    except RecordingRefused:
        raise
    except Exception as error:  # ParseError, EntitiesForbidden, unknown encodings
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {type(error).__name__}: {error}") from error


class _Bounded(ElementTree.TreeBuilder):
    """Builds the tree, while it is neither too large nor too deep."""

    def __init__(self) -> None:
        super().__init__()
        self._elements = self._depth = 0

    def start(self, tag: Any, attrs: Any, /) -> Any:
        self._elements += 1
        self._depth += 1
        if self._elements > MAX_ELEMENTS or self._depth > MAX_DEPTH:
            raise RecordingRefused(
                Reason.UNREADABLE, f"expected XML of up to {MAX_ELEMENTS} elements, {MAX_DEPTH} deep"
            )
        return super().start(_local(tag), attrs)

    def end(self, tag: Any, /) -> Any:
        self._depth -= 1
        return super().end(_local(tag))


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
