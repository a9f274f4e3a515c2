"""Our own routes for runs: empty the bin, summaries, import; MLflow's API has none of them."""

from __future__ import annotations

from lazulite.domain.access import Action
from lazulite.formats.azure.envelope import convert
from lazulite.services import curves, purge
from lazulite.wire import own_imports
from lazulite.wire.azure.arm import SCOPE
from lazulite.wire.http import Call, Reply, Route
from lazulite.wire.own import PREFIX


def empty_bin(call: Call) -> Reply:
    """Delete for good, or say what would go: `dryRun`, and `before` in milliseconds since 1970.

    What nothing uses any more goes first, so that a dry run and the act after it say the same.
    """
    body = call.json()
    now = int(call.services.clock.now().timestamp() * 1000)
    before = convert(body.get("before", now), int, "before")
    dry = convert(body.get("dryRun", True), bool, "dryRun")
    swept = purge.sweep(call.services, call.here, dry=dry)
    found = purge.purge(call.services, call.here, before, dry=dry)
    return Reply(body={"value": found, "swept": swept})


def summaries(call: Call) -> Reply:
    """Say last, least, most and first value of metrics, which MLflow's API cannot."""
    body = call.json()
    runs = convert(body.get("runs"), list[str], "runs")
    keys = None if body.get("keys") is None else convert(body["keys"], list[str], "keys")
    told: dict[str, dict[str, dict[str, float | None]]] = {run: {} for run in runs}
    for run, key, summary in curves.summaries(call.services, call.here, runs, keys):
        told[run][key] = summary._asdict()
    return Reply(body={"runs": told})


def run_routes() -> list[Route]:
    """Return the routes for runs."""
    path = f"{PREFIX}{SCOPE}/runs/purge"
    bin_of_runs = Route(method="POST", path=path, action=Action.ADMIN, endpoint=empty_bin)
    known = Route(
        method="POST",
        path=f"{PREFIX}{SCOPE}/runs/summaries",
        action=Action.READ,
        endpoint=summaries,
    )
    return [bin_of_runs, known, *own_imports.routes()]
