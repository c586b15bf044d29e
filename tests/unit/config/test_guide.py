"""With no probes.yml the guide's own variables say what to watch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stewardmon.config.budget import LIMITS
from stewardmon.config.guide import guide_text
from stewardmon.config.loading import load
from stewardmon.config.shipped import shipped
from stewardmon.config.spending import spending
from stewardmon.config.values import Config
from stewardmon.errors import ConfigError
from stewardmon.probes import KINDS

GUIDE = {
    "NEXT_PUBLIC_APP_URL": "https://steward.example.org/",
    "DATABASE_URL": "postgresql://steward:pw@db.example.org:6543/postgres",
    "OPENAI_API_KEY": "sk-real-0123456789",
    "SUPABASE_URL": "https://abcdefgh.supabase.co",
    "SUPABASE_ANON_KEY": "anon-key",
    "SENTRY_DSN": "https://publickey@o1.ingest.sentry.io/42",
}


def instances(config: Config) -> dict[str, str]:
    return {probe.name: probe.instance for probe in config.probes}


def test_each_variable_makes_a_probe_and_the_shipped_rules_hold() -> None:
    config = load(None, GUIDE)
    assert set(instances(config)) == {
        "app",
        "database",
        "openai",
        "openai-chat",
        "openai-status",
        "supabase-auth",
        "sentry-ingest",
    }
    assert instances(config)["app"] == "https://steward.example.org/api/health"
    assert {path.name for path in config.files} == {"alerts.yml", "oncall.yml"}
    assert config.rules
    assert [channel.kind for channel in config.channels] == ["console"]
    assert "publickey" not in repr(config)


@pytest.mark.parametrize(
    ("name", "probes"),
    [
        ("NEXT_PUBLIC_APP_URL", {"app"}),
        ("DATABASE_URL", {"database"}),
        ("OPENAI_API_KEY", {"openai", "openai-chat", "openai-status"}),
    ],
)
def test_one_variable_is_enough(name: str, probes: set[str]) -> None:
    assert set(instances(load(None, {name: GUIDE[name]}))) == probes


def test_another_provider_is_asked_for_no_model_and_no_status_page_that_nobody_named() -> None:
    other = {"OPENAI_API_KEY": "sk-local-0123456789", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    assert set(instances(load(None, other))) == {"openai"}
    named = {"OPENAI_MODEL": "llama", "OPENAI_STATUS_URL": "http://127.0.0.1:2"}
    assert instances(load(None, {**other, **named})) == {
        "openai": "http://127.0.0.1:1/v1",
        "openai-chat": "http://127.0.0.1:1/v1",
        "openai-status": "http://127.0.0.1:2/",
    }


def test_a_folder_without_files_is_as_good_as_none(tmp_path: Path) -> None:
    assert len(load(tmp_path, GUIDE).probes) == 7


def test_a_variable_held_by_a_file_counts(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(GUIDE["DATABASE_URL"] + "\n")
    config = load(None, {"DATABASE_URL_FILE": str(tmp_path / "url")})
    assert instances(config) == {"database": "db.example.org:6543"}


def test_supabase_without_its_key_is_asked_without_it() -> None:
    text = guide_text({"SUPABASE_URL": GUIDE["SUPABASE_URL"]})
    assert text is not None
    assert "apikey" not in text
    assert "[200, 401]" in text


SYNTHETIC = {"SYNTHETIC_EMAIL": "s@steward.example", "SYNTHETIC_PASSWORD": "hunter2hunter2"}


def test_the_agent_is_asked_where_the_synthetic_user_is_named() -> None:
    config = load(None, {**GUIDE, **SYNTHETIC})
    agents = {one.name: one for one in config.probes if one.job == "agent"}
    assert set(agents) == {
        "agent",
        "agent-stream",
        "agent-metrics",
        "agent-contract",
        "agent-cache",
    }
    assert all(one.confirm for one in agents.values())
    assert agents["agent"].depends_on == ("app", "database", "openai", "supabase-auth")
    assert "hunter2" not in repr(config)
    others = {"OTHER_EMAIL": "other@steward.example", "OTHER_PASSWORD": "hunter2hunter2"}
    both = load(None, {**GUIDE, **SYNTHETIC, **others})
    assert repr(both).count("other@steward.example") == 2
    assert len(load(None, {**GUIDE, **SYNTHETIC, "SUPABASE_ANON_KEY": ""}).probes) == 7


def test_without_the_user_it_is_said_how_to_have_the_agent_asked() -> None:
    (said,) = [one for one in load(None, GUIDE).warnings if "agent as a user" in one]
    assert said.endswith("set SYNTHETIC_EMAIL, SYNTHETIC_PASSWORD")
    told = load(None, {**GUIDE, **SYNTHETIC}).warnings
    assert not [one for one in told if "agent as a user" in one]
    assert not load(None, {"DATABASE_URL": GUIDE["DATABASE_URL"]}).warnings[0].startswith("env")


def test_what_is_shipped_spends_at_most_half_of_the_apps_limits() -> None:
    others = {"OTHER_EMAIL": "other@steward.example", "OTHER_PASSWORD": "hunter2hunter2"}
    config = load(None, {**GUIDE, **SYNTHETIC, **others})
    for limit in LIMITS:
        spent = sum(
            limit.spends(KINDS[one.kind].cost(one.settings)) * (limit.span / one.every)
            for one in config.probes
            if "steward.example.org" in one.instance
        )
        assert 0 < spent <= limit.most / 2, limit.what
    told = "\n".join(spending(config, KINDS))
    assert "steward.example.org/api/agent/query: " in told
    assert "ai queries" in told


def test_the_agent_is_asked_without_a_database_to_compare_it_with(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2hunter2\n")
    environ = {**GUIDE, **SYNTHETIC, "SYNTHETIC_PASSWORD_FILE": str(tmp_path / "password")}
    del environ["DATABASE_URL"], environ["SYNTHETIC_PASSWORD"]
    agents = [one for one in load(None, environ).probes if one.job == "agent"]
    assert len(agents) == 5
    assert {one.depends_on for one in agents} == {("app", "openai", "supabase-auth")}


def test_with_nothing_set_what_is_missing_is_named_and_the_demo_pointed_to() -> None:
    with pytest.raises(ConfigError) as refused:
        load(None, {"DATABASE_URL": ""})
    said = str(refused.value)
    for name in set(GUIDE) - {"SUPABASE_ANON_KEY"}:
        assert name in said
    assert "stewardmon demo" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://username:password@host:port/database"),
        ("NEXT_PUBLIC_APP_URL", "https://your-domain.com"),
        ("OPENAI_API_KEY", "sk-your_openai_api_key"),
        ("SUPABASE_URL", "https://your-project.supabase.co"),
    ],
)
def test_the_guides_placeholders_are_refused_by_the_variables_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(None, {name: value})
    assert [str(mistake) for mistake in refused.value.mistakes] == [
        f"environment: the value of ${{{name}}} is a placeholder of the guide: put the real value"
    ]


def test_the_shipped_probes_are_the_guides_until_they_are_edited(tmp_path: Path) -> None:
    probes = tmp_path / "probes.yml"
    shutil.copy(shipped() / "probes.yml", probes)
    environ = {"DATABASE_URL": GUIDE["DATABASE_URL"]}
    assert set(instances(load(tmp_path, environ))) == {"database"}

    probes.write_text(probes.read_text() + "# mine now\n")
    with pytest.raises(ConfigError, match="NEXT_PUBLIC_APP_URL is not set"):
        load(tmp_path, environ)


def test_a_folder_that_is_none_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, sentence in (
        ("file", "this is no directory"),
        ("none", "this does not exist"),
        ("a" * 300, r"this cannot be read \(File name too long\)"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            load(tmp_path / name, GUIDE)


def test_a_yaml_suffix_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "probes.yaml").write_text("probes: []\n")
    with pytest.raises(
        ConfigError, match=r"probes.yaml: this file is not read: call it probes.yml"
    ):
        load(tmp_path, GUIDE)
