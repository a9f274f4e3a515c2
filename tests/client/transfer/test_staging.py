"""What a hostile name can do to the folder that an export writes: nothing outside of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lazulite.client.session import Session
from lazulite.client.transfer.ends import export_to
from lazulite.client.transfer.move import Wanted
from lazulite.client.transfer.staging import file_of
from tests.wire.live import SCOPE, Live

CLIMBS = ["../../../evil", "/etc/evil", "a/../../../b", "..", ".", "a\0b", "k" * 5000, "ö" * 200]
PATHS = "azureml://datastores/workspaceblobstore/paths/x"


@pytest.mark.parametrize("key", CLIMBS)
def test_a_key_that_leads_out_becomes_one_that_does_not(tmp_path: Path, key: str) -> None:
    inside = tmp_path / "tags"
    inside.mkdir()
    path = inside / file_of(key)
    path.write_text("v")
    assert path.resolve().parent == inside.resolve()


@pytest.mark.parametrize("key", ["mlflow.note.content", "a/b", "größe", "two words"])
def test_a_key_that_mlflow_could_have_written_stays(key: str) -> None:
    assert file_of(key) == key


def test_tags_of_azure_write_nothing_outside_an_export(
    session: Session, live: Live, tmp_path: Path
) -> None:
    tags = dict.fromkeys(CLIMBS, "evil")
    body: dict[str, Any] = {"properties": {"modelUri": PATHS, "tags": tags}}
    assert live.put(f"{SCOPE}/models/az/versions/1?api-version=2024-04-01", body).status == 201
    live.running("tagged", tags={key: "evil" for key in CLIMBS if "\0" not in key})
    out = tmp_path / "a" / "b" / "c" / "out"
    before = set(tmp_path.rglob("*"))
    for _ in range(2):  # the second goes on with what is there
        export_to(session, str(out), Wanted(), lambda _: None)
    made = set(tmp_path.rglob("*")) - before - set(out.parents)
    outside = [one for one in made if not one.is_relative_to(out)]
    assert [one for one in outside if "evil" in one.name or one.name == "b"] == []
    assert "evil" in {one.read_text() for one in out.rglob("*") if one.is_file()}
