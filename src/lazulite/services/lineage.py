"""Use cases of what runs take in and give out."""

from __future__ import annotations

import msgspec

from lazulite.domain.access import Principal
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.run import Dataset
from lazulite.ports.store import Tx
from lazulite.services import tracking
from lazulite.services.context import Services


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Data and logged models that a run takes in; with `output`, models that it gives out."""

    datasets: list[Dataset] = []
    models: dict[str, int] = {}  # id to step
    output: bool = False


def log(services: Services, ids: WorkspaceId, run: str, taken: Taken, principal: Principal) -> None:
    """Keep what a run takes in or gives out.

    Raises:
        NotFound: there is no such run or model.
        InvalidInput: the run is deleted.
    """

    def work(tx: Tx) -> None:
        workspace = tx.workspaces.get(ids).id
        found = tracking.require_writable(tx, workspace, run, principal)
        rows = {tx.models.get(workspace, one).id: step for one, step in taken.models.items()}
        tx.lineage.add_datasets(found.id, found.experiment, taken.datasets)
        tx.lineage.add_models(found.id, rows, output=taken.output)

    services.store.write(work)
