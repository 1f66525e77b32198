import hashlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from narrows.declare.budget import Budget
from narrows.declare.connectors import FILE_CHARACTERS, read_record, read_records
from narrows.declare.document import Document, Field
from narrows.declare.rate import Rate
from narrows.declare.templates import TEMPLATES, outside, within
from narrows.declare.types import Money
from narrows.errors import ConnectorError
from tests.flow.minimal import make_bff
from tests.unit.declare import records


def faults(path: Path) -> str:
    """What a file is refused for."""
    with pytest.raises(ConnectorError) as caught:
        read_record(path)
    return str(caught.value)


def test_a_file_is_a_record(tmp_path):
    """Every field is read, the id is the file's stem, and a date is a date."""
    path = records.file(
        tmp_path,
        agreement="C-7",
        expires=date(2027, 5, 1),
        budgets=["5.00 EUR/day"],
        volumes=["20 MB/day"],
        kind="partner",
    )
    read = read_record(path).record
    assert (read.id, read.expires, read.kind) == ("lunch-app", date(2027, 5, 1), "partner")
    assert read.limits() == [Rate(60, 60, "connector")]
    assert read.ceiling() == Money(Decimal("0.10"), "EUR")
    assert read.spending() == [Budget(5_000_000, "EUR", "day")]
    assert read.answering() == [Budget(20_000_000, "bytes", "day")]


@pytest.mark.parametrize(
    ("over", "key", "said"),
    [
        ({"state": "live"}, "state", "state is no key of a connector. Remedy: use one of: agreement,"),
        ({"kind": "robot"}, "kind", "kind: Invalid enum value 'robot'. Remedy: write low-code,"),
        (
            {"version": 1},
            "version",
            'version: Expected `str`, got `int`. Remedy: write it as text, as in version = "1"',
        ),
        ({"tenant": "Ex|ample"}, "tenant", "tenant: Expected `str` matching regex"),
        ({"owner": ""}, "owner", "owner: Expected `str` of length >= 1"),
        ({"purpose": "a\nb"}, "purpose", "purpose: it holds a control or an invisible character"),
        ({"owner": "amina\u200b@example.com"}, "owner", "owner: it holds a control or an invisible character"),
        ({"client_id": "a\u009b2Jb"}, "client_id", "client_id: it holds a control or an invisible character"),
        ({"contact": "a\u202eb"}, "contact", "contact: it holds a control or an invisible character"),
        ({"rates": ["9" * 5000]}, "rates", "rates: '999"),
        (
            {"endpoints": []},
            "endpoints",
            "endpoints: Expected `array` of length >= 1. Remedy: name at least one, as in",
        ),
        ({"endpoints": ["x"]}, "endpoints", "at `endpoints[0]`. Remedy: name at least one, as in endpoints ="),
        ({"scopes": ["a b"]}, "scopes", "at `scopes[0]`"),
        ({"rates": ["many"]}, "rates", "'many per connector' is not a rate such as"),
        ({"rates": [7]}, "rates", "rates: Expected `str`, got `int` - at `rates[0]`"),
        ({"rates": "60/minute"}, "rates", "rates: Expected `array`, got `str`"),
        ({"rates": ["60/minute per tenant"]}, "rates", "here a rate counts per connector or caller"),
        ({"volumes": ["many"]}, "volumes", "'many' is not a volume such as '20 MB/day'"),
        ({"budgets": ["5 EUR"]}, "budgets", "'5 EUR' is not a budget such as '5.00 EUR/day'"),
        ({"price_ceiling": "much"}, "price_ceiling", "'much' is not a price"),
        ({"documents": "any"}, "documents", "write id, match or log"),
        ({"template": "read-only"}, "template", 'write template = "read-only@1"'),
        ({"expires": "soon"}, "expires", "expires = 2027-05-01"),
    ],
)
def test_what_does_not_hold_is_named_with_its_line(tmp_path, over, key, said):
    """Each fault has file and line, key, rule and remedy."""
    path = records.file(tmp_path, **over)
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if text.startswith(f"{key} ="))
    assert f"{path}:{line}: " in faults(path)
    assert said in faults(path)


def test_what_is_missing_is_named(tmp_path):
    """Nothing is filled in for a key that must be written."""
    assert "owner is missing. Remedy: add a line owner = …." in faults(records.file(tmp_path, owner=None))


