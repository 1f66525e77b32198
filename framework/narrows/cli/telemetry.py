"""`narrows telemetry`: what operators watch a BFF with, made from its declarations."""

from __future__ import annotations

import click

from narrows.cli.saying import say
from narrows.cli.target import SETTINGS_HELP, load_offline

_JOB_HELP = "The job under which Prometheus scrapes this BFF; without it, whatever it scrapes."


@click.group("telemetry", short_help="Make Prometheus rules and a Grafana dashboard for a BFF.")
def command() -> None:
    """Make what operators watch a BFF with, from its declarations.

    The same declarations give the same bytes, so that what is made can be kept and compared in a repository. Nothing is
    served, no secret is read and no network is used.
    """


@command.command("rules", short_help="Print rules for Prometheus.")
@click.argument("target")
@click.option("--job", help=_JOB_HELP)
@click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
def rules(target: str, job: str | None, settings: str | None) -> None:
    """Print the rules of Prometheus for TARGET (module:attribute) as YAML.

    They hold how fast the error budget of each objective (`slo=`) burns, and alerts on failures, denials, budgets,
    unusual patterns, upstreams, stores and the audit log.

    \b
    Examples:
      narrows telemetry rules bffs.where2eat.app:bff > where2eat.rules.yml
      promtool check rules where2eat.rules.yml
    """
    from narrows.sdk.rules import prometheus_rules

    say(prometheus_rules(load_offline(target, settings).plan, job).removesuffix("\n"))


@command.command("dashboard", short_help="Print a dashboard for Grafana.")
@click.argument("target")
@click.option("--job", help=_JOB_HELP)
@click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
def dashboard(target: str, job: str | None, settings: str | None) -> None:
    """Print the dashboard of Grafana for TARGET (module:attribute) as JSON.

    It asks a Prometheus that is chosen in Grafana, and needs the recordings of `narrows telemetry rules`.

    \b
    Examples:
      narrows telemetry dashboard bffs.where2eat.app:bff > where2eat.dashboard.json
    """
    from narrows.sdk.dashboard import grafana_dashboard

    say(grafana_dashboard(load_offline(target, settings).plan, job).removesuffix("\n"))
