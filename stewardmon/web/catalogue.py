"""What each metric that probes and rules make means: the HELP texts of `/metrics`.

blackbox_exporter, postgres_exporter and OpenTelemetry define the names; the words are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_KNOWN: Final[Mapping[str, str]] = {
    "ALERTS": "Alerts that are pending or firing; always 1.",
    "ALERTS_FOR_STATE": "Unix time in seconds since when an alert's condition holds.",
    # Every probe
    "probe_success": "1 when the newest answer was as it should be, else 0.",
    "probe_duration_seconds": "How long the newest answer took; +Inf when none came in time.",
    "probe_failed_due_to_regex": "1 when the answer's text did not match what is expected of it.",
    "stewardmon_probe_reason": "Why the newest outcome is what it is, as a label; always 1.",
    # http
    "probe_dns_lookup_time_seconds": "Time to resolve the target's name.",
    "probe_http_content_length": "Content-Length of the answer in bytes, -1 where it named none.",
    "probe_http_duration_seconds": "Time of each phase of the request, redirects added up.",
    "probe_http_last_modified_timestamp_seconds": "Last-Modified of the answer, in Unix time.",
    "probe_http_redirects": "Redirects that were followed.",
    "probe_http_ssl": "1 when the last request went over TLS, else 0.",
    "probe_http_status_code": "Status code of the last answer, 0 where there was none.",
    "probe_http_uncompressed_body_length": "Length of the body in bytes once it is decoded.",
    "probe_http_version": "HTTP version of the answer.",
    "probe_ip_protocol": "Version of IP over which the target was reached: 4 or 6.",
    "probe_ssl_earliest_cert_expiry": "When the first certificate of the chain expires, Unix time.",
    "probe_ssl_last_chain_expiry_timestamp_seconds": "When the verified chain expires, Unix time.",
    "probe_tls_version_info": "The TLS version in use, as a label; always 1.",
    # postgres
    "pg_up": "1 when the database let us in and answered, else 0.",
    "pg_static": "Version of the server, as labels; always 1.",
    "pg_database_size_bytes": "Disk space that the database takes.",
    "pg_replication_is_replica": "1 when the server is a replica, else 0.",
    "pg_replication_lag_seconds": "How far the replica is behind its primary.",
    "pg_settings_max_connections": "Connections that the server allows in all.",
    "pg_settings_reserved_connections": "Connections kept back for roles with that privilege.",
    "pg_settings_superuser_reserved_connections": "Connections kept back for superusers.",
    "pg_stat_activity_count": "Connections by database and state.",
    "pg_stat_activity_max_tx_duration": "Age of the longest running transaction in seconds.",
    "stewardmon_pg_encrypted": "1 when the connection to the database is encrypted, else 0.",
    "stewardmon_pg_query_duration_seconds": "Time of the probe's own query.",
    "stewardmon_net_duration_seconds": "Time of each phase of a TCP, TLS or DNS probe.",
    "stewardmon_pg_duration_seconds": "Time of each phase of asking the database.",
    "stewardmon_pg_read_only": "1 when the database takes no writes, else 0.",
    # openai
    "gen_ai_client_operation_duration_seconds": "Time of the newest call of the AI provider.",
    "gen_ai_client_operation_time_to_first_chunk_seconds": "Time to the first piece of an answer.",
    "gen_ai_client_operation_time_per_output_chunk_seconds": "Time between pieces of an answer.",
    "gen_ai_client_token_usage": "Tokens of the newest call, by type.",
    "stewardmon_openai_processing_seconds": "Time that the provider says it worked on the call.",
    "stewardmon_openai_rate_limit_remaining_ratio": "Share of a rate limit that is left.",
    "stewardmon_openai_rate_limit_reset_seconds": "Time until a rate limit is full again.",
    "stewardmon_openai_model_shutdown_timestamp_seconds": "When a model in use is switched off.",
}
_BY_PREFIX: Final = (
    ("probe_", "Measured by the newest answer of the probe."),
    ("pg_", "Read from PostgreSQL's own statistics, under postgres_exporter's name."),
    ("gen_ai_", "Measured at the AI provider, under OpenTelemetry's name."),
    ("agent_", "Read from the app's own figures about its agent."),
    ("stewardmon_", "Measured by stewardmon."),
)


def help_of(name: str) -> str:
    """Return what the metric means, in one sentence; of a name not known, where it comes from."""
    known = _KNOWN.get(name)
    if known is not None:
        return known
    for prefix, text in _BY_PREFIX:
        if name.startswith(prefix):
            return text
    return "Computed by a recording rule." if ":" in name else "Reported by a probe."
