"""One transaction: the resources of the database over one connection."""

from __future__ import annotations

from functools import cached_property

import sqlalchemy as sa

from lazulite.store.assets import SqlAssets
from lazulite.store.computes import SqlComputes
from lazulite.store.datastores import SqlDatastores
from lazulite.store.executions import SqlExecutions
from lazulite.store.experiments import SqlExperiments
from lazulite.store.jobs import SqlJobs
from lazulite.store.lineage import SqlLineage
from lazulite.store.metrics import SqlMetrics
from lazulite.store.models import SqlModels
from lazulite.store.registry import SqlRegistry
from lazulite.store.runs import SqlRuns
from lazulite.store.trace_assessments import SqlAssessments
from lazulite.store.trace_spans import SqlSpans
from lazulite.store.traces import SqlTraces
from lazulite.store.workspaces import SqlWorkspaces


class SqlTx:
    """`ports.store.Tx`; stateless, so that one serves every transaction of its connection."""

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    @cached_property
    def workspaces(self) -> SqlWorkspaces:
        """Workspaces."""
        return SqlWorkspaces(self._db)

    @cached_property
    def assets(self) -> SqlAssets:
        """Versions of assets."""
        return SqlAssets(self._db)

    @cached_property
    def computes(self) -> SqlComputes:
        """Computes."""
        return SqlComputes(self._db)

    @cached_property
    def datastores(self) -> SqlDatastores:
        """Datastores."""
        return SqlDatastores(self._db)

    @cached_property
    def jobs(self) -> SqlJobs:
        """Jobs, for clients."""
        return SqlJobs(self._db)

    @cached_property
    def executions(self) -> SqlExecutions:
        """Jobs, for the engine."""
        return SqlExecutions(self._db)

    @cached_property
    def experiments(self) -> SqlExperiments:
        """Experiments."""
        return SqlExperiments(self._db)

    @cached_property
    def runs(self) -> SqlRuns:
        """Jobs, for tracking."""
        return SqlRuns(self._db)

    @cached_property
    def metrics(self) -> SqlMetrics:
        """Points of metrics."""
        return SqlMetrics(self._db)

    @cached_property
    def models(self) -> SqlModels:
        """Logged models."""
        return SqlModels(self._db)

    @cached_property
    def lineage(self) -> SqlLineage:
        """What runs take in and give out."""
        return SqlLineage(self._db)

    @cached_property
    def registry(self) -> SqlRegistry:
        """Names of the registry."""
        return SqlRegistry(self._db)

    @cached_property
    def traces(self) -> SqlTraces:
        """Traces."""
        return SqlTraces(self._db)

    @cached_property
    def spans(self) -> SqlSpans:
        """Spans of traces."""
        return SqlSpans(self._db)

    @cached_property
    def assessments(self) -> SqlAssessments:
        """What was said of traces."""
        return SqlAssessments(self._db)
