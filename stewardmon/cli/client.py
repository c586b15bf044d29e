"""How commands talk to a running daemon: one small JSON client over its HTTP interface."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import click
import httpx

from stewardmon.errors import StewardmonError, UsageError


class Daemon:
    """A running daemon's HTTP interface; every failure is one sentence."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=self.url, headers=headers, timeout=15, trust_env=False)

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON at a path. Raises StewardmonError where there is none."""
        return self._call("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send JSON and return the answer's. Raises StewardmonError where it is refused."""
        return self._call("POST", path, json=dict(body))

    def delete(self, path: str) -> Any:
        """Delete what stands at a path. Raises StewardmonError where it is refused."""
        return self._call("DELETE", path)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _call(self, method: str, path: str, **extra: Any) -> Any:
        try:
            answer = self._client.request(method, path, **extra)
        except httpx.HTTPError as error:
            raise StewardmonError(
                f"no stewardmon answers at {self.url} ({type(error).__name__}): "
                "start it with `stewardmon run`, or name it with --url"
            ) from None
        try:
            body = answer.json() if answer.content else None
        except ValueError:
            raise StewardmonError(f"{self.url} is not a stewardmon: it sent no JSON") from None
        if answer.is_success:
            return body
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise UsageError("the daemon wants its token: set STEWARDMON_TOKEN")
        raise StewardmonError(_sentence(body) or f"{path} answered {answer.status_code}")


def _sentence(body: Any) -> str:
    if not isinstance(body, dict):
        return str(body or "")
    return str(body.get("error") or body.get("message") or "")


def here() -> str:
    """Return where a daemon with this environment listens."""
    from stewardmon.config.environment import listening

    return listening(os.environ)


def url_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option that names a daemon: the one of this environment where it is not given."""
    return click.option(
        "--url",
        envvar="STEWARDMON_URL",
        default=here,
        show_default="where STEWARDMON_LISTEN says, or http://127.0.0.1:9797",
        help=help_text,
    )


def with_daemon(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a daemon, and the daemon as its first argument."""

    @url_option("Where the daemon listens.")
    @click.option("--token", envvar="STEWARDMON_TOKEN", default="", help="The daemon's token.")
    @wraps(function)
    def command(url: str, token: str, **arguments: Any) -> Any:
        daemon = Daemon(url, token)
        try:
            return function(daemon, **arguments)
        finally:
            daemon.close()

    return command
