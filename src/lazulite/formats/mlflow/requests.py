"""MLflow's requests, decoded straight into records. `strict=False`: numbers may come as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from lazulite.domain.errors import InvalidInput
from lazulite.domain.run import (
    MAX_INT,
    MAX_PARAM,
    MAX_TAG,
    Batch,
    ModelPoint,
    Point,
    View,
    check_batch,
    check_key,
    clean_value,
)

R = TypeVar("R", bound=Struct)

MAX_REQUEST = 1_000_000  # bytes of a log-batch, as in MLflow
Int = Annotated[int, Meta(ge=-MAX_INT - 1, le=MAX_INT)]
Time = Annotated[int, Meta(ge=0, le=MAX_INT)]  # milliseconds since 1970
_SEE = " See the API docs for more information about request parameters."
_MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `(.*)`)?")
_WRONG = re.compile(r"(Expected .*?|.*?)(?: - at `(.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_SHOWN = 300  # characters of a value in an error


class KeyValue(Struct):
    """A param or a tag."""

    key: str
    value: str = ""


class Metric(Struct):
    """A point as it is sent."""

    key: str
    value: float
    timestamp: Time
    step: Int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class CreateExperiment(Struct):
    """POST experiments/create."""

    name: str
    artifact_location: str | None = None
    tags: list[KeyValue] = []


class ExperimentId(Struct):
    """An experiment, by id."""

    experiment_id: str


class ExperimentName(Struct):
    """An experiment, by name."""

    experiment_name: str


class UpdateExperiment(Struct):
    """POST experiments/update."""

    experiment_id: str
    new_name: str


class ExperimentTag(Struct):
    """POST experiments/set-experiment-tag and delete-experiment-tag."""

    experiment_id: str
    key: str
    value: str = ""


class SearchExperiments(Struct):
    """POST experiments/search."""

    max_results: Int = 1000
    page_token: str | None = None
    filter: str | None = None
    order_by: list[str] = []
    view_type: View = View.ACTIVE


class CreateRun(Struct):
    """POST runs/create."""

    experiment_id: str | None = None
    user_id: str | None = None
    run_name: str | None = None
    start_time: Int | None = None
    tags: list[KeyValue] = []


class RunId(Struct):
    """A run; older clients say `run_uuid`, newer ones both."""

    run_id: str | None = None
    run_uuid: str | None = None

    @property
    def run(self) -> str:
        """The id of the run."""
        found = self.run_id or self.run_uuid
        if not found:
            raise missing("run_id")
        return found


class UpdateRun(RunId):
    """POST runs/update."""

    status: str | None = None
    end_time: Int | None = None
    run_name: str | None = None


class LogMetric(RunId, kw_only=True):
    """POST runs/log-metric."""

    key: str
    value: float
    timestamp: Time
    step: Int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class LogParam(RunId, kw_only=True):
    """POST runs/log-parameter, runs/set-tag and runs/delete-tag."""

    key: str
    value: str = ""


class LogBatch(RunId):
    """POST runs/log-batch."""

    metrics: list[Metric] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class SearchRuns(Struct):
    """POST runs/search."""

    experiment_ids: list[str] = []
    filter: str | None = None
    run_view_type: View = View.ACTIVE
    max_results: Int = 1000
    order_by: list[str] = []
    page_token: str | None = None


class History(RunId, kw_only=True):
    """GET metrics/get-history."""

    metric_key: str
    max_results: Int | None = None
    page_token: str | None = None


class Curve(Struct):
    """GET metrics/get-history-bulk and get-history-bulk-interval, beside the runs."""

    metric_key: str
    max_results: Int | None = None
    start_step: Int | None = None
    end_step: Int | None = None


class RunIdAndPath(RunId):
    """GET artifacts/list and artifacts/get."""

    path: str | None = None


class CreateUpload(Struct):
    """POST mpu/create; `part_size` and `sha256` are ours, for who wants to go on after a cut."""

    path: str
    num_parts: Int = 1
    part_size: Int | None = None  # bytes of each part but the last
    sha256: str | None = None  # of the whole, base64


class UploadPart(Struct):
    """A part that was sent."""

    part_number: Int
    etag: str = ""


class CompleteUpload(Struct):
    """POST mpu/complete."""

    path: str
    upload_id: str
    parts: list[UploadPart]


class AbortUpload(Struct):
    """POST mpu/abort."""

    path: str
    upload_id: str


def decode(body: bytes, kind: type[R]) -> R:
    """Read a request's body.

    Raises:
        InvalidInput: it is not JSON, or not such a request; with the words MLflow has for it.
    """
    try:
        return _filled(msgspec.json.decode(body or b"{}", type=kind, strict=False))
    except msgspec.ValidationError as error:
        raise explained(str(error), _loose(body)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the request body is not JSON: {error}") from None
    except RecursionError:
        raise InvalidInput("the request body is nested too deep") from None


def convert(query: dict[str, Any], kind: type[R]) -> R:
    """Read a request from a query string; as `decode`."""
    try:
        return _filled(msgspec.convert(query, kind, strict=False))
    except msgspec.ValidationError as error:
        raise explained(str(error), query) from None


def _filled(asked: R) -> R:
    """Refuse an empty text where one must be given, as MLflow does."""
    for name, said in _required(type(asked)):
        if getattr(asked, name) == "":
            raise missing(said)
    return asked


@cache
def _required(kind: type[Struct]) -> tuple[tuple[str, str], ...]:
    fields = [one for one in msgspec.structs.fields(kind) if one.required and one.type is str]
    return tuple((field.name, field.encode_name) for field in fields)


def _loose(body: bytes) -> Any:
    """Return what a body says, whatever it is; None if that cannot be told."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def explained(text: str, request: Any) -> InvalidInput:
    """Say in MLflow's words what msgspec found wrong with a request."""
    if found := _MISSING.fullmatch(text):
        place = (found[2] or "$").removeprefix("$").lstrip(".")
        return missing(f"{place}.{found[1]}" if place else found[1])
    wrong = _WRONG.fullmatch(text)
    why, place = (wrong[1], wrong[2] or "$") if wrong else (text, "$")
    name = place.removeprefix("$").lstrip(".") or "request"
    value = _value_at(request, place)
    if value is None and request is not None:
        return missing(name)
    shown = msgspec.json.encode(value)[:_SHOWN].decode(errors="ignore")
    return InvalidInput(
        f"Invalid value {shown} for parameter '{name}' supplied: {why}.{_SEE}", path=name
    )


