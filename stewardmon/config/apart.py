"""The files read by a process of its own, which ends: what reading takes is then held by nobody.

pydantic, YAML and all that words a mistake are 12 MB (measured), and a daemon that runs for a year
needs them once. The start goes on meanwhile, and a reload takes no turn from probes and pages.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from stewardmon.config.values import Config
from stewardmon.errors import ConfigError, Mistake, StewardmonError

_MARK: Final = b"\0the answer\0"  # before it stands what a start may have printed
PATIENCE: Final = 120.0  # seconds; 10,000 probes take five
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


class Reading:
    """A reading under way; `result` waits for its end."""

    def __init__(self, folder: Path | None, environ: Mapping[str, str]) -> None:
        asked = pickle.dumps((folder, dict(environ)))
        # Where this process finds its modules the other one finds them, wherever it was started.
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # an interrupt is ours to deal with
            )
        except OSError as error:
            raise StewardmonError(
                "the process that reads the configuration cannot be started: "
                f"{error.strerror or error}"
            ) from None
        stdin, self._process.stdin = self._process.stdin, None
        with suppress(BrokenPipeError), cast(IO[bytes], stdin) as question:
            question.write(asked)

    @property
    def pid(self) -> int:
        """Return which process reads."""
        return self._process.pid

    def result(self) -> Config:
        """Return the configuration. Raises ConfigError with everything, as config.loading does.

        Raises StewardmonError where the other process came to another end.
        """
        try:
            answer, _ = self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise StewardmonError(
                f"the configuration was not read within {PATIENCE:g} s: does it name a pipe, or a "
                "file on a disk that hangs?"
            ) from None
        finally:
            self._end()
        if self._process.returncode != 0:
            raise StewardmonError(
                "the process that reads the configuration ended with "
                f"{self._process.returncode} and said nothing"
            )
        told = cast(_Told, pickle.loads(answer.partition(_MARK)[2]))  # noqa: S301 - of our own
        if told.config is not None:
            return told.config
        if told.mistakes:
            raise ConfigError(told.mistakes)
        raise StewardmonError(told.error)

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def loader(folder: Path | None, environ: Mapping[str, str]) -> Callable[[], Config]:
    """Return what reads the folder each time it is called; the first reading begins at once."""
    begun = [Reading(folder, environ)]

    def load() -> Config:
        reading = begun.pop() if begun else Reading(folder, environ)
        return reading.result()

    return load


def main() -> None:
    """Read what standard input asks for, and write what came of it to standard output."""
    # What a module prints must not stand among the answer's bytes.
    answering = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    folder, environ = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our own
    with suppress(BrokenPipeError), answering:  # nobody waits any more: the start has failed
        answering.write(_MARK + pickle.dumps(_read(folder, environ), pickle.HIGHEST_PROTOCOL))


def _read(folder: Path | None, environ: Mapping[str, str]) -> _Told:
    from stewardmon.config.loading import load  # noqa: PLC0415 - only in this process

    try:
        return _Told(config=load(folder, environ))
    except ConfigError as error:
        return _Told(mistakes=error.mistakes)
    except StewardmonError as error:
        return _Told(error=str(error))
