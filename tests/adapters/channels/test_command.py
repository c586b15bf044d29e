"""A program of the operator's own: what it is given, and how it ends."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stewardmon.channels.command import CommandChannel, CommandSettings
from stewardmon.errors import DeliveryError
from tests.support.notifications import PAGE, context
from tests.support.waiting import until


def channel(script: str, *arguments: str, **keys: Any) -> CommandChannel:
    command = [sys.executable, "-S", "-c", script, *arguments]
    return CommandChannel(CommandSettings.model_validate({"command": command, **keys}), context())


async def failure(sender: CommandChannel) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await sender.send(PAGE, to="dev-a")
    return caught.value


async def test_the_program_gets_json_its_arguments_and_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEWARDMON_TOKEN", "ours")
    script = (
        "import json, os, pathlib, sys\n"
        "found = {'in': json.load(sys.stdin), 'env': dict(os.environ), 'args': sys.argv[1:]}\n"
        "pathlib.Path(sys.argv[1]).write_text(json.dumps(found))\n"
        "print('ticket 17')\n"
    )
    out = tmp_path / "out; rm -rf $HOME"
    receipt = await channel(script, str(out), environment={"TOKEN": "t0ken"}).send(PAGE, to="dev-a")
    found = json.loads(out.read_text())
    assert receipt.text == "ticket 17"
    assert found["in"]["stewardmon"]["to"] == "dev-a"
    assert found["args"] == [str(out)]
    assert found["env"]["TOKEN"] == "t0ken"
    assert found["env"]["STEWARDMON_TO"] == "dev-a"
    assert "STEWARDMON_TOKEN" not in found["env"]


@pytest.mark.parametrize(("code", "temporary"), [(75, True), (1, False), (64, False), (127, False)])
async def test_the_exit_code_says_whether_to_try_again(code: int, temporary: bool) -> None:
    error = await failure(channel(f"import sys; print('no'); sys.exit({code})"))
    assert error.temporary is temporary
    assert str(error).endswith(f"ended with {code}: no")


async def test_a_program_that_a_signal_ends_has_failed() -> None:
    error = await failure(channel("import os; os.kill(os.getpid(), 9)"))
    assert not error.temporary
    assert str(error).endswith("ended with -9")


async def test_a_program_may_leave_its_input_unread() -> None:
    page = channel("import os; os.close(0)")
    assert (await page.send(PAGE, to="dev-a")).text.endswith("ended well")


async def test_what_hangs_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = (
        "import os, pathlib, signal, sys\n"
        "child = os.fork()\n"
        "if child:\n"
        "    pathlib.Path(sys.argv[1]).write_text(f'{os.getpid()} {child}')\n"
        "signal.pause()\n"
    )
    error = await failure(channel(script, str(pids), timeout="2s"))
    assert error.temporary
    assert "did not end within 2s and was stopped" in str(error)
    for pid in pids.read_text().split():
        until(partial(_over, int(pid)), what=f"process {pid} is gone", within=15)


def _over(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_a_program_that_is_not_there_or_not_executable_is_permanent(tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("words")
    plain.chmod(0o600)
    for command, said in ((tmp_path / "nowhere", "No such file"), (plain, "Permission denied")):
        settings = CommandSettings.model_validate({"command": [str(command)]})
        error = await failure(CommandChannel(settings, context()))
        assert not error.temporary
        assert said in str(error)


@pytest.mark.parametrize(
    "keys",
    [
        {"command": []},
        {"command": [""]},
        {"command": ["x", "a\0b"]},
        {"command": "rm -rf /"},
        {"command": ["x"], "environment": {"A=B": "c"}},
    ],
)
def test_a_bad_command_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"command|environment"):
        CommandSettings.model_validate(keys)
