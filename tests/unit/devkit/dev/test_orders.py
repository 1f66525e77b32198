from narrows.devkit.dev.orders import Orders, Run
from tests.unit.devkit.dev.trial import make_run


def test_what_is_derived_differs_by_purpose_and_by_run(tmp_path):
    """No secret of a run can be told from another, and each start draws its own."""
    run, other = make_run(tmp_path), make_run(tmp_path)
    derived = {run.derive("a"), run.derive("b"), other.derive("a"), run.store_key(), run.master}
    assert len(derived) == 5
    assert run.derive("a") == run.derive("a")


def test_a_run_does_not_print_its_secrets(tmp_path):
    """What is logged by mistake holds neither the master secret nor the signing key."""
    run = make_run(tmp_path)
    assert repr(run) == "Run('trial:bff', port=8000)"
    assert run.master not in repr(Orders(run=run, generation=1))


def test_the_link_holds_no_other_secret_than_its_own(tmp_path):
    """Who sees the link cannot work out the cookie, the passwords or the keys from it."""
    run = make_run(tmp_path)
    assert run.link == f"http://127.0.0.1:8000/dev/enter/{run.derive('link')}"
    assert run.derive("session") not in run.link


def test_orders_survive_the_way_to_the_serving_process(tmp_path):
    """They are one line of JSON, and come out as they went in."""
    import msgspec

    orders = Orders(run=make_run(tmp_path), generation=3)
    line = msgspec.json.encode(orders)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=Orders) == orders
    assert isinstance(orders.run, Run)