def test_every_fault_of_every_file_is_told_at_once(tmp_path):
    """Nobody mends one to find the next."""
    records.file(tmp_path, owner=None, kind="robot")
    (tmp_path / "broken.toml").write_text("version = \n", encoding="utf-8")
    (tmp_path / "text.toml").write_bytes(b"\xff")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ConnectorError) as caught:
        read_records(tmp_path)
    for said in (
        "owner is missing",
        "Invalid enum value",
        "broken.toml:1: not valid TOML",
        "text.toml: not valid TOML",
    ):
        assert said in str(caught.value)
    assert "folder.toml: cannot be read" in str(caught.value)


def test_two_files_cannot_be_one_connector(tmp_path):
    """Neither by id nor by client."""
    records.file(tmp_path, id="a")
    path = records.file(tmp_path, id="b")
    path.write_text(f'id = "a"\n{path.read_text()}', encoding="utf-8")
    with pytest.raises(ConnectorError, match=r"b\.toml:1: id 'a' is that of a\.toml") as caught:
        read_records(tmp_path)
    assert "it has the client of a.toml" in str(caught.value)


def test_no_folder_is_no_records(tmp_path):
    """A BFF without connectors is one that nobody calls yet."""
    assert read_records(tmp_path / "connectors") == []


def test_a_field_that_is_not_written_has_the_file_for_its_place(tmp_path):
    """A rule about what is left out still leads to the file."""
    records.file(tmp_path)
    [written] = read_records(tmp_path)
    assert written.where("agreement") == f"{written.file}:1"
    assert written.where("tenant") == f"{written.file}:4"


def test_the_digest_is_of_what_is_said_and_not_of_its_order():
    """Any other value gives another digest; another order of endpoints does not."""
    one = records.record()
    assert one.digest() == records.record(endpoints=list(reversed(records.FIELDS["endpoints"]))).digest()
    for name, value in (
        ("tenant", "other"),
        ("sensitive", False),
        ("rates", ["59/minute"]),
        ("volumes", ["1 MB/day"]),
        ("documents", "log"),
    ):
        assert records.record(**{name: value}).digest() != one.digest(), name


def test_what_was_approved_before_there_were_volumes_or_documents_stays_approved():
    """A record without any has the digest that it had then."""
    document = msgspec.to_builtins(records.record())
    del document["volumes"], document["documents"]
    for name in ("endpoints", "scopes", "rates", "budgets"):
        document[name] = sorted(document[name])
    before = hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()
    assert records.record().digest() == before


# --- templates ------------------------------------------------------------------------------------------------------


def found(**over):
    """What of a record is outside its template: the fields."""
    return [one.field for one in outside(records.record(**over), make_bff(), ["corp"])]


def test_a_record_within_its_template_has_no_faults():
    """Both templates have records that hold."""
    assert found() == []
    assert found(template="read-only@1", endpoints=["lunch.team"]) == []


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"template": "free@1"}, "template"),
        ({"template": "read-only@2"}, "template"),
        ({"issuer": "other"}, "issuer"),
        ({"sensitive": False}, "sensitive"),
        ({"endpoints": ["lunch.nothing"]}, "endpoints"),
        ({"template": "read-only@1"}, "endpoints"),
        ({"scopes": ["lunch:write"], "endpoints": ["lunch.team"]}, "scopes"),
        ({"rates": ["121/minute"]}, "rates"),
        ({"rates": ["60/minute per caller"]}, "rates"),
        ({"rates": ["1000/day"]}, "rates"),
        ({"price_ceiling": "1.01 EUR"}, "price_ceiling"),
        ({"budgets": ["5.00 USD/day"]}, "budgets"),
        ({"budgets": ["5.00 EUR/day"], "price_ceiling": None}, "budgets"),
        ({"price_ceiling": "0.11 EUR", "template": "read-only@1", "endpoints": ["lunch.team"]}, "price_ceiling"),
    ],
)
def test_what_is_outside_a_template_is_named(over, field):
    """The field, the rule and the remedy; and nothing else is found fault with."""
    assert found(**over) == [field]


