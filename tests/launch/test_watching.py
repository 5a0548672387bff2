"""What is looked at while a run trains, as several processes make it; threads stand for them."""

from pathlib import Path

import pytest
from made_run import write_made_data
from made_threads import together

from configs import tiny
from launch.watching import watched


def config_of(root: Path):
    config = tiny.get_config()
    config.data.root, config.data.validation = str(root), "made"
    return config


@pytest.mark.parametrize("bad", [0, 1])
def test_data_that_one_does_not_find_or_finds_damaged_end_all_with_the_same_words(
    tmp_path: Path, bad: int
) -> None:
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    for root in (whole, damaged):
        write_made_data(root, quality=[0] * 12, length=1000)
    for shard in damaged.rglob("*.tfrecord*"):
        content = bytearray(shard.read_bytes())
        content[100] ^= 1
        shard.write_bytes(content)
    for root, message in (
        (damaged, "wrong checksum of the data"),
        (tmp_path / "none", str(tmp_path / "none")),
    ):
        errors = together(
            2, lambda it, root=root: watched(config_of(root if it.number == bad else whole), it)
        )
        assert all(isinstance(error, (ValueError, FileNotFoundError)) for error in errors)
        assert message in str(errors[0])
        assert str(errors[0]) == str(errors[1])


def test_crops_that_do_not_fit_are_told_by_their_field(tmp_path: Path) -> None:
    write_made_data(tmp_path, quality=[0] * 12, length=1000)
    config = config_of(tmp_path)
    config.data.crop_seconds = 12.0
    with pytest.raises(ValueError, match=r"^data\.crop_seconds: expected at most the stored 10 s, got 12 s$"):
        watched(config)


def test_where_all_find_the_data_each_has_its_picture(tmp_path: Path) -> None:
    write_made_data(tmp_path, quality=[0] * 12, length=1000)
    for probes, pictures in together(2, lambda processes: watched(config_of(tmp_path), processes)):
        assert (list(probes), list(pictures)) == ([], ["reconstruction"])
