"""Which results of several sources still answer what is asked: of these data, and as far as is allowed."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from coreecg_jax.downstream.origins import Origin, manifests, other_code
from coreecg_jax.downstream.pretrained_on import Exposure, require_unseen
from coreecg_jax.downstream.provenance import code
from coreecg_jax.downstream.result_files import UNSCORED, Report
from coreecg_jax.training.identity import differences


def still_answered(
    file: Path, reports: Mapping[str, Report | None], about: Report, root: Path
) -> dict[str, Report | None]:
    """The reports that are kept; those without scores are asked again where they might have some.

    Args:
      file: they are of.
      reports: by source, of the question and the encoders that are asked now.
      about: what is asked now, as a report says it.
      root: of the data.

    Raises:
      ValueError: when scores are of other data, or of recordings that encoders saw, which is not allowed.
    """
    scored = {source: each for source, each in reports.items() if each and UNSCORED not in each}
    for source, each in scored.items():
        if changed := _changed(each, about):
            raise ValueError(
                f"{file} holds results ({', '.join(scored)}) of other data: {', '.join(changed)} in {root} "
                "are others of that name, or were prepared otherwise or anew since: to ask all of what lies "
                "there now, move that file or name another by --out; to go on, name the --data_root it is of"
            )
        if not about["allow_overlap"]:
            require_unseen(_seen(each), source)
    return {
        source: each
        for source, each in reports.items()
        # Without scores there is nothing that an overlap could have made better, whatever was allowed.
        if source in scored or each is None or not _changed(each, about)
    }


def told_of_sources(
    reports: Mapping[str, Report | None], there: Mapping[str, Report | None]
) -> Iterator[str]:
    """What must be known of sources that were there already, below the table of all."""
    nameless = [source for source, each in there.items() if not (each and manifests(each))]
    if nameless:
        yield (
            f"{', '.join(nameless)}: cannot tell whether these results are of the data that lie there now, "
            "as results of before do not say it."
        )
    scored = [Origin(source, "", 0, source, numbers) for source, numbers in reports.items() if numbers]
    if told := other_code(scored, code()["digest"]):
        yield told


def _changed(report: Report, about: Report) -> list[str]:
    """The data sets that are others now; none where the report does not say which they were."""
    there = manifests(report)
    return list(differences(there, about["manifests"])) if there else []


def _seen(report: Report) -> dict[str, Exposure | None]:
    seen = report.get("pretrained_on_test", {})
    return {name: None if found is None else Exposure(**found) for name, found in seen.items()}