def _value_at(request: Any, place: str) -> Any:
    """Return what stands at a place such as `$.metrics[0].value`; None if nothing does."""
    for name, index in _STEP.findall(place):
        if isinstance(request, dict):
            request = request.get(name)
        elif isinstance(request, list):
            request = request[int(index)]
    return request


def missing(name: str) -> InvalidInput:
    """Return the error for a field that is not there."""
    return InvalidInput(f"Missing value for required parameter '{name}'.{_SEE}", path=name)


def point_of(metric: Metric | LogMetric, path: str = "") -> Point:
    """Return a point that was checked."""
    key = check_key(metric.key, f"{path}name")
    return Point(key, clean_value(metric.value), metric.timestamp, metric.step)


def param_of(param: KeyValue | LogParam, path: str = "") -> tuple[str, str]:
    """Return a param that was checked; a long value is cut, as MLflow cuts it."""
    return check_key(param.key, f"{path}key"), param.value[:MAX_PARAM]


def tag_of(tag: KeyValue | LogParam, path: str = "") -> tuple[str, str]:
    """Return a tag that was checked; a long value is cut, as MLflow cuts it."""
    return check_key(tag.key, f"{path}key"), tag.value[:MAX_TAG]


def batch_of(asked: LogBatch) -> Batch:
    """Return a batch that was checked.

    Raises:
        InvalidInput: it is too large, or something in it is wrong.
    """
    checked: set[str] = set()  # most points of a batch share a few keys
    points = []
    for at, metric in enumerate(asked.metrics):
        if metric.key not in checked:
            check_key(metric.key, f"metrics[{at}].name")
            checked.add(metric.key)
        points.append(Point(metric.key, clean_value(metric.value), metric.timestamp, metric.step))
    batch = Batch(
        metrics=points,
        of_models=_of_models(asked.run, asked.metrics, points),
        params=[param_of(one, f"params[{i}].") for i, one in enumerate(asked.params)],
        tags=[tag_of(one, f"tags[{i}].") for i, one in enumerate(asked.tags)],
    )
    check_batch(batch)
    return batch


def single(asked: LogMetric) -> Batch:
    """Return the batch of one point."""
    points = [point_of(asked)]
    return Batch(metrics=points, of_models=_of_models(asked.run, [asked], points))


def _of_models(
    run: str, asked: Sequence[Metric | LogMetric], points: Sequence[Point]
) -> dict[str, list[ModelPoint]]:
    found: dict[str, list[ModelPoint]] = {}
    for metric, point in zip(asked, points, strict=True):
        if metric.model_id:
            of_model = ModelPoint(point, run, metric.dataset_name, metric.dataset_digest)
            found.setdefault(metric.model_id, []).append(of_model)
    return found


def limited(value: int | None, default: int, limit: int) -> int:
    """Return a `max_results` that is in its bounds.

    Raises:
        InvalidInput: it is not.
    """
    if value is None:
        return default
    if not 0 < value <= limit:
        raise InvalidInput(
            f"Invalid value {value} for parameter 'max_results' supplied. It must be a positive "
            f"integer and at most {limit}.",
            path="max_results",
        )
    return value
