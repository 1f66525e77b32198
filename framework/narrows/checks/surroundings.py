"""What the surroundings must hold: TLS off loopback, no development issuer outside development, limits that limit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

import msgspec

from narrows.declare.budget import Budget
from narrows.declare.rate import Rate
from narrows.errors import Refusal
from narrows.settings import Settings, UpstreamSettings, is_loopback
from narrows.upstreams.exchange import refusals as exchange_refusals

# A domain of roles: a kind, and one value in which the claim's may stand.
_DOMAIN = re.compile(r"[A-Za-z0-9_-]+:[^{}]*(?:\{value\}[^{}]*)?")


def settings_refusals(settings: Settings, used: Iterable[str]) -> Iterator[Refusal]:
    """What is not safe in the settings; of the upstreams, only those that are `used` are looked at."""
    named = {name: settings.upstreams[name] for name in used if name in settings.upstreams}
    yield from _upstreams(settings, named)
    yield from _issuers(settings)
    yield from _domains(settings)
    yield from _connectors(settings)
    yield from _tenants(settings)
    yield from _serving(settings)
    yield from _webhooks(settings)
    yield from _placeholders(settings, named)


def twice_refusals(settings: Settings, names: Iterable[str]) -> list[Refusal]:
    """Connectors of the settings (`names`) whose client the registry knows too: nobody could tell which holds."""
    rule, remedy = "its client is in the registry too", "take the table out of the settings"
    return [_set(f"connectors.{name}", _where(settings), "connector-twice", rule, remedy) for name in names]


def forgotten_refusals(settings: Settings, subjects: Iterable[str]) -> list[Refusal]:
    """Outside development, tenants and connectors (`subjects`) whose budgets or volumes a restart would refill."""
    if settings.environment == "development":
        return []
    rule = "it has budgets or volumes, and a restart would refill what is counted in memory"
    remedy = 'set stores.budgets = "sqlite:budgets.db", or "redis:" or "postgres:" for several machines'
    return [_set(subject, _where(settings), "budget-forgotten", rule, remedy) for subject in subjects]


def limit_refusals(settings: Settings) -> Iterator[Refusal]:
    """Limits that no step can be made ready with."""
    for name in ("attempts", "unverified"):
        try:
            Rate.parse(getattr(settings.limits, name))
        except ValueError as error:
            yield _set(f"limits.{name}", _where(settings), "rate-unclear", str(error), f'write {name} = "600/minute"')
    for name, tenant in settings.tenants.items():
        for index, text in enumerate(tenant.rates):
            try:
                Rate.parse_for(text, "tenant")
            except ValueError as error:
                subject, remedy = f"tenants.{name}.rates[{index}]", 'write rates = ["5000/hour"]'
                yield _set(subject, _where(settings), "rate-unclear", str(error), remedy)


def _upstreams(settings: Settings, named: Mapping[str, UpstreamSettings]) -> Iterator[Refusal]:
    where = _where(settings)
    for name, upstream in named.items():
        if _is_plain(upstream.url):
            yield _set(f"upstreams.{name}.url", where, "upstream-plain", "plain HTTP off loopback", "use https://")
    yield from exchange_refusals(msgspec.structs.replace(settings, upstreams=dict(named)), where)


def _issuers(settings: Settings) -> Iterator[Refusal]:
    where = _where(settings)
    for name, issuer in settings.issuers.items():
        if is_loopback(issuer.url) and settings.environment != "development":
            remedy = 'name a real issuer, or set environment = "development"'
            yield _set(f"issuers.{name}.url", where, "issuer-loopback", "a loopback issuer in a live run", remedy)
    if not settings.issuers:
        remedy = "add [issuers.corp] with url and audience"
        yield _set("issuers", where, "issuer-missing", "no issuer is configured, so nobody could call", remedy)


def _domains(settings: Settings) -> Iterator[Refusal]:
    for name, issuer in settings.issuers.items():
        for index, claim in enumerate(issuer.roles):
            if not _DOMAIN.fullmatch(claim.domain) or claim.domain.endswith(":"):
                subject, remedy = f"issuers.{name}.roles[{index}].domain", 'write domain = "team:{value}"'
                rule = f"{claim.domain!r} is no domain, so it would grant {claim.role!r} nowhere"
                yield _set(subject, _where(settings), "domain-unclear", rule, remedy)


def _connectors(settings: Settings) -> Iterator[Refusal]:
    if settings.environment == "development":
        return
    rule = "a connector of the settings was approved by nobody, and is for development alone"
    remedy = 'set stores.connectors = "sqlite:connectors.db", write connectors/{}.toml, and use narrows connector apply'
    for name in settings.connectors:
        subject = f"connectors.{name}"
        yield _set(subject, _where(settings), "connector-unregistered", rule, remedy.format(name))


def _tenants(settings: Settings) -> Iterator[Refusal]:
    """Budgets and volumes that are none."""
    for name, tenant in settings.tenants.items():
        kinds = (("budgets", Budget.parse, "50.00 EUR/month"), ("volumes", Budget.volume, "1 GB/day"))
        for key, parse, example in kinds:
            for text in getattr(tenant, key):
                try:
                    parse(text, "tenant")
                except ValueError as error:
                    subject, remedy = f"tenants.{name}.{key}", f'write {key} = ["{example}"]'
                    yield _set(subject, _where(settings), "budget-unclear", str(error), remedy)


def _serving(settings: Settings) -> Iterator[Refusal]:
    where, serving = _where(settings), settings.serving
    secured = serving.behind_tls_proxy or (serving.tls_certificate and serving.tls_key)
    host = f"[{serving.host}]" if ":" in serving.host else serving.host
    if not secured and not is_loopback(f"http://{host}"):
        remedy = "set serving.tls_certificate and serving.tls_key, or serving.behind_tls_proxy = true"
        yield _set("serving.host", where, "serving-plain", "plain HTTP would be served off loopback", remedy)
    if _is_plain(settings.public_url):
        yield _set("public_url", where, "public-url-plain", "clients would be sent to plain HTTP", "use https://")


def _webhooks(settings: Settings) -> Iterator[Refusal]:
    for name, webhook in settings.alerts.webhooks.items():
        if _is_plain(webhook.url):
            rule = "alerts would be sent by plain HTTP off loopback"
            yield _set(f"alerts.webhooks.{name}.url", _where(settings), "webhook-plain", rule, "use https://")


def _placeholders(settings: Settings, named: Mapping[str, UpstreamSettings]) -> Iterator[Refusal]:
    """What was left open when the settings were made; in development nothing has to be there yet."""
    urls = {"public_url": settings.public_url}
    urls |= {f"issuers.{name}.url": issuer.url for name, issuer in settings.issuers.items()}
    urls |= {f"upstreams.{name}.url": upstream.url for name, upstream in named.items()}
    for key, url in urls.items() if settings.environment != "development" else ():
        if f".{urlsplit(url).hostname}".endswith(".invalid"):
            rule = "a host in .invalid stands for one that nobody has named yet (RFC 6761, 6.4)"
            remedy = f"name the real one in [environments.{settings.environment}]"
            yield _set(key, _where(settings), "placeholder-left", rule, remedy)


def _is_plain(url: str) -> bool:
    return urlsplit(url).scheme != "https" and not is_loopback(url)


def _where(settings: Settings) -> str:
    return f"narrows.toml ({settings.environment})"


def _set(subject: str, where: str, code: str, rule: str, remedy: str) -> Refusal:
    return Refusal(code=code, subject=subject, where=where, rule=rule, remedy=remedy)
