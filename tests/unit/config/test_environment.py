"""The daemon's own settings: defaults, flags before variables, files, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from stewardmon.config.environment import Runtime, listening, read_environment
from stewardmon.errors import ConfigError

DSN = "https://abc123@o1.ingest.sentry.io/42"


def test_nothing_set_is_loopback_and_the_guides_production() -> None:
    runtime = read_environment({})
    assert runtime == Runtime()
    assert (runtime.host, runtime.port) == ("127.0.0.1", 9797)
    assert (runtime.log_level, runtime.environment) == ("info", "production")


def test_everything_set() -> None:
    runtime = read_environment(
        {
            "STEWARDMON_RULES": "/etc/rules",
            "STEWARDMON_STATE": "postgresql://u:p@db/state",
            "STEWARDMON_LISTEN": "[::1]:0",
            "STEWARDMON_TOKEN": "t0ken",
            "STEWARDMON_PUBLIC_URL": "https://watch.example.org/mon/",
            "STEWARDMON_LOCATION": "fra-1",
            "SENTRY_DSN": DSN,
            "LOG_LEVEL": "WARN",
            "NODE_ENV": "staging",
            "APP_VERSION": "1.2.3",
        }
    )
    assert runtime.rules == Path("/etc/rules")
    assert (runtime.host, runtime.port) == ("::1", 0)
    assert runtime.public_url == "https://watch.example.org/mon"
    assert runtime.token is not None
    assert runtime.token.get_secret_value() == "t0ken"
    assert runtime.sentry_dsn is not None
    assert (runtime.log_level, runtime.environment, runtime.version) == (
        "warning",
        "staging",
        "1.2.3",
    )
    assert "t0ken" not in repr(runtime)


def test_a_flag_goes_before_the_variable() -> None:
    runtime = read_environment(
        {"STEWARDMON_LISTEN": "nonsense", "STEWARDMON_RULES": "a"}, listen=":80", rules="b"
    )
    assert (runtime.host, runtime.port, runtime.rules) == ("0.0.0.0", 80, Path("b"))


def test_a_file_holds_the_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken\n")
    runtime = read_environment({"STEWARDMON_TOKEN_FILE": str(tmp_path / "token")})
    assert runtime.token is not None
    assert runtime.token.get_secret_value() == "t0ken"


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"STEWARDMON_LISTEN": "9797"}, "STEWARDMON_LISTEN: '9797' is no HOST:PORT"),
        ({"STEWARDMON_LISTEN": "a:70000"}, "STEWARDMON_LISTEN: 70000 is no port"),
        ({"STEWARDMON_STATE": "mysql://a/b"}, "STEWARDMON_STATE: mysql:// is no store"),
        ({"STEWARDMON_TOKEN": "two words"}, "STEWARDMON_TOKEN: a token is letters"),
        ({"STEWARDMON_PUBLIC_URL": "watch.example.org"}, "STEWARDMON_PUBLIC_URL: 'watch.exa"),
        ({"STEWARDMON_PUBLIC_URL": "ftp://a/"}, "STEWARDMON_PUBLIC_URL: 'ftp://a/' must begin"),
        ({"STEWARDMON_LOCATION": "a b"}, "STEWARDMON_LOCATION: 'a b' cannot name a location"),
        ({"SENTRY_DSN": "https://sentry.io"}, "SENTRY_DSN: it is no DSN"),
        ({"SENTRY_DSN": "your_sentry_dsn"}, "SENTRY_DSN: it is a placeholder of the guide"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: 'loud' is no log level"),
        ({"NODE_ENV": "pro duction"}, "NODE_ENV: one word is wanted"),
        ({"STEWARDMON_TOKEN_FILE": "/nowhere"}, "the file that STEWARDMON_TOKEN_FILE names"),
    ],
)
def test_a_wrong_value_is_one_sentence(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_environment(environ)
    (mistake,) = refused.value.mistakes
    assert str(mistake).startswith(f"environment: {sentence}")


def test_all_wrong_values_are_said_at_once_and_no_secret_with_them() -> None:
    with pytest.raises(ConfigError) as refused:
        read_environment({"LOG_LEVEL": "x", "NODE_ENV": "a b", "SENTRY_DSN": "secret word"})
    assert len(refused.value.mistakes) == 3
    assert "secret word" not in str(refused.value)


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        (None, "http://127.0.0.1:9797"),
        ("10.0.0.1:8000", "http://10.0.0.1:8000"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("[::]:8000", "http://[::1]:8000"),
        ("[fd00::1]:8000", "http://[fd00::1]:8000"),
    ],
)
def test_commands_ask_where_the_daemon_listens(listen: str | None, url: str) -> None:
    assert listening({} if listen is None else {"STEWARDMON_LISTEN": listen}) == url


def test_commands_say_when_where_to_ask_is_no_address() -> None:
    with pytest.raises(ConfigError, match="STEWARDMON_LISTEN: 'nine' is no HOST:PORT"):
        listening({"STEWARDMON_LISTEN": "nine"})
