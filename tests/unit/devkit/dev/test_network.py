import httpx

from narrows.devkit.dev.network import Network


class Closing(httpx.AsyncBaseTransport):
    """Answers with a name, and knows whether it was closed."""

    def __init__(self, name):
        self.name = name
        self.closed = False

    async def handle_async_request(self, request):
        return httpx.Response(200, text=self.name)

    async def aclose(self):
        self.closed = True


async def issuers(scope, receive, send):
    """An application that answers as the issuers."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"issuers"})


async def test_only_what_is_not_made_up_leaves_the_process():
    """Made-up hosts and our own origin are answered inside; a real transport is made once, and closed."""
    real = []

    def dial(ca):
        real.append((ca, Closing("real")))
        return real[-1][1]

    network = Network("http://127.0.0.1:8000", Closing("made up"), issuers, dial)
    transport = network.dial("corp.pem")
    asked = ["https://people.made-up.invalid/a", "http://127.0.0.1:8000/dev/as/jwks"]
    told = [(await transport.handle_async_request(httpx.Request("GET", url))) for url in asked]
    assert [(await one.aread()).decode() for one in told] == ["made up", "issuers"]
    await transport.aclose()
    assert real == []
    for url in ("https://people.lunch-company.com/a", "http://127.0.0.1:8001/"):
        assert (await transport.handle_async_request(httpx.Request("GET", url))).text == "real"
    await transport.aclose()
    [(ca, opened)] = real
    assert (ca, opened.closed) == ("corp.pem", True)
