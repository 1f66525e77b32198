from examples.where2eat import staff
from examples.where2eat.evidence import Span, ancestors, leaks, undeclared


def test_a_value_is_found_as_it_is_and_as_json_escapes_it():
    """The search of the demonstration sees an address with an umlaut in a log that writes ASCII only."""
    values = {"Beispielstraße 87": "chloe's home_address"}
    texts = {"plain": 'x "Beispielstraße 87" y', "ascii": '"Beispielstra\\u00dfe 87"', "clean": "Beispielweg 87"}
    assert leaks(values, texts) == ["chloe's home_address in plain", "chloe's home_address in ascii"]


def test_every_secret_of_everybody_is_looked_for():
    """Salary, address, IBAN and six more of each of the 24 people."""
    values = undeclared()
    assert len(values) == 9 * len(staff.people())
    anna = staff.person("anna")
    assert {str(anna.salary.amount), anna.home_address, anna.iban, anna.birthday.isoformat()} <= set(values)


def test_a_span_leads_to_its_first_ancestor():
    """Parents are followed across files until one has none."""
    first, middle, last = [
        Span(file, name, "t", span_id, parent)
        for file, name, span_id, parent in [("a", "one", "1", None), ("b", "two", "2", "1"), ("c", "three", "3", "2")]
    ]
    assert list(ancestors([last, first, middle], last)) == [middle, first]
