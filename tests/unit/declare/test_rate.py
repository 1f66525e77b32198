import pytest

from narrows.declare.rate import Rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("30/minute", Rate(30, 60)),
        ("1/second", Rate(1, 1, "caller")),
        ("1000/day per tenant", Rate(1000, 86400, "tenant")),
        ("5/hour per connector", Rate(5, 3600, "connector")),
        ("5/hour per caller", Rate(5, 3600, "caller")),
    ],
)
def test_a_rate_is_read(text, rate):
    """It counts for each caller unless it says otherwise."""
    assert Rate.parse(text) == rate


@pytest.mark.parametrize("text", ["30/minute", "1000/day per tenant", "5/hour per connector", "1/second per caller"])
def test_a_rate_is_written_as_it_is_read(text):
    """What a client reads of a rate can be declared again."""
    assert Rate.parse(str(Rate.parse(text))) == Rate.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "30", "0/minute", "-1/minute", "030/minute", "1.5/minute", "30/week", "30 / minute", "30/minute per user",
     "30/minute\n", "٣/minute", "9999999999/day"],
)  # fmt: skip
def test_what_is_no_rate_is_refused(text):
    """The message shows the form that is wanted."""
    with pytest.raises(ValueError, match="is not a rate such as '30/minute' or '1000/day per tenant'"):
        Rate.parse(text)
