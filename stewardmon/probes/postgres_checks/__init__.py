"""The in-depth checks of a database by name: one row of PLATFORM.md section 4 each.

A check is a function of a read-only transaction and the settings; it returns what it measured and
what is wrong. To add one: a function, and a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stewardmon.probes.postgres_checks.activity import blocked, transactions
from stewardmon.probes.postgres_checks.app import agent_traffic, integrity
from stewardmon.probes.postgres_checks.check import Check
from stewardmon.probes.postgres_checks.indexes import indexes
from stewardmon.probes.postgres_checks.references import orphans
from stewardmon.probes.postgres_checks.replication import replication, slots
from stewardmon.probes.postgres_checks.schema import constraints, migrations, tables
from stewardmon.probes.postgres_checks.statements import statements
from stewardmon.probes.postgres_checks.upkeep import dead_tuples, wraparound

CHECKS: Final[Mapping[str, Check]] = {
    "transactions": transactions,
    "blocked": blocked,
    "replication": replication,
    "slots": slots,
    "wraparound": wraparound,
    "dead_tuples": dead_tuples,
    "tables": tables,
    "indexes": indexes,
    "statements": statements,
    "migrations": migrations,
    "constraints": constraints,
    "integrity": integrity,
    "orphans": orphans,
    "agent_traffic": agent_traffic,
}
