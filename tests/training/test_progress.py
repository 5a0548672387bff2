from coreecg_jax.training.progress import Progress


def test_the_line_tells_step_speed_losses_and_time_left(capsys):
    with Progress(100, start_step=40, batch_size=8, disable=False) as progress:
        progress.update(50, {"loss": 0.12345})
    line = capsys.readouterr().err.split("\r")[-1]
    assert line.startswith("step 50/100 · ")
    assert " left, · " not in line
    assert "recordings/s" in line
    assert "loss 0.1235" in line or "loss 0.1234" in line


def test_the_line_is_silent_where_it_is_told_to_be(capsys):
    with Progress(100, batch_size=8, disable=True) as progress:
        progress.update(50, {"loss": 0.5})
    assert capsys.readouterr().err == ""
