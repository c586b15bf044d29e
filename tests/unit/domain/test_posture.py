"""The answer to pages of other origins: reflected, trusted, and told to caches."""

from __future__ import annotations

import pytest

from stewardmon.domain.posture import judge_cors

OWN, EVIL = "https://steward.example", "https://evil-steward.example"


def points(origin: str, *, foreign: bool, **headers: str) -> list[int]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return [one.points for one in judge_cors(given, origin, foreign=foreign)]


@pytest.mark.parametrize(
    ("origin", "foreign", "allowed", "trusting", "vary", "expected"),
    [
        (EVIL, True, "", "", "", []),
        (EVIL, True, OWN, "true", "Origin", []),
        (EVIL, True, EVIL, "true", "Origin", [50]),
        (EVIL, True, EVIL, "true", "", [50, 5]),
        (EVIL, True, EVIL, "", "Accept, Origin", [10]),
        (EVIL, True, "*", "true", "", [10]),
        (EVIL, True, "*", "", "", []),
        ("null", True, "null", "true", "Origin", [50]),
        # Our own origin may read; caches must be told that the answer is for it alone.
        (OWN, False, OWN, "true", "Origin", []),
        (OWN, False, OWN, "true", "*", []),
        (OWN, False, OWN, "true", "Accept-Encoding", [5]),
        (OWN, False, "", "", "", []),
    ],
)
def test_what_another_origin_may_do(
    origin: str, foreign: bool, allowed: str, trusting: str, vary: str, expected: list[int]
) -> None:
    found = points(
        origin,
        foreign=foreign,
        access_control_allow_origin=allowed,
        access_control_allow_credentials=trusting,
        vary=vary,
    )
    assert found == expected
