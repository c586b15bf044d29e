"""A real pgbouncer in transaction mode on loopback, as an app's pooler is."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stewardmon.demo.postgres import free_port, unprivileged
from tests.support.peers import require
from tests.support.servers import LOOPBACK

CONFIG: Final = """
[databases]
{databases}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = {clients}
server_login_retry = 1
"""


@contextmanager
def pooling(databases: Mapping[str, str], *, pool_size: int, clients: int) -> Iterator[str]:
    """Run pgbouncer over databases, each by the words of its configuration; yield its address."""
    port = free_port()
    listed = "\n".join(f"{name} = {words}" for name, words in databases.items())
    text = CONFIG.format(databases=listed, port=port, pool_size=pool_size, clients=clients)
    # Root may not run it: it runs as the user that PostgreSQL does, who must reach the file.
    account = unprivileged()
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        config = Path(folder) / "pgbouncer.ini"
        config.write_text(text)
        if account.uid is not None:
            os.chown(folder, account.uid, -1)
            os.chown(config, account.uid, -1)
        process = subprocess.Popen(
            [require("pgbouncer"), "-q", config],
            user=account.uid,
            group=account.gid,
            extra_groups=None if account.uid is None else [],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"postgresql://steward@{LOOPBACK}:{port}"
            assert process.poll() is None, "pgbouncer has ended"
        finally:
            process.terminate()
            process.wait(10)
