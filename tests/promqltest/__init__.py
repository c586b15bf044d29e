"""Prometheus' own PromQL tests, run against our engine: `python -m tests.promqltest FILE…`."""
