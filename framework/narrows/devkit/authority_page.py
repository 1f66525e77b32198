"""The pages of the embedded authorization server: plain HTML, one inline style, no script and no other asset."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping
from html import escape

from narrows.devkit.authority_http import Reply

_STYLE = """
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;margin:0;padding:1rem;background:#f4f4f1;color:#1d1d1b}
main{max-width:26rem;margin:6vh auto;padding:1.5rem;background:#fff;border:1px solid #c9c9c2;border-radius:.5rem}
h1{font-size:1.25rem;margin:0 0 .75rem}
ul{padding-left:1.25rem}
label{display:block;margin-top:.75rem;font-weight:600}
input{box-sizing:border-box;width:100%;font:inherit;padding:.5rem;margin-top:.25rem;border:1px solid #6b6b66}
input,button{border-radius:.25rem}
button{font:inherit;padding:.5rem 1rem;margin:1rem .5rem 0 0;border:1px solid #14532d;cursor:pointer}
button[value=allow]{background:#14532d;color:#fff}
button[value=refuse]{background:transparent;color:inherit}
:focus-visible{outline:3px solid #1d4ed8;outline-offset:2px}
[role=alert]{border-left:.25rem solid #b91c1c;padding-left:.5rem}
small{display:block;margin-top:1rem}
@media(prefers-color-scheme:dark){
body{background:#1d1d1b;color:#f4f4f1}main{background:#2a2a27;border-color:#5a5a55}
:focus-visible{outline-color:#93c5fd}}
"""
_STYLE_HASH = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d+)?(?=[/?]|$)", re.ASCII)


def sign_in_page(
    *,
    client: str,
    audience: str,
    scopes: Mapping[str, str],
    redirect_uri: str,
    proof: str,
    username: str = "",
    complaint: str = "",
    status: int = 200,
    cookie: str = "",
) -> Reply:
    """Name, password and consent on one page; `proof` is the anti-forgery value that the form sends back."""
    asked = "".join(f"<li><code>{escape(scope)}</code>: {escape(what)}</li>" for scope, what in scopes.items())
    alert = f'<p role="alert" id="alert">{escape(complaint)}</p>' if complaint else ""
    at_name, at_password = ("", " autofocus") if complaint else (" autofocus", "")
    body = f"""<h1>Sign in to {escape(client)}</h1>
<p>{escape(client)} asks to do this for you at <code>{escape(audience)}</code>:</p>
<ul>{asked}</ul>
{alert}<form method="post">
<input type="hidden" name="proof" value="{escape(proof)}">
<label for="username">Name</label>
<input id="username" name="username" value="{escape(username)}" autocomplete="username" required{at_name}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{at_password}>
<button name="decision" value="allow">Sign in and allow</button>
<button name="decision" value="refuse" formnovalidate>Refuse</button>
</form>
<small>For development and tests. The people here are made up.</small>"""
    extra = [("Set-Cookie", cookie)] if cookie else []
    return _page(status, f"Sign in to {client}", body, f"'self' {_redirect_source(redirect_uri)}", extra)


def error_page(status: int, code: str, what: str) -> Reply:
    """Why a person cannot be sent back to the program; `what` also says what to do."""
    body = f"<h1>This sign-in cannot go on</h1>\n<p>{escape(what)}</p>\n<p><code>{escape(code)}</code></p>"
    return _page(status, "This sign-in cannot go on", body, "'none'", [])


def _page(status: int, title: str, body: str, form_action: str, extra: list[tuple[str, str]]) -> Reply:
    html = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{_STYLE}</style></head>
<body><main>
{body}
</main></body></html>
"""
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {form_action}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    headers = [
        ("Content-Type", "text/html"),  # Litestar adds the charset
        ("Content-Security-Policy", policy),
        ("Cache-Control", "no-store"),
        # not no-referrer: with that, browsers send `Origin: null` with the page's own form
        ("Referrer-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
        *extra,
    ]
    return Reply(status, headers, html.encode())


def _redirect_source(redirect_uri: str) -> str:
    """Where the form's answer may lead: browsers hold redirects against `form-action`, which knows no IPv6 address."""
    origin = _ORIGIN.match(redirect_uri)
    return origin.group() if origin else "http:"
