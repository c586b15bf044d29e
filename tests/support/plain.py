"""HTTP without TLS: a client that reads the certificates of the world takes 25 ms to make."""

from __future__ import annotations

import ssl
from typing import Final

NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
