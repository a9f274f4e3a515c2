"""Use cases of what runs take in and give out."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lazulite.domain.access import Principal
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.run import Dataset, DatasetSummary
from lazulite.ports.store import Tx
from lazulite.services import tracking
from lazulite.services.context import Services
from lazulite.services.experiments import rows_of


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Data and logged models that a run takes in; with `output`, models that it gives out."""

    datasets: list[Dataset] = []
    models: dict[str, int] = {}  # id to step
    output: bool = False


MOST = 1000  # summaries, as in MLflow


def datasets(
    services: Services, ids: WorkspaceId, experiments: Sequence[str]
) -> list[DatasetSummary]:
    """Return the data that runs of experiments took in, each once per context.

    Raises:
        InvalidInput: that is no id of an experiment.
    """

    def work(tx: Tx) -> list[DatasetSummary]:
        workspace = tx.workspaces.get(ids).id
        rows = rows_of(tx, workspace, experiments)
        return tx.lineage.summaries(workspace, rows, MOST)

    return services.store.read(work)


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
