from decimal import Decimal

import pytest

from narrows.declare.slo import Slo


@pytest.mark.parametrize(
    ("text", "objective", "under_s"),
    [
        ("99.9%", "0.999", None),
        ("99.5% under 300ms", "0.995", 0.3),
        ("50% under 2s", "0.5", 2.0),
        ("99.999% under 99999ms", "0.99999", 99.999),
    ],
)
def test_an_objective_is_read(text, objective, under_s):
    """The part that is to be good, exactly, and the time in seconds."""
    slo = Slo.parse(text)
    assert (slo.objective, slo.under_s, slo.budget) == (Decimal(objective), under_s, 1 - Decimal(objective))


@pytest.mark.parametrize("text", ["99.9%", "99.5% under 300ms", "90% under 2000ms"])
def test_an_objective_is_written_as_it_is_read(text):
    """What a document tells of it can be declared again."""
    assert str(Slo.parse(text)) == text
    assert str(Slo.parse("90% under 2s")) == "90% under 2000ms"


@pytest.mark.parametrize(
    "text",
    ["", "99.5", "100%", "49.9%", "9%", "99.5% under", "99.5% under 0ms", "99.5% under 1m", "99.5% below 300ms",
     "99.5% under 300 ms", "99.5%\n", "٩٩%", "99.99999%", " 99%"],
)  # fmt: skip
def test_what_is_no_objective_is_refused_with_the_form(text):
    """All of the calls cannot be promised, and half of them are no promise."""
    with pytest.raises(ValueError, match=r"99\.5% under 300ms"):
        Slo.parse(text)
