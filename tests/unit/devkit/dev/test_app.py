import msgspec
import pytest

from narrows import Bff
from narrows.devkit.dev.app import DevApplication
from narrows.devkit.dev.banner import banner, record_line, refused
from narrows.errors import Refusal, StartRefused
from narrows.testing import running
from tests.flow.minimal import FACTS
from tests.unit.devkit.dev.trial import make_run, make_stage, make_trial, visiting


@pytest.fixture
async def visitor(tmp_path):
    """Somebody at the pages of the trial BFF."""
    async with visiting(make_stage(tmp_path)) as made:
        yield made


async def test_what_there_is_not_is_told(visitor):
    """A wrong address of the pages is no page, and says where to go."""
    for path in (
        "/dev/nothing",
        "/dev/page/absent.js",
        "/dev/page/../app.py",
        "/dev/api/nothing",
        "/dev/api/endpoints/x",
    ):
        answer = await visitor.get(path)
        assert answer.status_code == 404, path
        assert "\n" in answer.text
    assert (await visitor.get(f"/dev/api/traces/{'0' * 32}")).status_code == 404
    assert (await visitor.http.get("/devices")).status_code == 404


async def test_other_methods_are_not_answered(visitor):
    """The pages are read; only a token is asked for by POST."""
    headers = {"cookie": visitor.cookie, "origin": visitor.run.origin}
    for method, path in (("POST", "/dev/"), ("PUT", "/dev/api/token"), ("DELETE", "/dev/api/state"), ("POST", "/dev")):
        assert (await visitor.http.request(method, path, headers=headers)).status_code == 405
    assert (await visitor.http.post(visitor.run.link, headers=headers)).status_code == 405


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"person": "nobody", "program": "dev-partner"}, 404),
        ({"person": "member", "program": "nothing"}, 404),
        ({"person": "member"}, 400),
        ({"person": "member", "program": "dev-partner", "more": 1}, 400),
        ({"person": "x" * 5000, "program": "dev-partner"}, 400),
    ],
)
async def test_a_token_is_for_a_known_person_and_program(visitor, wanted, status):
    """Nobody else's name gets one."""
    assert (await visitor.post(wanted)).status_code == status


async def test_a_token_is_asked_for_as_json_alone(visitor):
    """A form cannot ask for one."""
    answer = await visitor.post({"person": "member", "program": "dev-partner"}, **{"content-type": "text/plain"})
    assert answer.status_code == 415


async def test_a_service_acts_for_itself(visitor):
    """A connector of kind service has no person behind it, whoever is chosen."""
    answer = await visitor.call("member", "GET", "/teams/7/bookings", "dev-service")
    assert (answer.status_code, answer.json()["title"]) == (403, "A person's token is required")


async def test_a_websocket_is_closed(tmp_path):
    """Also where no BFF is served."""
    sent = []

    async def send(message):
        sent.append(message)

    app = DevApplication(make_run(tmp_path), 1, None, [])
    await app({"type": "websocket", "path": "/dev/"}, None, send)
    assert sent == [{"type": "websocket.close", "code": 1013, "reason": ""}]


async def test_a_start_that_is_refused_late_is_told_too(tmp_path):
    """What the lifespan refuses stands on the page like what the plan refuses."""
    stage = make_stage(tmp_path)
    refusal = Refusal(code="late", subject="a", where="b:1", rule="c", remedy="d")

    async def start():
        raise StartRefused([refusal])

    stage.plan.start = start
    heard = []
    async with visiting(stage, started=heard.append) as visitor:
        assert (await visitor.get("/dev/api/state")).json()["refusals"][0]["code"] == "late"
        assert (await visitor.http.get("/health")).status_code == 503
    assert heard == [[refusal]]


async def test_a_fault_of_the_lifespan_is_no_refusal(tmp_path):
    """Only what Narrows refuses is a page; a fault ends the start."""
    stage = make_stage(tmp_path)

    async def start():
        raise ZeroDivisionError

    stage.plan.start = start
    with pytest.raises(RuntimeError):
        async with running(DevApplication(stage.run, 1, stage, [])):
            pass


async def test_the_issuers_answer_for_their_own_paths_only(tmp_path):
    """What is no issuer's is not theirs to answer."""
    issuers = make_stage(tmp_path).issuers
    assert not issuers.serves("/dev/")
    with pytest.raises(ValueError, match="no issuer"):
        await issuers({"path": "/dev/"}, None, None)


def test_the_banner_says_who_there_is_and_what_is_made_up(tmp_path):
    """Whoever starts it reads the link, the people with their passwords, and which data are not real."""
    (tmp_path / "page").mkdir()
    stage = make_stage(tmp_path, make_trial(page=str(tmp_path / "page")))
    text = "\n".join(banner(stage))
    assert stage.run.link in text
    assert "Tables       made up: the settings have no [upstreams.tables]" in text
    assert all(person.password in text for person in stage.board().people)
    assert "its page     http://127.0.0.1:8000/" in text
    assert "stranger" in text
    assert "holds no role" in text
    assert "stores       of this run alone" in text


def test_the_programs_of_the_banner_stand_in_columns(tmp_path):
    """However long a name is."""
    stage = make_stage(tmp_path)
    board = stage.board()
    [first, *_] = board.programs
    board = msgspec.structs.replace(board, programs=[*board.programs, msgspec.structs.replace(first, name="a" * 20)])
    stage.board = lambda: board
    lines = banner(stage)[-1 - len(board.programs) : -1]
    assert len({line.index(f" {one.kind}, ") for line, one in zip(lines, board.programs, strict=True)}) == 1


def test_a_refused_start_is_told_with_place_and_remedy():
    """The terminal says the same as the page."""
    one = Refusal(code="rate-missing", subject="a", where="app.py:7", rule="it has no rate", remedy='add rate="1/day"')
    lines = refused([one], "http://link")
    assert "app.py:7: a: it has no rate [rate-missing]" in lines
    assert any("http://link" in line for line in lines)


def test_a_call_is_one_short_line():
    """Records are read by a person here; a request that was no call has a line too."""
    record = b'{"endpoint":"trial.book","mode":"rehearse","method":"POST","status":201,"outcome":"ok","duration_ms":3.4'
    assert record_line(record + b',"effects":["Tables.book"]}') == (
        "  201 rehearse POST   trial.book  3 ms  effects: Tables.book"
    )
    assert "no endpoint" in record_line(record.replace(b"trial.book", b"") + b"}")
    assert record_line(b'{"event":"grant","what":"made","time":"2026-11-25T00:00:00Z"}') == "  grant made"
    assert record_line(b'{"event":"limit","what":"breached","rule":"30/minute"}') == "  limit breached  30/minute"


def test_an_endpoint_without_a_scope_is_for_the_start_to_refuse(tmp_path):
    """Making the people and issuers does not hide what is wrong."""
    bff = Bff("lunch", **FACTS)

    @bff.read("/a", roles={"member"}, uses=[], rate="1/minute")
    async def a() -> None:
        """A."""

    with pytest.raises(StartRefused, match="scope-missing"):
        make_stage(tmp_path, bff)
