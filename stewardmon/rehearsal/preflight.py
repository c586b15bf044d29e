"""The guide's check-lists, asked once by the probes that watch: pass, fail or unknown each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from stewardmon.config.interpolation import Missing, lookup
from stewardmon.domain.outcome import Outcome, State
from stewardmon.ports import Context
from stewardmon.probes import KINDS
from stewardmon.probes.asking import ask
from stewardmon.rehearsal.preflight_env import judge_variables

TIMEOUT: Final = 7.0  # seconds for any one question: the whole must end within ten
AI_TIME: Final = 2.0  # the guide's benchmarks, in seconds and bytes
DB_TIME: Final = 0.5
PAGE_TIME: Final = 2.0
IN_A_ROW: Final = 3
MODEL_DAYS: Final = 30  # PLATFORM.md section 3 warns at 90, 30 and 7
HEADROOM: Final = 0.1
KEY_DAYS: Final = 90
ROTATED: Final = ("OPENAI_API_KEY", "SUPABASE_SERVICE_ROLE_KEY")
_TOLD: Final = 12  # findings of one probe that become lines


class Verdict(StrEnum):
    """What became of one check."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: the check-list, the check, the verdict, and why."""

    list: str
    check: str
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """What all questions of one run share."""

    environ: Mapping[str, str]
    shared: Context
    version: str = ""
    timeout: float = TIMEOUT

    def value(self, name: str) -> str | None:
        """Return a variable's value, from its file where it names one."""
        try:
            return lookup(name, self.environ)
        except Missing:
            return None

    async def probe(self, kind: str, **settings: Any) -> Outcome | str:
        """Ask a probe once; a sentence where its settings cannot be right."""
        found = KINDS[kind]
        try:
            model = found.settings.model_validate(settings)
        except ValidationError as error:
            return _sentence(error)
        probe = found.make(model, self.shared)
        try:
            return await ask(probe, timeout=self.timeout)
        finally:
            await probe.close()


Question = Callable[[Flight], Awaitable[list[tuple[str, Verdict, str]]]]
Found = tuple[str, Verdict, str]


async def preflight(names: Sequence[str], flight: Flight) -> list[Line]:
    """Return the lines of the named check-lists, in their order; a question asks only once."""
    lists = list(dict.fromkeys(part for name in names for part in PARTS.get(name, (name,))))
    async with asyncio.TaskGroup() as group:
        tasks = {
            name: [
                group.create_task(_asked(q, flight), name=f"preflight:{name}") for q in LISTS[name]
            ]
            for name in lists
        }
    return [
        Line(name, check, verdict, detail)
        for name in lists
        for task in tasks[name]
        for check, verdict, detail in task.result()
    ]


async def _asked(question: Question, flight: Flight) -> list[Found]:
    return await question(flight)


def _sentence(error: ValidationError) -> str:
    return str(error.errors(include_input=False)[0]["msg"]).removeprefix("Value error, ")


def _line(check: str, outcome: Outcome | str) -> Found:
    if isinstance(outcome, str):
        return check, Verdict.FAIL, outcome
    if outcome.success:
        return check, Verdict.PASS, outcome.detail
    verdict = Verdict.UNKNOWN if outcome.state is State.UNKNOWN else Verdict.FAIL
    return check, verdict, f"{outcome.reason.value}: {outcome.detail}"


def _unset(check: str, *names: str) -> list[Found]:
    return [(check, Verdict.UNKNOWN, f"set {' and '.join(names)} to have it checked")]


def _number(outcome: Outcome | str, name: str) -> float | None:
    if isinstance(outcome, str):
        return None
    return next((one.value for one in outcome.measurements if one.name == name), None)


def _within(check: str, took: float | None, limit: float) -> list[Found]:
    if took is None:
        return [(check, Verdict.UNKNOWN, "there was no answer to measure")]
    said = f"{took * 1000:.0f} ms, at most {limit * 1000:.0f} ms wanted"
    return [(check, Verdict.PASS if took <= limit else Verdict.FAIL, said)]


async def _variables(flight: Flight) -> list[Found]:
    return [
        (name, Verdict.PASS if right else Verdict.FAIL, said)
        for name, right, said in judge_variables(flight.environ)
    ]


