"""host:port as it stands in probes.yml, for the probes that speak no HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from stewardmon.network.endpoint import ascii_host
from stewardmon.settings import PlainValidator

SERIES: Final = "stewardmon_net_duration_seconds"


@dataclass(frozen=True, slots=True)
class Address:
    """A host and its port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(value: Any) -> Address:
    """Return the address of host:port or [IPv6]:port; raises ValueError."""
    if isinstance(value, Address):
        return value
    host, _, port = str(value).rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise ValueError("write host:port, with a port from 1 to 65535")
    return Address(ascii_host(host.removeprefix("[").removesuffix("]")), int(port))


Place = Annotated[Address, PlainValidator(parse_address)]
