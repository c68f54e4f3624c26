from core.errors import did_you_mean


def test_what_may_have_been_meant():
    meant = "Did you mean model.width? There are: model.width, steps."
    assert did_you_mean("widht", ["model.width", "steps"]) == meant
    assert did_you_mean("xyz", ["b", "a"]) == "There are: a, b."


def test_what_was_said_may_be_a_number():
    assert did_you_mean(5, ["a"]) == "There are: a."
