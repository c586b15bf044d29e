"""A public target may not lead a probe into a private network."""

from __future__ import annotations

import pytest

from stewardmon.domain.outcome import Reason
from stewardmon.network.dial import private
from stewardmon.network.endpoint import parse_url
from stewardmon.network.exchange import Reply, request
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.probes.transport import follow
from tests.support.servers import answer, sends, serving

PUBLIC, PRIVATE = "8.8.8.8", "10.0.0.5"


async def followed(place: str, *, came_from: str, allow_private: bool | None = None) -> Reply:
    """Follow a redirect to `place` that a server at `came_from` is said to have sent."""
    sent = Reply(
        status=302,
        version="1.1",
        raw_headers=((b"Location", place.encode()),),
        body=b"",
        too_large=False,
        address=came_from,
        certificates=None,
    )
    asked = request(parse_url("http://somewhere.example/"))
    reply, _ = await follow(
        asked, sent, Progress(), limit=1000, most=5, verify=True, allow_private=allow_private
    )
    return reply


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_redirect_from_outside_may_not_lead_inside(host: str) -> None:
    async with serving(sends(answer())) as server:
        with pytest.raises(Failure) as caught:
            await followed(f"http://{host}:{server.port}/", came_from=PUBLIC)
    assert caught.value.reason is Reason.FORBIDDEN_ADDRESS
    assert caught.value.detail == f"{host} leads into a private network, which is refused"
    assert server.requests == []


@pytest.mark.parametrize(
    ("came_from", "allow_private"), [(PRIVATE, None), (PUBLIC, True), (PRIVATE, True)]
)
async def test_inside_or_where_allowed_it_may(came_from: str, allow_private: bool | None) -> None:
    async with serving(sends(answer(body=b"in"))) as server:
        place = f"http://127.0.0.1:{server.port}/"
        reply = await followed(place, came_from=came_from, allow_private=allow_private)
    assert reply.body == b"in"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::10.0.0.1",
        "ff02::1",
    ],
)
def test_private_addresses(address: str) -> None:
    assert private(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_public_addresses(address: str) -> None:
    assert not private(address)
