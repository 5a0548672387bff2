"""What is said below a table as a whole."""

from coreecg_jax.downstream.table_notes import about_intervals, about_table, about_what_stands_beside


def test_what_no_result_has_beside_it_is_missed():
    full = {"incomplete_without": ["supervised from scratch"], "protocol": "development: out of fold"}
    alone = {
        "incomplete_without": ["untrained encoder", "supervised from scratch"],
        "protocol": "sealed test",
    }
    (missed,) = about_table([full, alone])
    assert missed.startswith("**Incomplete: without supervised from scratch.**")
    assert about_table([alone | {"incomplete_without": []}, alone]) == []
    assert about_table([full])[1:] == [
        "What the encoders saw of these recordings in pretraining was not looked at."
    ]
    assert about_table([]) == about_table([{}]) == []


def test_the_sign_of_what_stands_beside_is_said():
    assert about_what_stands_beside([], "full", False) == []
    (sign,) = about_what_stands_beside(["untrained encoder"], "full", False)
    assert sign.startswith(
        "− full is the row minus full in every row: of what stands beside (untrained encoder)"
    )


def test_intervals_of_one_seed_say_nothing_of_training():
    (said,) = about_intervals([("a", "q", 0), ("a", "q", 1), ("b", "q", 0), ("b", "q", 0)])
    assert said.endswith("; of one seed alone, of whose scatter they say nothing: b.")
    assert about_intervals([("a", "q", 0), ("a", "q", 1)]) == [
        "Intervals hold patients and the scatter of seeds and of draws of labels."
    ]
    (said,) = about_intervals([("a", "12 leads", 0), ("a", "12 leads", 1), ("a", "1 lead", 0)])
    assert said.endswith("they say nothing: a (1 lead).")
    assert about_intervals([]) == []
