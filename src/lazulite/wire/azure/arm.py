"""What is common to Azure Resource Manager: the scope, paging, operations done at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from lazulite.domain.access import Action
from lazulite.domain.asset import Stage
from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import PROVIDER
from lazulite.ports.store import Listed, Page
from lazulite.wire.http import Call, Reply, Route

Item = TypeVar("Item")

SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = SUBSCRIPTION + "/resourceGroups/{group}"
SCOPE = GROUP + f"/providers/{PROVIDER}/workspaces/{{workspace}}"
LOCATIONS = SUBSCRIPTION + f"/providers/{PROVIDER}/locations/{{location}}"

MAX_PAGE = 1000  # items
_VIEWS: dict[str, tuple[Stage, ...]] = {
    "activeonly": (Stage.ACTIVE,),
    "archivedonly": (Stage.ARCHIVED,),
    "all": (Stage.ACTIVE, Stage.ARCHIVED),
}


def page_of(call: Call) -> Page:
    """Read which page is asked for: `$top` and `$skipToken`.

    Raises:
        InvalidInput: `$top` is not a whole number above 0.
    """
    lower = {key.lower(): value for key, value in call.query.items()}
    top = lower.get("$top") or lower.get("count") or "100"
    if not (top.isascii() and top.isdigit() and len(top) < 10 and int(top) > 0):
        raise InvalidInput(f"$top={top[:20]!r} is not a whole number above 0", path="$top")
    after = lower.get("$skiptoken") or lower.get("$skip") or None
    return Page(limit=min(int(top), MAX_PAGE), after=after)


def stages_of(call: Call) -> tuple[Stage, ...]:
    """Read which of active and archived a list shows.

    Raises:
        InvalidInput: `listViewType` is an unknown word.
    """
    view = call.query.get("listViewType", "ActiveOnly")
    if view.lower() not in _VIEWS:
        raise InvalidInput(
            f"listViewType={view[:40]!r} is unknown: use ActiveOnly, ArchivedOnly or All",
            path="listViewType",
        )
    return _VIEWS[view.lower()]


def listing(call: Call, page: Listed[Item], encode: Callable[[Item], dict[str, Any]]) -> Reply:
    """Answer with one page, and the link to the next if there is one."""
    body: dict[str, Any] = {"value": [encode(item) for item in page.items]}
    if page.next is not None:
        kept = {k: v for k, v in call.query.items() if k.lower() not in ("$skiptoken", "$skip")}
        query = urlencode({**kept, "$skipToken": page.next})
        body["nextLink"] = f"{call.base}{quote(call.path)}?{query}"
    return Reply(body=body)


def done(call: Call, body: Any = None, *, status: int = 200) -> Reply:
    """Answer a call that Azure treats as long: it is done, and the headers say where to ask."""
    url = f"{call.base}{quote(call.here.arm)}/operationStatuses/done?api-version=2024-10-01"
    headers = {
        "Azure-AsyncOperation": url,
        "Location": url.replace("operationStatuses", "operationResults"),
        "x-ms-retry-after-ms": "10",  # without it the SDK waits for half a minute
    }
    return Reply(body=body, status=status, headers=headers)


def created(body: Any, *, new: bool) -> Reply:
    """Answer a PUT that is no long operation: 201 for what is new, else 200."""
    return Reply(body=body, status=201 if new else 200)


def deleted(*, found: bool) -> Reply:
    """Answer a DELETE of something small."""
    return Reply(status=200 if found else 204)


def operation_status(call: Call) -> Reply:
    """Say of any operation that it is done."""
    return Reply(
        body={
            "id": call.path,
            "name": call.params["operation"],
            "status": "Succeeded",
            "percentComplete": 100,
        }
    )


def operation_result(_: Call) -> Reply:
    """Answer the second way to ask for an operation; no operation here has a result of its own."""
    return Reply(status=200)


def routes() -> list[Route]:
    """Return the routes of operations."""
    return [
        Route(
            method="GET",
            path=SCOPE + "/operationStatuses/{operation}",
            action=Action.READ,
            endpoint=operation_status,
        ),
        Route(
            method="GET",
            path=SCOPE + "/operationResults/{operation}",
            action=Action.READ,
            endpoint=operation_result,
        ),
    ]