def test_a_partner_needs_an_agreement_and_an_end():
    """Who is not ours does not stay for ever."""
    assert found(kind="partner") == ["agreement", "expires"]
    assert found(kind="partner", agreement="C-7", expires="2027-05-01") == []


def test_a_bff_whose_data_are_open_needs_no_approval_of_its_own():
    """`sensitive` is asked for where the data are personal or secret."""
    open_bff = make_bff(sensitivity="internal")
    assert outside(records.record(sensitive=False), open_bff, ["corp"]) == []


def document(operation="query", scope="lunch:read"):
    """A document that asks for the team once and for bookings twice."""
    made = Document(
        name="mine",
        source="",
        sha256="",
        operation=operation,
        variables=msgspec.Struct,
        fields=(Field(endpoint="lunch.team", times=1), Field(endpoint="lunch.book", times=2)),
    )
    kind = "read" if operation == "query" else "write"
    first = make_bff().endpoints[0]
    return msgspec.structs.replace(first, id="lunch.mine", kind=kind, scope=scope, document=made)


@pytest.mark.parametrize(
    ("operation", "scope", "template", "said"),
    [
        ("query", "lunch:read", "read-only@1", []),
        ("query", "lunch:more", "read-only@1", ["lunch.mine needs the scope 'lunch:more'"]),
        ("query", None, "read-only@1", []),
        ("mutation", "lunch:read", "read-only@1", ["lunch.mine is a write, and read-only@1 has reads alone"]),
        ("mutation", "lunch:read", "limited-write@1", []),
    ],
)
def test_a_record_may_name_a_document_as_it_names_an_endpoint(operation, scope, template, said):
    """A mutation is a write; the scope of the document must be named."""
    record = records.record(endpoints=["lunch.mine"], template=template)
    assert [one.rule for one in outside(record, make_bff(), ["corp"], [document(operation, scope)])] == said
    assert [one.field for one in outside(record, make_bff(), ["corp"])] == ["endpoints"]


def test_a_record_that_names_a_document_names_the_scopes_of_its_fields():
    """All of them, each told once; a token without one could never ask for the document."""
    bff = make_bff()
    scopes = {"lunch.team": "lunch:read", "lunch.book": "lunch:book"}
    bff.endpoints = [msgspec.structs.replace(one, scope=scopes.get(one.id, one.scope)) for one in bff.endpoints]
    record = records.record(endpoints=["lunch.mine"])
    [told] = outside(record, bff, ["corp"], [document()])
    assert (told.field, told.rule) == ("scopes", "lunch.mine needs the scope 'lunch:book'")


@pytest.mark.parametrize(
    ("rate", "fits"),
    [("60/minute", True), ("60/hour", True), ("1/second", True), ("61/minute", False), ("2/second", False)],
)
def test_a_rate_is_within_another(rate, fits):
    """Neither at once nor in the long run it lets more through."""
    assert within(Rate.parse(rate), Rate.parse("60/minute")) is fits


def test_templates_are_what_was_approved():
    """A template that is changed in place would change what somebody approved: it gets a new version instead."""
    assert msgspec.to_builtins(list(TEMPLATES.values())) == [
        {
            "name": "read-only@1",
            "writes": False,
            "commit": "open",
            "rate": {"amount": 120, "seconds": 60, "per": "connector"},
            "price": "0.10",
            "credential_days": 90,
        },
        {
            "name": "limited-write@1",
            "writes": True,
            "commit": "receipt",
            "rate": {"amount": 120, "seconds": 60, "per": "connector"},
            "price": "1.00",
            "credential_days": 90,
        },
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 5000, "not valid TOML (maximum recursion depth exceeded"),
        ("#" * (FILE_CHARACTERS + 1), f"it has more than {FILE_CHARACTERS} characters"),
        ('"\\u001b[2J\\n::error::x" = 1', ":1: \\x1b[2J\\n::error::x is no key of a connector"),
        (f'"{"k" * 9000}" = 1', f":1: {'k' * 64} is no key of a connector"),
    ],
)
def test_a_hostile_file_is_refused_like_any_other(tmp_path, text, said):
    """Deep, large, or with a key that would write to the terminal."""
    path = tmp_path / "x.toml"
    path.write_text(text)
    assert said in faults(path)
    assert all(line.isprintable() and len(line) < 600 for line in faults(path).splitlines())
