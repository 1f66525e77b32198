import pytest

from narrows.declare.rate import Rate

UNITS = ["1/second", "30/minute", "5/hour per caller", "3 concurrent"]


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("30/minute", Rate(30, 60)),
        ("1/second", Rate(1, 1, "caller")),
        ("1000/day per tenant", Rate(1000, 86400, "tenant")),
        ("5/hour per connector", Rate(5, 3600, "connector")),
        ("5/hour per caller", Rate(5, 3600, "caller")),
        ("100/second per endpoint", Rate(100, 1, "endpoint")),
        ("5 concurrent", Rate(5, 0, "caller")),
        ("5 concurrent per connector", Rate(5, 0, "connector")),
    ],
)
def test_a_rate_is_read(text, rate):
    """It counts for each caller unless it says otherwise."""
    assert Rate.parse(text) == rate


@pytest.mark.parametrize("text", [*UNITS, "1000/day per tenant", "5/hour per connector", "2 concurrent per endpoint"])
def test_a_rate_is_written_as_it_is_read(text):
    """What a client reads of a rate can be declared again."""
    assert Rate.parse(str(Rate.parse(text))) == Rate.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "30", "0/minute", "-1/minute", "030/minute", "1.5/minute", "30/week", "30 / minute", "30/minute per user",
     "30/minute\n", "٣/minute", "9999999999/day", "5 concurrent/minute", "0 concurrent", "5concurrent", "5/concurrent",
     "5 concurrents", "5 concurrent per way"],
)  # fmt: skip
def test_what_is_no_rate_is_refused(text):
    """The message shows the form that is wanted."""
    with pytest.raises(ValueError, match="is not a rate such as '30/minute', '1000/day per tenant' or '5 concurrent'"):
        Rate.parse(text)


def test_a_rate_counts_for_whom_the_place_says():
    """Where only some make sense, the first of them is meant unless another is written, and the rest is refused."""
    assert Rate.parse_for("5/day", "connector", "caller") == Rate(5, 86400, "connector")
    assert Rate.parse_for("5 concurrent per caller", "connector", "caller") == Rate(5, 0, "caller")
    with pytest.raises(ValueError, match="'5/day per endpoint' counts per endpoint, and here a rate counts per tenant"):
        Rate.parse_for("5/day per endpoint", "tenant")
    with pytest.raises(ValueError, match="'many per tenant' is not a rate"):
        Rate.parse_for("many", "tenant")
