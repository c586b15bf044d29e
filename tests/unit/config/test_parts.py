"""Local times, matchers, placeholders, budgets and the schema, each by itself."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from stewardmon.config.alerts import load_rule_file
from stewardmon.config.budget import is_private
from stewardmon.config.loading import load
from stewardmon.config.localtime import read_instant
from stewardmon.config.matchers import equalities, read_matchers
from stewardmon.config.placeholders import is_placeholder
from stewardmon.config.schema import schema
from stewardmon.domain.labels import Labels, Matcher, Op
from stewardmon.errors import ConfigError, ExpressionError
from tests.config.environment import ENVIRON, EXAMPLES

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-12-24 09:00", datetime(2026, 12, 24, 8, tzinfo=UTC)),
        ("2026-07-01T09:00:30", datetime(2026, 7, 1, 7, 0, 30, tzinfo=UTC)),
        ("2026-12-24T09:00Z", datetime(2026, 12, 24, 9, tzinfo=UTC)),
        ("2026-12-24 09:00+05:30", datetime(2026, 12, 24, 3, 30, tzinfo=UTC)),
    ],
)
def test_a_wall_clocks_time_is_an_instant(text: str, utc: datetime) -> None:
    instant = read_instant(text, BERLIN)
    assert (instant.at, instant.twice) == (utc, False)


def test_a_time_that_comes_twice_is_its_first_and_said() -> None:
    instant = read_instant("2026-10-25 02:30", BERLIN)
    assert (instant.at, instant.twice) == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), True)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe"])
def test_a_time_that_is_skipped_is_refused(zone: str) -> None:
    skipped = {"Europe/Berlin": "2026-03-29 02:30", "Australia/Lord_Howe": "2026-10-04 02:15"}
    with pytest.raises(ValueError, match="does not exist"):
        read_instant(skipped[zone], ZoneInfo(zone))


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-02-30 09:00", "2026-01-01", "09:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        read_instant(text, BERLIN)


def test_matchers_as_alertmanager_writes_them() -> None:
    text = '{severity=~"warn.*", team!="a\\"b", job=app,x!~y|z}'
    assert read_matchers(text) == (
        Matcher("severity", Op.MATCHES, "warn.*"),
        Matcher("team", Op.NOT_EQUAL, 'a"b'),
        Matcher("job", Op.EQUAL, "app"),
        Matcher("x", Op.NOT_MATCHES, "y|z"),
    )


@pytest.mark.parametrize(
    ("text", "column"), [("", 1), ("severity", 1), ("a==b", 3), ("a=b c=d", 5), ('a=~"("', 0)]
)
def test_a_matcher_that_is_none_is_refused(text: str, column: int) -> None:
    with pytest.raises(ExpressionError) as refused:
        read_matchers(text)
    assert refused.value.column == column


def test_a_mapping_of_values_is_matchers() -> None:
    either, any_warning = equalities({"severity": ["a.c", "d"], "x": "/warn.*/"})
    assert either.matches(Labels({"severity": "a.c"}))
    assert not either.matches(Labels({"severity": "abc"}))
    assert any_warning.matches(Labels({"x": "warning"}))


@pytest.mark.parametrize(
    "text",
    [
        "[On-call developer contact]",
        "[CTO contact]",
        "your_openai_api_key",
        "sk-your_openai_api_key",
        "your_supabase_anon_key",
        "your_service_role_key",
        "your_sentry_dsn",
        "https://your-domain.com/api",
        "https://your-project.supabase.co",
        "postgresql://username:password@host:port/database",
        "changeme",
        "CHANGE_ME",
        "<your-key>",
        "example-key",
    ],
)
def test_the_guides_placeholders_are_known(text: str) -> None:
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-Zx81",
        "https://steward.example.org",
        "postgresql://steward:pw@host.example.org:5432/db",
        "dev-a",
        "[200]",
        "On-call developer",
        "yourself@example.org",
        "example.org",
    ],
)
def test_real_values_are_no_placeholders(text: str) -> None:
    assert not is_placeholder(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.0.0.3", "app", "app.internal"])
def test_a_private_host_has_no_limiter(host: str) -> None:
    assert is_private(host)


def test_the_examples_run_every_second_on_loopback(tmp_path: Path) -> None:
    for example in EXAMPLES.glob("*.yml"):
        shutil.copy(example, tmp_path)
    probes = tmp_path / "probes.yml"
    probes.write_text(probes.read_text().replace("interval: 15s", "interval: 1s"))
    config = load(tmp_path, {**ENVIRON, "NEXT_PUBLIC_APP_URL": "http://127.0.0.1:3000"})
    assert [probe.interval.total_seconds() for probe in config.probes] == [1, 1, 60]
    assert any("timeout 5s is longer than the interval" in warning for warning in config.warnings)


def test_the_digest_changes_with_a_file_and_with_a_variable(tmp_path: Path) -> None:
    for example in EXAMPLES.glob("*.yml"):
        shutil.copy(example, tmp_path)
    first = load(tmp_path, ENVIRON).digest
    assert load(tmp_path, ENVIRON).digest == first
    assert load(tmp_path, {**ENVIRON, "OPENAI_API_KEY": "sk-other-key-1"}).digest != first
    (tmp_path / "oncall.yml").write_text((tmp_path / "oncall.yml").read_text() + "# more\n")
    assert load(tmp_path, ENVIRON).digest != first


def test_the_schema_knows_the_keys_of_the_examples() -> None:
    found = schema()
    kinds = found["probes.yml"]["properties"]["probes"]["items"]["oneOf"]
    assert {kind["properties"]["kind"]["const"] for kind in kinds} >= {"http", "postgres", "openai"}
    assert all("interval" in kind["properties"] for kind in kinds)
    assert "from" in found["oncall.yml"]["properties"]["overrides"]["items"]["properties"]
    assert (
        "for"
        in (
            found["alerts.yml"]["properties"]["groups"]["items"]["properties"]["rules"]["items"][
                "properties"
            ]
        )
    )
    assert not any(file["additionalProperties"] for file in found.values())


def test_a_rule_file_of_prometheus_is_read_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(
        "groups:\n"
        "- name: g\n"
        "  interval: 30s\n"
        "  query_offset: 1m\n"
        "  limit: 5\n"
        "  labels: {team: core}\n"
        "  rules:\n"
        "  - record: job:up:sum\n"
        "    expr: sum by (job) (up)\n"
        "  - alert: Down\n"
        "    expr: label_replace(up, 'host', '${1}', 'instance', '(.*):.*') == 0\n"
        "    for: 5m\n"
        "    keep_firing_for: 1m\n"
        "    labels: {severity: page, tier: 1}\n"
        "    annotations: {summary: '{{ $labels.host }} ${HOST}'}\n"
    )
    (group,) = load_rule_file(path).groups
    recording, alert = group.rules
    assert (group.interval.seconds, group.query_offset.seconds, group.limit) == (30, 60, 5)
    assert recording.name == "job:up:sum"
    assert alert.labels == Labels({"severity": "page", "tier": "1"})
    assert "${1}" in alert.expr


def test_mistakes_of_a_rule_file_name_the_path(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text("groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: up >\n")
    with pytest.raises(ConfigError) as refused:
        load_rule_file(path)
    assert str(refused.value).startswith(f"{path}:5:")


def test_ten_thousand_rules_are_read(tmp_path: Path) -> None:
    rules = "".join(
        f"  - alert: Rule{n}\n"
        f'    expr: sum by (job) (rate(http_requests_total{{job="j{n}"}}[5m])) > {n}\n'
        f"    for: 5m\n"
        f"    labels: {{severity: warning}}\n"
        f'    annotations: {{summary: "{{{{ $labels.job }}}} {n}"}}\n'
        for n in range(10_000)
    )
    path = tmp_path / "rules.yml"
    path.write_text("groups:\n- name: g\n  rules:\n" + rules)
    assert len(load_rule_file(path).groups[0].rules) == 10_000


def test_rules_of_one_name_and_labels_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    rule = "  - alert: Down\n    expr: up == "
    path.write_text(f"groups:\n- name: g\n  rules:\n{rule}0\n{rule}1\n{rule}2\n")
    keys = [rule.key for rule in load_rule_file(path).groups[0].rules]
    assert len(set(keys)) == 3
    assert keys[0].startswith("g/Down/")


def written(tmp_path: Path, more: str) -> Path:
    for example in EXAMPLES.glob("*.yml"):
        shutil.copy(example, tmp_path)
    oncall = tmp_path / "oncall.yml"
    oncall.write_text(oncall.read_text() + more)
    return tmp_path


def test_maintenance_windows_come_weekly_or_once(tmp_path: Path) -> None:
    more = (
        "maintenance:\n"
        '  - {name: deploys, days: [Thu], from: "18:00", to: "18:30", timezone: Europe/Berlin,\n'
        "     match: {job: [app, web]}}\n"
        '  - {name: move, from: "2026-12-24 02:00", to: "2026-12-24 04:00"}\n'
    )
    deploys, move = load(written(tmp_path, more), ENVIRON).maintenance
    assert deploys.accepts(Labels({"job": "app"}))
    assert not deploys.accepts(Labels({"job": "database"}))
    thursday = datetime(2026, 7, 2, 16, 0, tzinfo=UTC)
    assert deploys.span.until(thursday) == datetime(2026, 7, 2, 16, 30, tzinfo=UTC)
    assert deploys.span.until(datetime(2026, 7, 3, 16, 0, tzinfo=UTC)) is None
    assert move.span.until(datetime(2026, 12, 24, 3, tzinfo=UTC)) is not None


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        ('from: "18:00", to: "25:00"', "to: '25:00' is not a time of day"),
        ('from: "18:00", to: "19:00", days: [Thursay]', "'Thursay' is not a weekday"),
        ('from: "2026-12-24 02:00", to: "2026-12-23 02:00"', "before it begins"),
        ('from: "2026-12-24 02:00", to: "2026-12-25 02:00", days: Mon', "days wants times of day"),
        ('from: "18:00"', "to is missing"),
    ],
)
def test_a_maintenance_window_that_is_none(tmp_path: Path, window: str, sentence: str) -> None:
    folder = written(tmp_path, f"maintenance:\n  - {{name: w, {window}}}\n")
    with pytest.raises(ConfigError, match=sentence):
        load(folder, ENVIRON)


def test_an_inhibition_rule_is_read_as_alertmanager_reads_it(tmp_path: Path) -> None:
    more = (
        "inhibit_rules:\n"
        "  - source_matchers: ['severity=\"critical\"']\n"
        '    target_matchers: [severity=~"warning|info", team!=web]\n'
        "    equal: [instance]\n"
    )
    (rule,) = load(written(tmp_path, more), ENVIRON).inhibit_rules
    assert rule.is_source(Labels({"severity": "critical"}))
    assert rule.is_target(Labels({"severity": "info", "team": "core"}))
    assert not rule.is_target(Labels({"severity": "info", "team": "web"}))
    assert rule.equal == ("instance",)


def test_an_override_that_comes_twice_is_warned_of(tmp_path: Path) -> None:
    folder = written(tmp_path, "")
    oncall = folder / "oncall.yml"
    oncall.write_text(oncall.read_text().replace("2026-12-24 09:00", "2026-10-25 02:30"))
    config = load(folder, ENVIRON)
    assert config.roster.overrides[0].start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert any("comes twice in Europe/Berlin" in warning for warning in config.warnings)


def test_names_whose_data_may_be_missing_are_warned_of(tmp_path: Path) -> None:
    folder = written(tmp_path, "")
    alerts = folder / "alerts.yml"
    alerts.write_text("alerts:\n  - {name: Memory, condition: memory_usage > 512MB}\n")
    (warning,) = [one for one in load(folder, ENVIRON).warnings if "memory_usage" in one]
    assert warning.startswith("alerts.yml:2:20: memory_usage may have no data")


def test_what_must_hold_besides_is_kept_as_it_was_written(tmp_path: Path) -> None:
    folder = written(tmp_path, "")
    (folder / "alerts.yml").write_text(
        "alerts:\n  - {name: Rate, condition: error_rate > 5%, also: failed_asks >= 3}\n"
        "  - {name: Slow, condition: response_time > 5s}\n"
    )
    rate, slow = load(folder, ENVIRON).rules
    assert rate.written == "error_rate > 5%, and failed_asks >= 3"
    assert " and on (job) sum by (job) (count_over_time(" in rate.expr
    assert slow.written == "response_time > 5s"


def test_words_of_ones_own(tmp_path: Path) -> None:
    folder = written(tmp_path, "")
    (folder / "alerts.yml").write_text(
        "vocabulary:\n"
        "  queue_length: {expr: 'avg_over_time(queue_jobs[$window])', unit: '', about: jobs}\n"
        "alerts:\n"
        "  - {name: Queue, condition: queue_length > 50, duration: 5m, clear: queue_length < 10,\n"
        "     runbook: 'https://run.example.org/queue', level: 2, depends_on: database}\n"
    )
    (rule,) = load(folder, ENVIRON).rules
    assert "avg_over_time(queue_jobs[5m])" in rule.expr
    assert rule.clear_expr is not None
    assert (rule.level, rule.depends_on) == (2, ("database",))
    assert dict(rule.annotations) == {"runbook_url": "https://run.example.org/queue"}
