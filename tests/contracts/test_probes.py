"""What every kind of probe keeps to, whatever it asks."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Mapping
from typing import Any, Final

import pytest
from pydantic import TypeAdapter, ValidationError

from stewardmon.config.fields import known_keys
from stewardmon.domain.outcome import Cost, Reason, State
from stewardmon.network import dial
from stewardmon.ports import Kind
from stewardmon.probes import KINDS, transport
from tests.support.probing import CONTEXT, asked
from tests.support.servers import (
    Authority,
    Behaviour,
    answer,
    closed_port,
    drips,
    floods,
    floods_headers,
    garbage,
    hangs,
    hangs_up,
    redirects_to_itself,
    resets,
    sends,
    serving,
)

SECRET: Final = "hunter2hunter2"
INSIDE: Final = "127.0.0.2"
KEY: Final = f"sk-proj-{SECRET}"

# What a probe that signs in to the app needs.
SIGNED: Final = {
    "url": "http://127.0.0.1:%d",
    "supabase_url": "http://127.0.0.1:%d",
    "anon_key": f"eyJ{SECRET}",
    "email": "synthetic@steward.example",
    "password": SECRET,
}

# The least that each kind needs, for a target on a port of this machine.
LEAST: Final[dict[str, Any]] = {
    "health": {"url": f"http://user:{SECRET}@127.0.0.1:%d/path?token={SECRET}"},
    "agent": SIGNED,
    "agent_cache": SIGNED,
    "agent_contract": SIGNED,
    "agent_metrics": SIGNED,
    "encryption": {
        "url": f"postgresql://user:{SECRET}@127.0.0.1:%d/app",
        "columns": [{"table": "users", "column": "secret"}],
    },
    "flow": {
        "url": "http://127.0.0.1:%d",
        "steps": [{"name": "login", "method": "POST", "json": f'{{"password": "{SECRET}"}}'}],
    },
    "http": {"url": f"http://user:{SECRET}@127.0.0.1:%d/path?token={SECRET}"},
    "postgres": {"url": f"postgresql://user:{SECRET}@127.0.0.1:%d/app"},
    "postgres_depth": {"url": f"postgresql://user:{SECRET}@127.0.0.1:%d/app"},
    "postgres_query": {
        "url": f"postgresql://user:{SECRET}@127.0.0.1:%d/app",
        "query": "SELECT 1 AS n",
    },
    "openai": {"url": "http://127.0.0.1:%d/v1", "key": KEY},
    "tcp": {"address": "127.0.0.1:%d", "send": SECRET, "expect": "^never said$"},
    "tls": {"address": "127.0.0.1:%d"},
    "dns": {"name": "stewardmon.example", "server": "127.0.0.1:%d"},
    "openai_chat": {"url": "http://127.0.0.1:%d/v1", "key": KEY, "model": "tiny"},
    "openai_embeddings": {"url": "http://127.0.0.1:%d/v1", "key": KEY, "model": "tiny"},
    "openai_costs": {"url": "http://127.0.0.1:%d/v1", "key": KEY},
    "backup": {"url": f"http://user:{SECRET}@127.0.0.1:%d/?list-type=2&token={SECRET}"},
    "page": {"url": f"http://user:{SECRET}@127.0.0.1:%d/?token={SECRET}"},
    "security": {"url": "http://127.0.0.1:%d"},
    "sentry": {"dsn": f"http://{SECRET}@127.0.0.1:%d/1"},
    "statuspage": {"url": "http://127.0.0.1:%d"},
    "supabase": {"url": "http://127.0.0.1:%d", "anon_key": f"eyJ{SECRET}", "tables": ["receipts"]},
    "vercel": {"url": f"http://user:{SECRET}@127.0.0.1:%d/?token={SECRET}"},
}
# What lies on this machine has no port to be deaf on.
LOCAL: Final = {"logs", "heartbeat", "restore"}
FAULTS: Final = (garbage, hangs, hangs_up, resets, drips, floods, floods_headers)


def settings(kind: str, port: int) -> dict[str, Any]:
    """Return the least settings of a kind, aimed at a port."""
    return {
        key: value.replace("%d", str(port)) if isinstance(value, str) else value
        for key, value in LEAST[kind].items()
    }


@pytest.fixture(params=sorted(set(KINDS) - LOCAL))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_every_kind_is_tried_here() -> None:
    assert set(LEAST) | LOCAL == set(KINDS)


def test_a_kind_says_what_it_is(kind: str) -> None:
    found = KINDS[kind]
    assert isinstance(found, Kind)
    made: Any = found.settings.model_validate(settings(kind, 1))
    assert isinstance(found.cost(made), Cost)
    assert found.cost(made) != Cost()
    assert "127.0.0.1:1" in found.instance(made)


def test_an_instance_and_a_repr_hold_no_secret(kind: str) -> None:
    made: Any = KINDS[kind].settings.model_validate(settings(kind, 1))
    assert SECRET not in KINDS[kind].instance(made)
    assert SECRET not in repr(made)


def test_an_unknown_key_is_a_mistake(kind: str) -> None:
    with pytest.raises(ValidationError, match="colour"):
        KINDS[kind].settings.model_validate({**settings(kind, 1), "colour": "red"})


def test_settings_have_a_schema_for_editors(kind: str) -> None:
    assert TypeAdapter(KINDS[kind].settings).json_schema()["properties"]


async def test_nothing_listening_is_down(kind: str) -> None:
    outcome = await asked(kind, timeout=1.0, **settings(kind, closed_port()))
    # A datagram to nobody is lost as a rule, and not refused.
    reason = Reason.TIMEOUT if kind == "dns" else Reason.REFUSED
    assert (outcome.state, outcome.reason) == (State.DOWN, reason)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.__name__)
async def test_a_broken_target_is_an_outcome_in_time(kind: str, fault: Behaviour) -> None:
    async with serving(fault) as server:
        outcome = await asked(kind, timeout=0.5, **settings(kind, server.port))
    assert not outcome.success
    assert outcome.state is State.DOWN
    assert outcome.duration < 9  # half a second of timeout, and a busy machine
    assert outcome.detail
    assert "\n" not in outcome.detail
    assert SECRET not in repr(outcome)


def fields(kind_: str) -> Collection[str]:
    """Return what a kind can be told."""
    return known_keys(KINDS[kind_].settings)


SPOKEN = sorted(one for one in LEAST if "http://" in str(LEAST[one]))


def secured(kind: str, port: int) -> dict[str, Any]:
    """Return the least settings of a kind, aimed at a port of TLS."""
    return {
        key: value.replace("http://", "https://").replace("127.0.0.1", "localhost")
        if isinstance(value, str)
        else value
        for key, value in settings(kind, port).items()
    }


@pytest.fixture(scope="module")
def stranger() -> ssl.SSLContext:
    """A certificate that nobody trusts; making its key takes a while."""
    return Authority().untrusted()


@pytest.mark.parametrize("kind_", SPOKEN)
async def test_a_certificate_that_nobody_trusts(kind_: str, stranger: ssl.SSLContext) -> None:
    async with serving(sends(answer(200, b"{}")), tls=stranger) as server:
        outcome = await asked(kind_, timeout=3.0, **secured(kind_, server.port))
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.CERTIFICATE), outcome.detail


@pytest.fixture(scope="module")
def expired_or_anothers(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Mapping[str, ssl.SSLContext]]:
    """The roots that are trusted, and certificates under them that are wrong otherwise."""
    authority = Authority()
    roots = authority.write_roots(str(tmp_path_factory.mktemp("roots") / "roots.pem"))
    return roots, {"expired": authority.expired(), "another's": authority.wrong_name()}


@pytest.mark.parametrize("wrong", ["expired", "another's"])
@pytest.mark.parametrize("kind_", [one for one in SPOKEN if "verify" in fields(one)])
async def test_a_certificate_that_has_expired_or_is_for_another_name(
    kind_: str,
    wrong: str,
    expired_or_anothers: tuple[str, Mapping[str, ssl.SSLContext]],
) -> None:
    roots, contexts = expired_or_anothers
    async with serving(sends(answer(200, b"{}")), tls=contexts[wrong]) as server:
        given = {**secured(kind_, server.port), "verify": roots}
        outcome = await asked(kind_, timeout=3.0, **given)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.CERTIFICATE), outcome.detail
    assert SECRET not in repr(outcome)


@pytest.mark.parametrize("kind_", SPOKEN)
async def test_a_redirect_loop_ends(kind_: str) -> None:
    async with serving(redirects_to_itself) as server:
        outcome = await asked(kind_, timeout=5.0, **settings(kind_, server.port))
        assert len(server.requests) < 100
    assert outcome.reason is not Reason.TIMEOUT
    assert SECRET not in repr(outcome)
    if kind_ != "security":  # which looks at redirects, too, as a stranger does
        assert not outcome.success


@pytest.mark.parametrize("kind_", SPOKEN)
async def test_a_redirect_into_a_private_network_is_not_followed(
    kind_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.0.0.2 plays the network inside, 127.0.0.1 a place in the open."""
    for module in (dial, transport):
        monkeypatch.setattr(module, "private", lambda address: address == INSIDE)
    async with serving(sends(answer(200, b"{}")), host=INSIDE) as inside:
        place = {"Location": f"http://{INSIDE}:{inside.port}/latest/meta-data"}
        async with serving(sends(answer(302, headers=place))) as server:
            outcome = await asked(kind_, timeout=5.0, **settings(kind_, server.port))
            assert server.requests
        assert inside.requests == []
    assert outcome.reason is not Reason.INTERNAL
    assert SECRET not in repr(outcome)
    if kind_ != "security":  # which looks at redirects, too, as a stranger does
        assert not outcome.success


