from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lazulite.cli.program import run
from tests.client.fake import TOKEN, WORKSPACE, Fake, fake_server


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


Lazulite = Callable[..., Outcome]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """A server for the commands of this test, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAZULITE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAZULITE_SUBSCRIPTION", WORKSPACE.subscription)
    monkeypatch.setenv("LAZULITE_RESOURCE_GROUP", WORKSPACE.resource_group)
    monkeypatch.setenv("LAZULITE_WORKSPACE", WORKSPACE.name)
    monkeypatch.setenv("LAZULITE_TOKEN", TOKEN)
    with fake_server() as server:
        monkeypatch.setenv("LAZULITE_URL", server.url)
        yield server


@pytest.fixture
def lazulite(fake: Fake, capsys: pytest.CaptureFixture[str]) -> Lazulite:
    """Run a command in this process."""

    def call(*words: str) -> Outcome:
        capsys.readouterr()
        code = run(list(words))
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return call
