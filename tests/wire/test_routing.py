"""Paths to routes."""

from __future__ import annotations

import pytest

from lazulite.domain.errors import NotFound
from lazulite.wire.app import RouteTable
from lazulite.wire.http import Call, Reply, Route


def answer(_: Call) -> Reply:
    return Reply()


def table(*paths: str, method: str = "GET") -> RouteTable:
    return RouteTable(
        Route(method=method, path=path, action=None, endpoint=answer) for path in paths
    )


def test_variables_keep_their_case_and_literals_have_none() -> None:
    route, values = table("/Things/{name}/Parts").find("GET", "/tHINGS/Blue/parts")
    assert (route.path, values) == ("/Things/{name}/Parts", {"name": "Blue"})


def test_slashes_too_many_do_not_matter() -> None:
    assert table("/a/{x}").find("GET", "//a///b//")[1] == {"x": "b"}


def test_a_literal_is_tried_before_a_variable() -> None:
    found = table("/a/{x}", "/a/all")
    assert found.find("GET", "/a/all")[1] == {}
    assert found.find("GET", "/a/any")[1] == {"x": "any"}


def test_a_literal_that_leads_nowhere_falls_back_to_the_variable() -> None:
    assert table("/a/all/b", "/a/{x}/c").find("GET", "/a/all/c")[1] == {"x": "all"}


def test_a_variable_is_decoded_once_and_stays_one_segment() -> None:
    assert table("/a/{x}").find("GET", "/a/b%2Fc%2541")[1] == {"x": "b/c%41"}


def test_the_rest_of_a_path_is_one_variable() -> None:
    assert table("/f/{n}/{rest:path}").find("GET", "/f/1/a/b%20c")[1] == {
        "n": "1",
        "rest": "a/b c",
    }


def test_one_place_may_name_its_variable_differently_per_method() -> None:
    routes = RouteTable(
        [
            Route(method="GET", path="/a/{x}", action=None, endpoint=answer),
            Route(method="PUT", path="/a/{y}", action=None, endpoint=answer),
        ]
    )
    assert routes.find("PUT", "/a/1")[1] == {"y": "1"}


def test_another_method_is_said_to_be_wrong() -> None:
    with pytest.raises(NotFound, match="takes GET, not PUT"):
        table("/a").find("PUT", "/a")


@pytest.mark.parametrize("path", ["/", "/b", "/a/b/c", ""])
def test_a_path_nobody_has_is_not_found(path: str) -> None:
    with pytest.raises(NotFound, match="there is no GET"):
        table("/a/{x}").find("GET", path)


def test_two_routes_for_one_path_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two routes"):
        table("/a/{x}", "/A/{y}")
