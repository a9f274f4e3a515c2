"""The one table of who may do what."""

from __future__ import annotations

import pytest

from lazulite.domain.access import OWNER, Action, Principal, Role, authorize
from lazulite.domain.errors import Denied

JOB = Principal(name="j", role=Role.JOB, workspace="s/g/w", run="j")


@pytest.mark.parametrize("action", list(Action))
def test_the_owner_may_do_all_everywhere(action: Action) -> None:
    authorize(OWNER, action, "s/g/w")
    authorize(OWNER, action, None)


@pytest.mark.parametrize("action", [Action.READ, Action.WRITE, Action.RUN])
def test_a_job_may_work_in_its_workspace_only(action: Action) -> None:
    authorize(JOB, action, "s/g/w")
    with pytest.raises(Denied, match="another workspace"):
        authorize(JOB, action, "s/g/other")
    with pytest.raises(Denied, match="another workspace"):
        authorize(JOB, action, None)


@pytest.mark.parametrize("action", [Action.SECRETS, Action.ADMIN])
def test_a_job_may_not_see_secrets_or_rule(action: Action) -> None:
    with pytest.raises(Denied, match=f"job 'j' may not {action}"):
        authorize(JOB, action, "s/g/w")