ODD: Final = (
    b"",
    b"null",
    b"[]",
    b"[[[[]]]]",
    b"5",
    b'"text"',
    b"{}",
    b'{"data": 5, "models": {}, "status": [], "services": [], "metrics": [], "user": 1}',
    b'{"data": [5, null, {}], "object": 5, "usage": "x", "choices": [5], "components": [5]}',
    b'{"access_token": "t", "expires_in": "soon", "user": [], "metrics": {"totalQueries": {}},'
    b' "status": {"indicator": 5}, "page": 5, "error": [], "message": {}}',
    b'{"a": 1e999}',
    b"\xff\xfe{}",
)


@pytest.mark.parametrize("kind_", SPOKEN)
async def test_json_of_wrong_types_is_an_outcome(kind_: str) -> None:
    """`asked` raises what a probe raises: here it is only that nothing does."""
    for body in ODD:
        headers = {"Content-Type": "application/json"}
        async with serving(sends(answer(200, body, headers=headers))) as server:
            outcome = await asked(kind_, timeout=5.0, **settings(kind_, server.port))
        assert outcome.reason is not Reason.INTERNAL
        assert outcome.success or outcome.detail
        assert SECRET not in repr(outcome)


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_a_refusal_is_an_outcome_that_shows_no_secret(kind: str, status: int) -> None:
    refusal = answer(status, body=f"no, {SECRET}".encode())
    async with serving(sends(refusal)) as server:
        outcome = await asked(kind, timeout=0.5, **settings(kind, server.port))
    assert outcome.detail
    assert SECRET not in repr(outcome)
    # Of an app's security, its refusing strangers is no finding.
    assert not outcome.success or kind == "security", outcome


async def test_a_probe_can_be_asked_again_and_cut_at_any_time(kind: str) -> None:
    found = KINDS[kind]
    async with serving(hangs) as server:
        made = found.make(found.settings.model_validate(settings(kind, server.port)), CONTEXT)
        for turns in (1, 2, 5, 20):
            task = asyncio.ensure_future(made.ask())  # noqa: TID251 - to cancel it midway
            for _ in range(turns):
                await asyncio.wait([task], timeout=0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await made.close()
        await made.close()
