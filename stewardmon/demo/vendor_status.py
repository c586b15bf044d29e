"""The AI vendor's public status page, in statuspage's shape (/api/v2/summary.json)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.faults import Faults


class VendorStatus:
    """What the vendor says about itself; an incident where the fault is on."""

    def __init__(self, faults: Faults, now: Callable[[], datetime]) -> None:
        self._faults = faults
        self._now = now
        self.app = Starlette(
            routes=[
                Route("/api/v2/summary.json", self._summary),
                Route("/api/v2/status.json", self._status),
            ]
        )

    async def _summary(self, _: Request) -> JSONResponse:
        bad = Fault.OPENAI_INCIDENT in self._faults
        return JSONResponse(
            {
                **self._head(),
                "components": [
                    _component("Chat Completions", "partial_outage" if bad else "operational"),
                    _component("Embeddings", "operational"),
                ],
                "incidents": [self._incident()] if bad else [],
                "scheduled_maintenances": [],
            }
        )

    async def _status(self, _: Request) -> JSONResponse:
        return JSONResponse(self._head())

    def _head(self) -> dict[str, Any]:
        bad = Fault.OPENAI_INCIDENT in self._faults
        indicator = "major" if bad else "none"
        description = "Partial System Outage" if bad else "All Systems Operational"
        return {
            "page": {"id": "simulated", "name": "OpenAI", "updated_at": self._now().isoformat()},
            "status": {"indicator": indicator, "description": description},
        }

    def _incident(self) -> dict[str, Any]:
        return {
            "id": "simulated-incident",
            "name": "Elevated error rates on chat completions",
            "status": "investigating",
            "impact": "major",
            "shortlink": "https://stspg.example/simulated",
            "started_at": self._now().isoformat(),
            "incident_updates": [],
        }


def _component(name: str, status: str) -> dict[str, Any]:
    return {"id": name.lower().replace(" ", "-"), "name": name, "status": status}
