"""The files read by a process of its own, which ends: what reading takes is then held by nobody.

pydantic, YAML and all that words a mistake are 10 MB (measured), and a daemon that runs for a year
needs them once. At the start that process is a fork, while nothing has threads or connections yet:
it has loaded already what both need. Later it is a new one, and a reload takes no turn from probes
and pages.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from stewardmon.config.values import Config
from stewardmon.errors import ConfigError, Mistake, StewardmonError

PATIENCE: Final = 120.0  # seconds; 10,000 probes take five
_MARK: Final = b"\0the answer\0"  # before it stands what a start may have printed
_COMMAND: Final = (
    sys.executable,
    "-P",
    "-c",
    "from stewardmon.config.apart import main; main()",
)


@dataclass(frozen=True, slots=True)
class _Told:
    """What the other process found: a configuration, mistakes, or why there is neither."""

    config: Config | None = None
    mistakes: tuple[Mistake, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading under way, by the process `pid`; `wait` returns how it ended."""

    pid: int
    answer: IO[bytes]
    wait: Callable[[], int]

    def result(self) -> Config:
        """Return the configuration. Raises ConfigError with everything, as config.loading does.

        Raises StewardmonError where the other process came to another end.
        """
        late = threading.Event()
        watchdog = threading.Timer(PATIENCE, self._give_up, (late,))
        watchdog.start()
        try:
            with self.answer:
                _, mark, told = self.answer.read().partition(_MARK)
        finally:
            watchdog.cancel()
        found = cast(_Told, pickle.loads(told)) if mark else None  # noqa: S301 - of our own
        ended = self.wait()
        if late.is_set():
            raise StewardmonError(
                f"the configuration was not read within {PATIENCE:g} s: does it name a pipe, or a "
                "file on a disk that hangs?"
            )
        if found is None:
            raise StewardmonError(
                f"the process that reads the configuration ended with {ended} and said nothing"
            )
        if found.config is not None:
            return found.config
        if found.mistakes:
            raise ConfigError(found.mistakes)
        raise StewardmonError(found.error)

    def _give_up(self, late: threading.Event) -> None:
        late.set()
        os.kill(self.pid, signal.SIGKILL)  # waited for by nobody yet, so the number is its own


def loader(folder: Path | None, environ: Mapping[str, str]) -> Callable[[], Config]:
    """Return what reads the folder whenever it is called; a first reading begins at once."""
    begun = [fork(folder, environ)]

    def load() -> Config:
        reading = begun.pop() if begun else spawn(folder, environ)
        return reading.result()

    return load


def fork(folder: Path | None, environ: Mapping[str, str]) -> Reading:
    """Have a copy of this process read: at the start, while it has one thread and no loop."""
    answer, answering = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        raise _not_started(error) from None
    if pid == 0:
        try:
            os.setsid()  # an interrupt is the daemon's to deal with
            os.close(answer)
            _answer(answering, folder, environ)
            os._exit(0)
        finally:  # whatever is wrong, this is not the daemon
            traceback.print_exc()
            os._exit(1)
    os.close(answering)
    return Reading(
        pid=pid,
        answer=os.fdopen(answer, "rb"),
        wait=lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]),
    )


def spawn(folder: Path | None, environ: Mapping[str, str]) -> Reading:
    """Have a new process read: at any time."""
    # Where this process finds its modules the other one finds them, wherever it was started.
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    try:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
    except OSError as error:
        raise _not_started(error) from None
    with suppress(BrokenPipeError), cast(IO[bytes], process.stdin) as question:
        question.write(pickle.dumps((folder, dict(environ))))
    return Reading(pid=process.pid, answer=cast(IO[bytes], process.stdout), wait=process.wait)


def _not_started(error: OSError) -> StewardmonError:
    return StewardmonError(
        f"the process that reads the configuration cannot be started: {error.strerror or error}"
    )


def main() -> None:
    """Read what standard input asks for, and write what came of it to standard output."""
    gc.disable()  # all that is made is kept to the end, which is near
    answering = os.dup(1)
    os.dup2(2, 1)  # what a module prints must not stand among the answer's bytes
    folder, environ = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our own
    _answer(answering, folder, environ)
    os._exit(0)  # to take apart what was loaded would take longer than to read


def _answer(answering: int, folder: Path | None, environ: Mapping[str, str]) -> None:
    # Where memory runs out, the daemon is the one that stays.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    from stewardmon.config.loading import load  # noqa: PLC0415 - only in that process

    try:
        told = _Told(config=load(folder, environ))
    except ConfigError as error:
        told = _Told(mistakes=error.mistakes)
    except StewardmonError as error:
        told = _Told(error=str(error))
    # Where the pipe is broken the start has failed, and nobody waits.
    with suppress(BrokenPipeError), os.fdopen(answering, "wb") as pipe:
        pipe.write(_MARK + pickle.dumps(told, pickle.HIGHEST_PROTOCOL))
