"""The openai probe: GET /models, which costs no tokens, shows key, reachability and models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.network.exchange import Reply, exchange
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.expect import moment
from stewardmon.probes.http import decoded
from stewardmon.probes.openai_api import (
    BODY_LIMIT,
    OpenAiApi,
    failed,
    headroom,
    operation,
    refusal,
    traced,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAiSettings(OpenAiApi):
    """`models` must be offered to the key; their retirement dates become series."""

    models: tuple[str, ...] = ()


class OpenAiProbe:
    """Asks one API for its models."""

    def __init__(self, settings: OpenAiSettings, *, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        self._request = settings.request("/models", user_agent=user_agent)

    async def ask(self) -> Outcome:
        """Ask once; each class of failure of PLATFORM.md section 3 has its reason."""
        progress = self.progress = Progress()
        measurements: tuple[Measurement, ...] = ()
        try:
            reply = await exchange(self._request, progress, limit=BODY_LIMIT)
            measurements = (*_measured(reply, progress), *headroom(reply.headers))
            offered = models(reply)
        except Failure as failure:
            return failed(failure, progress, measurements)
        measurements += tuple(_retirements(self.settings.models, offered))
        missing = [model for model in self.settings.models if model not in offered]
        if missing:
            detail = f"not offered to this key: {', '.join(missing)}"
            lacking = Failure(Reason.MODEL, detail, state=State.MISCONFIGURED)
            return failed(lacking, progress, measurements)
        said = "; ".join(filter(None, (f"{len(offered)} models", traced(reply.headers))))
        return Outcome(
            state=State.UP,
            detail=said,
            phases=progress.phases,
            measurements=(*progress.measurements(), *measurements),
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""


def models(reply: Reply) -> Mapping[str, Mapping[str, Any]]:
    """Return the models by name that an answer lists; raises Failure."""
    body = decoded(reply, limit=BODY_LIMIT)
    if reply.status != 200:
        raise refusal(reply.status, reply.headers, body)
    if reply.too_large:
        raise Failure(Reason.TOO_LARGE, f"the list of models is over {BODY_LIMIT >> 20} MiB")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Failure(Reason.BODY, "the list of models is not JSON") from None
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, list):
        raise Failure(Reason.BODY, "the list of models has no list under `data`")
    return {
        entry["id"]: entry
        for entry in data
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    }


def _retirements(
    wanted: tuple[str, ...], offered: Mapping[str, Mapping[str, Any]]
) -> Iterator[Measurement]:
    for model in wanted:
        at = moment(offered.get(model, {}).get("shutdown_date"))
        if at is not None:
            name = "stewardmon_openai_model_shutdown_timestamp_seconds"
            yield Measurement(name, at.timestamp(), {"model": model})


def _measured(reply: Reply, progress: Progress) -> Iterator[Measurement]:
    took = sum(progress.phases.values())
    yield Measurement("gen_ai_client_operation_duration_seconds", took, operation("models"))
    yield Measurement("probe_http_status_code", float(reply.status))
    if reply.certificates is not None:
        expiry = reply.certificates.earliest_expiry
        yield Measurement("probe_ssl_earliest_cert_expiry", expiry)


def make(settings: OpenAiSettings, shared: Context) -> OpenAiProbe:
    """Build the probe."""
    return OpenAiProbe(settings, user_agent=shared.user_agent)


KIND: Final = Kind(
    settings=OpenAiSettings,
    make=make,
    cost=lambda _: Cost(requests=1),
    instance=lambda settings: settings.endpoint().shown,
)
