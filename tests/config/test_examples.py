"""The three example files are accepted as they stand, and mean what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stewardmon.config.loading import load
from stewardmon.config.values import Config
from stewardmon.domain.labels import Labels
from stewardmon.domain.oncall import Contact
from stewardmon.domain.route import route_for
from stewardmon.domain.rule import AlertRule, NoData
from tests.config.environment import ENVIRON, EXAMPLES


@pytest.fixture(scope="module")
def config() -> Config:
    return load(EXAMPLES, ENVIRON)


def rule(config: Config, name: str) -> AlertRule:
    return next(rule for rule in config.rules if rule.name == name)


def test_probes_have_their_schedule(config: Config) -> None:
    assert [(probe.name, probe.kind, probe.job) for probe in config.probes] == [
        ("app", "http", "app"),
        ("database", "postgres", "database"),
        ("openai", "openai", "openai"),
    ]
    assert [probe.interval.total_seconds() for probe in config.probes] == [15, 15, 60]
    assert {probe.timeout for probe in config.probes} == {timedelta(seconds=5)}
    assert config.probes[0].source == "probes.yml:9"


def test_the_guides_four_rules_are_critical_and_keep_firing_without_data(config: Config) -> None:
    short = config.groups[0]
    assert [rule.name for rule in short.rules] == [
        "High Error Rate",
        "Slow Response Time",
        "Database Issues",
        "AI Service Down",
    ]
    high = rule(config, "High Error Rate")
    assert (high.severity, high.hold, high.no_data) == (
        "critical",
        timedelta(minutes=5),
        NoData.KEEP,
    )
    assert high.condition == "error_rate > 5%"


def test_prometheus_groups_keep_prometheus_meaning(config: Config) -> None:
    expiring = rule(config, "CertificateExpiresSoon")
    assert expiring.group == "certificates"
    assert (expiring.severity, expiring.no_data) == ("warning", NoData.RESOLVE)
    assert (expiring.comparison, expiring.threshold) == ("<", 14 * 86400)


def test_the_rotation_hands_over_in_berlin_and_the_override_stands_in(config: Config) -> None:
    on_call = config.roster.on_call
    assert on_call("primary", datetime(2026, 1, 5, 8, 0, tzinfo=UTC)) == "dev-a"
    assert on_call("primary", datetime(2026, 1, 12, 8, 0, tzinfo=UTC)) == "dev-b"
    # The week of Christmas is dev-b's or dev-a's by turns; from 09:00 in Berlin it is dev-b's.
    assert on_call("primary", datetime(2026, 12, 27, 7, 59, tzinfo=UTC)) == "dev-b"
    override = config.roster.overrides[0]
    assert override.start == datetime(2026, 12, 24, 8, 0, tzinfo=UTC)


def test_people_are_reached_over_their_contacts_in_order(config: Config) -> None:
    assert config.roster.people["dev-a"].contacts == (
        Contact("pager", "dev-a"),
        Contact("mail", "dev-a@localhost"),
    )


def test_the_matrix_is_the_guides(config: Config) -> None:
    policy = config.policies["matrix"]
    assert [level.after.total_seconds() / 60 for level in policy.levels] == [0, 30, 60, 120]
    assert (policy.repeat_last, policy.ack_timeout) == (timedelta(minutes=30), timedelta(hours=1))


def test_warnings_stay_at_level_one(config: Config) -> None:
    warned = route_for(Labels({"severity": "warning"}), config.routes)
    paged = route_for(Labels({"severity": "critical"}), config.routes)
    assert warned is not None
    assert warned.levels == (1,)
    assert paged is not None
    assert paged.levels == ()


def test_fifteen_seconds_are_over_half_of_the_apps_limit_and_said(config: Config) -> None:
    assert len(config.warnings) == 1
    assert "60 requests in 15 minutes at steward.example.org" in config.warnings[0]
    assert config.warnings[0].endswith("so it asks app every 18s")
    assert [one.every for one in config.probes if one.name == "app"] == [timedelta(seconds=18)]


def test_no_secret_is_in_a_repr(config: Config) -> None:
    shown = repr(config)
    assert "hunter22" not in shown
    assert ENVIRON["OPENAI_API_KEY"] not in shown
