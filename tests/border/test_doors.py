"""The list of doors is made from what the application has; what is not known is not passed over."""

import pytest
from fastapi import APIRouter

from emr.app import ROUTERS
from emr.border.doors import NOT_PLANTED, PUBLIC, Door, DoorUnknown, filled, operations, routes, searches
from emr.definitions.model import resource_types
from emr.fhir.operations import OPERATIONS

IDS = dict.fromkeys(("id", "patient", "encounter", "note", "binary", "document", "study", "series", "instance"), "x")


class TestRoutes:
    def test_every_route_can_be_tried(self) -> None:
        doors = routes(ROUTERS)
        assert len(doors) > 90
        for door in doors:
            assert door.knock("hoa-sen", IDS).path.startswith(("/h/hoa-sen/", "/ops/"))

    def test_the_departments_console_is_among_them(self) -> None:
        found = {door.path: door.kind for door in routes(ROUTERS) if door.path.startswith("/ops/")}
        assert found["/ops/"] == found["/ops/hospitals/{slug}/state"] == "console"
        assert found["/ops/api/hospitals/{slug}"] == "console-api"

    def test_one_with_a_part_that_nothing_is_known_for_is_refused(self) -> None:
        router = APIRouter(prefix="/h/{slug}")
        router.add_api_route("/wards/{ward}", lambda: None)
        (door,) = routes([router])
        with pytest.raises(DoorUnknown, match="ward"):
            door.knock("hoa-sen", IDS)

    def test_what_is_excepted_exists(self) -> None:
        paths = {door.path for door in routes(ROUTERS)}
        assert paths >= NOT_PLANTED
        assert PUBLIC & paths

    def test_what_is_sent_would_store_nothing(self) -> None:
        for door in routes(ROUTERS):
            knock = door.knock("hoa-sen", IDS)
            if knock.content is not None:
                assert b"borderLight" in knock.content or knock.content == b"x" or b'"op":"test"' in knock.content
            if door.method in ("PUT", "PATCH", "DELETE"):
                assert knock.headers["If-Match"] == 'W/"999999999"'
            assert not knock.form or knock.form == {"_count": "1"}


class TestOperations:
    def test_each_at_each_level(self) -> None:
        named = {door.path.rpartition("$")[2] for door in operations()}
        assert named == {each.name for each in OPERATIONS}


class TestSearches:
    def test_every_type_is_asked(self) -> None:
        assert {door.path.rpartition("/")[2] for door in searches()} == resource_types() - {"Parameters"} | {
            door.path.rpartition("/")[2] for door in searches()
        }
        assert len(searches()) > 1_400


class TestFilled:
    def test_all_parts(self) -> None:
        assert filled("/h/{slug}/patients/{patient}", "a", {"patient": "p"}) == "/h/a/patients/p"

    def test_a_door_says_its_name(self) -> None:
        assert Door("GET", "/h/{slug}/x", "a=b").name == "GET /h/{slug}/x?a=b"