async def _app_path(flight: Flight) -> list[Found]:
    url = flight.value("DATABASE_URL")
    if url is None:
        return [("the app's connection", Verdict.FAIL, "DATABASE_URL is not set")]
    outcome = await flight.probe("postgres", url=url)
    took = _number(outcome, "stewardmon_pg_query_duration_seconds")
    found = [_line("the app's connection", outcome)]
    return found + (_within("SELECT 1", took, DB_TIME) if took is not None else [])


async def _direct_path(flight: Flight) -> list[Found]:
    url = flight.value("DIRECT_URL")
    if url is None:
        return []
    return [_line("the direct connection", await flight.probe("postgres", url=url))]


async def _depth(flight: Flight) -> list[Found]:
    """Report what the checks of the inside found, a line each."""
    url = next(filter(None, map(flight.value, ("MONITOR_DATABASE_URL", "DIRECT_URL"))), None)
    url = url or flight.value("DATABASE_URL")
    if url is None:
        return []
    return list(_each("inside", await flight.probe("postgres_depth", url=url)))


def _each(check: str, outcome: Outcome | str) -> Iterator[Found]:
    """Yield a line a finding; those that say what could not be seen are unknown."""
    if isinstance(outcome, str) or outcome.success or not outcome.findings:
        yield _line(check, outcome)
        return
    for text in outcome.findings[:_TOLD]:
        unseen = any(words in text for words in _UNSEEN)
        yield check, Verdict.UNKNOWN if unseen else Verdict.FAIL, text


# What the database refuses or blocks ("could not be checked") is at fault; what is absent, unseen.
_UNSEEN: Final = (" was not checked: ", " was not seen: ")


