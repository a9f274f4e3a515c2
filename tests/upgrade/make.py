"""Write the database of this release as SQL: `python -m tests.upgrade.make 0.1.0`.

Run it once per release, before its tag; a dump is never made again, for it stands for the databases
that people have.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from tests.records import LATER, NOW, a_child, a_compute, a_datastore, a_job, a_workspace, an_asset

from lazulite.domain.asset import AssetKind, Stage
from lazulite.domain.job import JobError, JobKind, JobStatus, OutputValue
from lazulite.ports.store import Store, Tx
from lazulite.store.database import open_store


def fill(store: Store) -> None:
    """Store one of everything."""
    workspace = store.write(
        lambda tx: tx.workspaces.add(a_workspace("Main", "Team", tags={"a": "ö"}, body={"x": 1}))
    ).id
    store.write(lambda tx: _things(tx, workspace))
    store.write(lambda tx: _jobs(tx, workspace))


def _things(tx: Tx, workspace: int) -> None:
    tx.computes.put(workspace, a_compute("Cpu", slots=2, tags={"t": "1"}))
    tx.datastores.put(workspace, a_datastore("Blob", body={"n": 1}, secrets={"key": "value"}))
    for kind in AssetKind:
        tx.assets.add(workspace, an_asset("thing", "1", kind=kind, stage=Stage.ARCHIVED))
        tx.assets.add(workspace, an_asset("thing", "2", kind=kind, digest="d", body={"b": [1]}))


def _jobs(tx: Tx, workspace: int) -> None:
    kind, body = JobKind.PIPELINE, {"jobType": "Pipeline"}
    root = tx.jobs.add(a_job(workspace, "root", kind=kind, body=body), b'{"nodes":{}}')
    tx.jobs.add(a_job(workspace, "run", kind=JobKind.RUN, status=JobStatus.RUNNING), None)
    tx.executions.beat("engine", "host", NOW + timedelta(minutes=1))
    tx.executions.claim("engine", [root.id])
    children = [(a_child(root, node, name=f"root-{node}"), b"{}") for node in ("a", "b", "c")]
    done, failed, _ = tx.executions.spawn("engine", children)
    outputs = {"o": OutputValue(type="uri_folder", uri="azureml://datastores/Blob/paths/o")}
    change = {"status": JobStatus.COMPLETED, "fingerprint": "f", "outputs": outputs, "ended": LATER}
    error = JobError(code="UserError", message="it failed")
    tx.executions.advance(
        "engine", [(done.id, change), (failed.id, {"status": JobStatus.FAILED, "error": error})]
    )


def main(release: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lazulite.db"
        with closing(open_store(f"sqlite:///{path}")) as store:
            fill(store)
        with closing(sqlite3.connect(path)) as db:
            text = "\n".join(db.iterdump())
    (Path(__file__).parent / f"{release}.sql").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
