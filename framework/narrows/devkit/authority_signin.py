"""The authorization endpoint of the embedded server: a person signs in, consents or refuses, and is sent back."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from secrets import compare_digest
from typing import Any
from urllib.parse import urlsplit

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import OAuth2Error

from narrows.devkit.authority_config import Person
from narrows.devkit.authority_grants import CodeGrant
from narrows.devkit.authority_http import AuthlibRequest, Inbound, Reply, checked, form, pairs, reply
from narrows.devkit.authority_page import error_page, sign_in_page
from narrows.devkit.authority_realm import Realm
from narrows.devkit.authority_server import Server

COOKIE = "narrows_sign_in"

_COOKIE_VALUE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_RANDOM_BYTES = 32
_COOKIE_SECONDS = 600
_NO_ACCOUNT = b"no password is kept here"


class SignIn:
    """Shows the page and judges what it sends; a proof holds only for this start, this browser and this request."""

    def __init__(self, realm: Realm, server: Server) -> None:
        self._realm = realm
        self._server = server
        self._secret = realm.random(_RANDOM_BYTES)
        self._path = urlsplit(realm.issuer).path + "/authorize"
        self._secure = "; Secure" if realm.issuer.startswith("https:") else ""

    def show(self, inbound: Inbound) -> Reply:
        """The page, or where an error has to go."""
        grant = self._grant(inbound)
        if isinstance(grant, Reply):
            return grant
        known = inbound.cookies.get(COOKIE, "")
        value = known if _COOKIE_VALUE.fullmatch(known) else _text(self._realm.random(_RANDOM_BYTES))
        cookie = f"{COOKIE}={value}; Path={self._path}; Max-Age={_COOKIE_SECONDS}; HttpOnly; SameSite=Strict"
        return self._page(grant, proof=self._proof(value, inbound.query), cookie=cookie + self._secure)

    def decide(self, inbound: Inbound) -> Reply:
        """Send the person back with a code or a refusal, or show the page again."""
        grant = self._grant(inbound)
        if isinstance(grant, Reply):
            return grant
        try:
            fields = dict(form(inbound))
        except OAuth2Error as error:
            return error_page(400, str(error.error), str(error.description))
        cookie = inbound.cookies.get(COOKIE, "")
        proof = self._proof(cookie, inbound.query)
        if not compare_digest(proof.encode(), fields.get("proof", "").encode()):
            return error_page(403, "forged_form", "This form was not shown to this browser. Start the sign-in again.")
        if fields.get("decision") == "refuse":
            return self._send_back(grant, None)
        person = self._person(fields)
        return self._send_back(grant, person) if person else self._once_more(grant, fields, proof)

    def _grant(self, inbound: Inbound) -> CodeGrant | Reply:
        try:
            request = AuthlibRequest(inbound, checked(pairs(inbound.query)))
            grant: CodeGrant = self._server.get_consent_grant(request, end_user=None)
        except OAuth2Error as error:
            return self._error(error)
        return grant

    def _error(self, error: OAuth2Error) -> Reply:
        if error.redirect_uri:
            return self._named(reply(*error()))
        return error_page(400, str(error.error), str(error.get_error_description()))

    def _send_back(self, grant: CodeGrant, person: Person | None) -> Reply:
        answer = self._server.create_authorization_response(grant.request, grant_user=person, grant=grant)
        if person:
            self._realm.journal.write("signed_in", subject=person.subject, client_id=grant.request.client.client_id)
        return self._named(answer)

    def _named(self, answer: Reply) -> Reply:
        """The redirect with this issuer's name in it (RFC 9207), by a GET (RFC 9700, 4.12)."""
        location = add_params_to_uri(dict(answer.headers)["Location"], [("iss", self._realm.issuer)])
        return Reply(303, [("Location", location), ("Cache-Control", "no-store")], b"")

    def _person(self, fields: Mapping[str, str]) -> Person | None:
        person = self._realm.by_username.get(fields.get("username", ""))
        known = person.password.encode() if person and person.password else None
        same = compare_digest(known or _NO_ACCOUNT, fields.get("password", "").encode())
        return person if known and same else None

    def _once_more(self, grant: CodeGrant, fields: Mapping[str, str], proof: str) -> Reply:
        self._realm.journal.write("sign_in_refused", client_id=grant.request.client.client_id)
        complaint = "Name or password is wrong. Look them up where the people of this server are listed."
        name = fields.get("username", "")
        return self._page(grant, proof=proof, username=name, complaint=complaint, status=403)

    def _page(self, grant: CodeGrant, **shown: Any) -> Reply:
        client, audience = grant.request.client.client, grant.audience
        described = self._realm.apis[audience].scopes
        return sign_in_page(
            client=client.name or client.client_id,
            audience=audience,
            scopes={scope: described[scope] for scope in grant.scopes},
            redirect_uri=grant.request.payload.redirect_uri,
            **shown,
        )

    def _proof(self, cookie: str, query: str) -> str:
        return _text(hmac.digest(self._secret, f"{cookie}\n{query}".encode(), hashlib.sha256))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
