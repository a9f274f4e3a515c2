"""What runs of experiments took in, in summary, on both databases."""

from __future__ import annotations

from tests.records import a_job

from lazulite.domain.job import JobKind, JobStatus
from lazulite.domain.run import Dataset, DatasetSummary
from lazulite.ports.store import Store


def used(store: Store, workspace: int, run: str, context: str | None) -> int:
    """Log the use of one dataset and return the experiment of the run."""
    job = a_job(workspace, run, kind=JobKind.RUN, status=JobStatus.RUNNING)
    head = store.write(lambda tx: tx.runs.start(job, None))
    tags = {} if context is None else {"mlflow.data.context": context}
    data = Dataset(name="d", digest="1", tags=tags)
    store.write(lambda tx: tx.lineage.add_datasets(head.id, head.experiment, [data]))
    return head.experiment


def summaries(store: Store, workspace: int, experiment: int, limit: int = 9) -> list[str | None]:
    found = store.read(lambda tx: tx.lineage.summaries(workspace, [experiment], limit))
    assert all(one == DatasetSummary(experiment, "d", "1", one.context) for one in found)
    return [one.context for one in found]


def test_data_is_listed_once_per_context(store: Store, workspace: int) -> None:
    contexts = ["eval", "train", "train"]
    [experiment] = {used(store, workspace, f"r{k}", one) for k, one in enumerate(contexts)}
    assert summaries(store, workspace, experiment) == ["eval", "train"]
    assert summaries(store, workspace, experiment, limit=1) == ["eval"]


def test_data_of_another_workspace_is_not_listed(store: Store, workspace: int) -> None:
    experiment = used(store, workspace, "r", None)
    assert summaries(store, workspace, experiment) == [None]
    assert summaries(store, workspace + 1, experiment) == []


def test_a_dataset_whose_name_has_a_nul_is_kept_without_it(store: Store, workspace: int) -> None:
    job = a_job(workspace, "nul", kind=JobKind.RUN, experiment="e")
    head = store.write(lambda tx: tx.runs.start(job, None))
    data = Dataset(name="a\0b", digest="c\0d", body={}, tags={})
    store.write(lambda tx: tx.lineage.add_datasets(head.id, head.experiment, [data]))
    [found] = store.read(lambda tx: tx.runs.get(workspace, "nul")).datasets
    assert (found.name, found.digest) == ("a\ufffdb", "c\ufffdd")