def _api(flight: Flight) -> dict[str, Any] | None:
    key = flight.value("OPENAI_API_KEY")
    if key is None:
        return None
    url = flight.value("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    return {"url": url, "key": key}


async def _models(flight: Flight) -> list[Found]:
    api = _api(flight)
    if api is None:
        return [("key and models", Verdict.FAIL, "OPENAI_API_KEY is not set")]
    outcome = await flight.probe("openai", models=[_model(flight)], **api)
    return [_line("key and models", outcome), *_running_out(outcome, flight.shared.clock.now())]


def _running_out(outcome: Outcome | str, now: datetime) -> Iterator[Found]:
    """Yield what works today and will not for long: a model that retires, a limit nearly used."""
    for one in () if isinstance(outcome, str) else outcome.measurements:
        if one.name == "stewardmon_openai_model_shutdown_timestamp_seconds":
            left = (one.value - now.timestamp()) / 86400
            if left < MODEL_DAYS:
                said = f"{one.labels.get('model', 'it')} is switched off in {left:.0f} days"
                yield "the model's future", Verdict.FAIL, said
        if one.name == "stewardmon_openai_rate_limit_remaining_ratio" and one.value < HEADROOM:
            what = one.labels.get("type", "the rate limit")
            yield "head-room", Verdict.FAIL, f"{one.value:.0%} of the limit of {what} is left"


async def _completion(flight: Flight) -> list[Found]:
    api = _api(flight)
    if api is None:
        return []
    outcome = await flight.probe("openai_chat", model=_model(flight), **api)
    took = _number(outcome, "gen_ai_client_operation_duration_seconds")
    found = [_line("a completion", outcome)]
    return found + (_within("its time", took, AI_TIME) if took is not None else [])


def _model(flight: Flight) -> str:
    return flight.value("OPENAI_MODEL") or "gpt-4o-mini"


async def _vendor_status(flight: Flight) -> list[Found]:
    url = flight.value("OPENAI_STATUS_URL")
    outcome = await flight.probe("statuspage", **({"url": url} if url else {}))
    check, verdict, detail = _line("the vendor's status page", outcome)
    silent = not isinstance(outcome, str) and outcome.state is not State.DEGRADED
    # It annotates: one that cannot be read says nothing of the vendor.
    return [(check, Verdict.UNKNOWN if verdict is Verdict.FAIL and silent else verdict, detail)]


def _supabase(flight: Flight) -> dict[str, Any] | None:
    url, key = flight.value("SUPABASE_URL"), flight.value("SUPABASE_ANON_KEY")
    return None if url is None or key is None else {"url": url, "anon_key": key}


async def _sign_in(flight: Flight) -> list[Found]:
    project = _supabase(flight)
    if project is None:
        return [("Supabase auth", Verdict.FAIL, "SUPABASE_URL or SUPABASE_ANON_KEY is not set")]
    email, password = flight.value("SYNTHETIC_EMAIL"), flight.value("SYNTHETIC_PASSWORD")
    found = [] if email else _unset("a user signs in", "SYNTHETIC_EMAIL", "SYNTHETIC_PASSWORD")
    user = {"email": email, "password": password} if email and password else {}
    outcome = await flight.probe("supabase", **project, **user)
    return [*_each("Supabase", outcome), *found]


async def _rows(flight: Flight) -> list[Found]:
    project = _supabase(flight)
    if project is None:
        return _unset("row level security", "SUPABASE_URL", "SUPABASE_ANON_KEY")
    tables = ["receipts", "agent_logs"]
    database = flight.value("DIRECT_URL") or flight.value("DATABASE_URL")
    more = {"database": database} if database else {}
    outcome = await flight.probe("supabase", services=[], tables=tables, **project, **more)
    return list(_each("row level security", outcome))


async def _rotation(flight: Flight) -> list[Found]:
    """Judge how old keys are, by NAME_ROTATED_AT: no key tells it of itself."""
    return [_rotated(name, flight) for name in ROTATED if flight.value(name) is not None]


def _rotated(name: str, flight: Flight) -> Found:
    check, variable = f"{name} is fresh", f"{name}_ROTATED_AT"
    text = flight.value(variable)
    if text is None:
        return check, Verdict.UNKNOWN, f"set {variable} to the day of its last change"
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return check, Verdict.FAIL, f"{variable} is no day such as 2026-11-26"
    age = (flight.shared.clock.now().date() - day).days
    if age < 0:
        return check, Verdict.FAIL, f"{variable} lies in the future"
    verdict = Verdict.PASS if age <= KEY_DAYS else Verdict.FAIL
    return check, verdict, f"changed {age} days ago, at most {KEY_DAYS} wanted"


async def _certificates(flight: Flight) -> list[Found]:
    """Look at the certificates of the app and of Supabase, wherever they speak TLS."""
    found: list[Found] = []
    for name in ("NEXT_PUBLIC_APP_URL", "SUPABASE_URL"):
        parts = urlsplit(flight.value(name) or "")
        if parts.scheme == "https" and parts.hostname:
            address = f"{parts.hostname}:{parts.port or 443}"
            file = flight.value("CA_FILE")
            more = {"verify": file} if file else {}
            outcome = await flight.probe("tls", address=address, lifetime_left=0.1, **more)
            found.append(_line(f"the certificate of {name}", outcome))
    return found


async def _access(flight: Flight) -> list[Found]:
    return await _posture(flight, ("auth", "cookies"))


async def _posture_rest(flight: Flight) -> list[Found]:
    return await _posture(flight, ("headers", "tls", "cors", "errors", "debug", "scripts"))


async def _posture(flight: Flight, checks: tuple[str, ...]) -> list[Found]:
    """Return a line a check: what was found there, or that nothing was."""
    url = flight.value("NEXT_PUBLIC_APP_URL")
    if url is None:
        return [("the app", Verdict.FAIL, "NEXT_PUBLIC_APP_URL is not set")]
    settings: dict[str, Any] = {"url": url, "checks": checks, "min_score": 0}
    supabase = flight.value("SUPABASE_URL")
    if supabase:
        reference = supabase.partition("://")[2].partition(".")[0].partition("/")[0]
        settings["cookie"] = f"sb-{reference.partition(':')[0]}-auth-token"
    outcome = await flight.probe("security", **settings)
    if isinstance(outcome, str) or not _numbers(outcome, "stewardmon_security_check_possible"):
        return [_line("the app", outcome)]
    return list(_by_check(outcome, checks))


def _numbers(outcome: Outcome, name: str) -> dict[str, float]:
    return {one.labels["check"]: one.value for one in outcome.measurements if one.name == name}


def _by_check(outcome: Outcome, checks: tuple[str, ...]) -> Iterator[Found]:
    possible = _numbers(outcome, "stewardmon_security_check_possible")
    counts = _numbers(outcome, "stewardmon_security_findings")
    lines = [text for text in outcome.findings if " was not seen: " not in text]
    for check in checks:
        if not possible[check]:
            start = f"{check} was not seen: "
            why = next((one for one in outcome.findings if one.startswith(start)), start)
            yield check, Verdict.UNKNOWN, why.removeprefix(start)
        elif not counts[check]:
            yield check, Verdict.PASS, "nothing was found"
    failing = [check for check in checks if possible[check] and counts[check]]
    for text in lines[:_TOLD]:
        yield ", ".join(failing), Verdict.FAIL, text


async def _page(flight: Flight) -> list[Found]:
    url = flight.value("NEXT_PUBLIC_APP_URL")
    if url is None:
        return [("the page", Verdict.FAIL, "NEXT_PUBLIC_APP_URL is not set")]
    outcome = await flight.probe("page", url=f"{url.rstrip('/')}/")
    return list(_each("the page's weight", outcome))


async def _page_time(flight: Flight) -> list[Found]:
    url = flight.value("NEXT_PUBLIC_APP_URL")
    if url is None:
        return []
    outcome = await flight.probe("http", url=f"{url.rstrip('/')}/")
    if isinstance(outcome, str) or not outcome.success:
        return [_line("the page's time", outcome)]
    return _within("the page's time", outcome.duration, PAGE_TIME)


async def _outside(_: Flight) -> list[Found]:
    why = "cannot be seen from outside: let the app push it, or be scraped"
    return [("memory and processor", Verdict.UNKNOWN, why)]


async def _folder(flight: Flight) -> list[Found]:
    folder = flight.value("BACKUP_DIR")
    if folder is None:
        return _unset("the backups", "BACKUP_DIR")
    return list(_each("the backups", await flight.probe("backup", folder=folder)))


async def _vendor_backups(flight: Flight) -> list[Found]:
    token, url = flight.value("SUPABASE_ACCESS_TOKEN"), flight.value("SUPABASE_URL")
    if token is None or url is None:
        return _unset("Supabase's backups", "SUPABASE_ACCESS_TOKEN")
    project = url.partition("://")[2].partition(".")[0].partition(":")[0].partition("/")[0]
    settings: dict[str, Any] = {"project": project, "token": token}
    api = flight.value("SUPABASE_API_URL")
    if api:
        settings["api_url"] = api
    return [_line("Supabase's backups", await flight.probe("backup", **settings))]


async def _restored(flight: Flight) -> list[Found]:
    """Restore the newest backup into a database made for it, and drop that."""
    names = ("BACKUP_DIR", "SCRATCH_DATABASE_URL")
    folder, into = map(flight.value, names)
    if folder is None or into is None:
        return _unset("the newest backup comes back", *names)
    source = flight.value("DIRECT_URL") or flight.value("DATABASE_URL")
    given: dict[str, Any] = {"folder": folder, "into": into, "source": source}
    from stewardmon.probes.restore import RestoreSettings  # noqa: PLC0415 - for this list alone
    from stewardmon.probes.restore_drill import drill  # noqa: PLC0415

    try:
        plan = RestoreSettings.model_validate(given).plan
    except ValidationError as error:
        return [("the newest backup comes back", Verdict.FAIL, _sentence(error))]
    result = await drill(plan, flight.shared.clock)
    if result.wrong:
        return [("the newest backup comes back", Verdict.FAIL, one) for one in result.wrong]
    rows = sum(table.rows for table in result.tables)
    said = f"{result.backup} in {result.took:.1f} s: {rows} rows, {len(result.tables)} tables"
    return [("the newest backup comes back", Verdict.PASS, said)]


async def _limited(flight: Flight) -> list[Found]:
    """Ask more often than the app allows."""
    return await _posture(flight, ("burst",))


async def _healthy(flight: Flight) -> list[Found]:
    """Ask for health several times in a row: one good answer may come from the old deployment."""
    url = flight.value("NEXT_PUBLIC_APP_URL")
    if url is None:
        return [("health", Verdict.FAIL, "NEXT_PUBLIC_APP_URL is not set")]
    expect = {
        "status": [200],
        "json": {"status": {"in": ["healthy"]}, "services.*": {"in": ["healthy"]}},
        "fresh": {"path": "timestamp", "within": "30s"},
        "cached": False,
    }
    hurried = Flight(
        environ=flight.environ, shared=flight.shared, timeout=flight.timeout / IN_A_ROW
    )
    for number in range(1, IN_A_ROW + 1):
        outcome = await hurried.probe("http", url=f"{url.rstrip('/')}/api/health", expect=expect)
        if isinstance(outcome, str) or not outcome.success:
            check, verdict, detail = _line("health", outcome)
            return [(check, verdict, f"{detail} (answer {number} of {IN_A_ROW})")]
    return [("health", Verdict.PASS, f"{IN_A_ROW} good answers in a row")]


async def _deployed(flight: Flight) -> list[Found]:
    url = flight.value("NEXT_PUBLIC_APP_URL")
    if url is None:
        return []
    wanted = {"version": flight.version} if flight.version else {}
    outcome = await flight.probe("vercel", url=f"{url.rstrip('/')}/", **wanted)
    found = [_line("the deployment", outcome)]
    if not flight.version and found[0][1] is Verdict.PASS:
        why = "name the expected one with --version"
        found.append(("its version", Verdict.UNKNOWN, why))
    return found


def _user(flight: Flight) -> dict[str, Any] | None:
    """Return what the probes that ask as the synthetic user need, None where it is not set."""
    names = {
        "url": "NEXT_PUBLIC_APP_URL",
        "supabase_url": "SUPABASE_URL",
        "anon_key": "SUPABASE_ANON_KEY",
        "email": "SYNTHETIC_EMAIL",
        "password": "SYNTHETIC_PASSWORD",
    }
    found = {key: flight.value(name) for key, name in names.items()}
    return found if all(found.values()) else None


def _database_of(flight: Flight) -> dict[str, str]:
    url = flight.value("DIRECT_URL") or flight.value("DATABASE_URL")
    return {"database": url} if url else {}


async def _agent_whole(flight: Flight) -> list[Found]:
    return await _agent(flight, "json")


async def _agent_streamed(flight: Flight) -> list[Found]:
    return await _agent(flight, "stream")


async def _agent(flight: Flight, mode: str) -> list[Found]:
    """Ask the guide's own question (its step 5.2), which without a session must be refused."""
    check = "an answer, whole" if mode == "json" else "an answer, line by line"
    user = _user(flight)
    if user is None:
        return _unset(check, "SYNTHETIC_EMAIL", "SYNTHETIC_PASSWORD")
    outcome = await flight.probe("agent", mode=mode, **user, **_database_of(flight))
    return list(_each(check, outcome))


async def _agent_edges(flight: Flight) -> list[Found]:
    """Try what must be refused: bad input, and another user's receipt."""
    user = _user(flight)
    if user is None:
        return _unset("input, limits and access", "SYNTHETIC_EMAIL", "SYNTHETIC_PASSWORD")
    other = {
        "other_email": flight.value("OTHER_EMAIL"),
        "other_password": flight.value("OTHER_PASSWORD"),
    }
    outcome = await flight.probe("agent_contract", **user, **other, **_database_of(flight))
    return list(_each("input, limits and access", outcome))


async def _agent_figures(flight: Flight) -> list[Found]:
    user = _user(flight)
    if user is None:
        return _unset("agent-metrics", "SYNTHETIC_EMAIL", "SYNTHETIC_PASSWORD")
    return list(_each("agent-metrics", await flight.probe("agent_metrics", **user)))


LISTS: Final[Mapping[str, tuple[Question, ...]]] = {
    "env": (_variables,),
    "db": (_app_path, _direct_path, _depth),
    "openai": (_models, _completion, _vendor_status),
    "auth": (_sign_in, _access),
    "security": (_posture_rest, _certificates, _rows, _rotation),
    "performance": (_page_time, _page, _outside),
    "backup": (_folder, _vendor_backups),
    "agent": (_agent_whole, _agent_streamed, _agent_edges, _agent_figures),
    "post": (_healthy, _deployed),
    "restore": (_restored,),
    "burst": (_limited,),
}
# What costs others something runs only when it is named.
BY_NAME: Final = frozenset({"restore", "burst"})
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "pre": ("env", "db", "openai", "auth", "security", "performance", "backup"),
    "post": ("post", "db", "openai", "auth", "agent"),
    "all": tuple(name for name in LISTS if name not in BY_NAME),
}
NAMES: Final = tuple(dict.fromkeys((*LISTS, *PARTS)))
