"""What a purge asks the store, on both databases."""

from __future__ import annotations

from tests.records import NOW, a_job, an_asset

from lazulite.domain.asset import AssetKind
from lazulite.domain.model import LoggedModel
from lazulite.ports.store import Store


def test_models_are_found_by_the_runs_that_logged_them(store: Store, workspace: int) -> None:
    experiment = store.write(lambda tx: tx.experiments.ensure(workspace, "e", NOW)).id
    for name, run in (("m-1", "a"), ("m-2", "b"), ("m-3", "a"), ("m-4", None)):
        model = LoggedModel(
            workspace=workspace,
            experiment=experiment,
            model=name,
            name=name,
            source_run=run,
            created_at=NOW,
            modified_at=NOW,
        )
        store.write(lambda tx, model=model: tx.models.add(model))

    def names(*runs: str) -> list[str]:
        found = store.read(lambda tx: tx.models.made_by(workspace, runs))
        return sorted(model.model for model in found)

    assert (names("a", "none"), names()) == (["m-1", "m-3"], [])
    assert store.read(lambda tx: tx.models.ids(workspace)) == {"m-1", "m-2", "m-3", "m-4"}
    assert store.read(lambda tx: tx.models.ids(workspace + 1)) == set()


def test_code_is_found_in_versions_and_in_what_jobs_run(store: Store, workspace: int) -> None:
    one, two, three, four = (pair * 32 for pair in ("a1", "b2", "c3", "d4"))
    code = an_asset("c", kind=AssetKind.CODE, body={"codeUri": f"x://{one}"}, digest=two)
    data = an_asset("d", body={"uri": four})
    for asset in (code, data):
        store.write(lambda tx, asset=asset: tx.assets.add(workspace, asset))
    nested = f'{{"nodes":[{{"snapshot":"{three}"}},{{"other":"{three}f"}}]}}'.encode()
    store.write(lambda tx: tx.jobs.add(a_job(workspace), nested))
    store.write(lambda tx: tx.jobs.add(a_job(workspace), None))
    assert store.read(lambda tx: tx.assets.snapshots()) == {one, two, three}
