"""A run over many hospitals: several at a time, cut off anywhere, with what it needs away for a while."""

import json
import os
import signal
import threading
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from emr.db.migrate import owner_engine
from emr.fleet.applying import Manner, apply
from emr.fleet.differences import OBJECTS_READY, plan
from emr.fleet.files import read_hospitals
from emr.fleet.onboarding import make_hospital
from emr.fleet.organizations import organizations_of
from emr.kernel.errors import Unavailable
from emr.settings import Identity, Settings, Storage
from emr.storage.s3 import S3Client
from emr.tenancy.definition import HospitalFile
from emr.work.faults import POINT
from tests.fhir.samples import mark
from tests.fleet.test_onboarding import nobody
from tests.fleet.world import Folder
from tests.forks import forked
from tests.house import House, facility_code
from tests.servers.minio import minio_server
from tests.servers.ports import free_port

POINTS = (
    "apply-row-written", "apply-role-made", "apply-tables-made", "apply-tables-committed", "apply-objects-tried",
    "apply-objects-noted",
)  # fmt: skip
"""Three inside the transaction that makes a hospital; those at the provider are tried with a real Keycloak."""


class ProviderDown(Unavailable):
    def __init__(self) -> None:
        super().__init__("identity-admin-unavailable", "The identity provider's admin interface does not answer.")


def organization(hospital: HospitalFile, known: str | None) -> str | None:
    return known or f"org-{hospital.slug}"


def new(folder: Folder, number: int = 1) -> list[str]:
    made = [f"run-{mark()[:8]}" for _ in range(number)]
    for slug in made:
        folder.write(slug, code=facility_code(slug))
    return made


def left(folder: Folder, slugs: Sequence[str]) -> list[tuple[str, str]]:
    return [(each.slug, each.kind) for each in plan(folder.settings) if each.slug in slugs]


def standing(house: House, slug: str) -> dict[str, Any]:
    """A hospital as it stands, in the words that are the same for each."""
    [(tenant_id, schema, *row)] = house.sql(
        "SELECT id, schema, state, definition - 'slug' - 'identity' - 'facility_code', organization_id = 'org-' || slug,"
        " managed_by, revision FROM directory.tenants WHERE slug = %s", slug,
    )  # fmt: skip
    grants = (
        "SELECT c.relname, replace(g.rolname, %s, '') AS who, a.privilege_type FROM pg_class c"
        " CROSS JOIN LATERAL aclexplode(c.relacl) a JOIN pg_roles g ON g.oid = a.grantee"
        " WHERE c.relnamespace = %s::regnamespace ORDER BY 1, 2, 3"
    )
    return {
        "row": row,
        "keys": house.sql("SELECT count(*) FROM directory.keys WHERE tenant_id = %s", tenant_id),
        "events": house.sql("SELECT event FROM directory.tenant_events WHERE tenant_id = %s ORDER BY number", tenant_id),
        "tables": house.sql("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", schema),
        "grants": house.sql(grants, schema, schema),
        "members": house.sql(
            "SELECT r.rolname LIKE 't%%', m.rolname LIKE 't%%' FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid"
            " JOIN pg_roles m ON m.oid = a.member WHERE %s IN (r.rolname, m.rolname) ORDER BY 1, 2", schema,
        ),
    }  # fmt: skip


def apply_in_a_process(settings: Settings, kill_at: str) -> None:
    """Applies, and ends itself at the named point."""
    os.environ[POINT] = kill_at
    apply(settings, nobody)


class TestKilled:
    def test_at_each_step_it_is_gone_on_with_by_the_next_run(self, folder: Folder) -> None:
        """The same end as a hospital has that nothing happened to."""
        [whole] = new(folder)
        assert [each.error for each in apply(folder.settings, nobody) if each.slug == whole] == [None]
        expected = standing(folder.house, whole)
        roles = folder.house.sql("SELECT count(*) FROM pg_roles")[0][0]
        [cut] = new(folder)
        for point in POINTS:
            process = forked(apply_in_a_process, folder.settings, point)
            process.join(60)
            assert process.exitcode == -signal.SIGKILL, f"{point}: ended with {process.exitcode}"
        apply(folder.settings, nobody)
        assert left(folder, [cut]) == []
        assert standing(folder.house, cut) == expected
        assert folder.house.sql("SELECT count(*) FROM pg_roles")[0][0] == roles + 2


class TestSeveral:
    def test_go_side_by_side_and_each_is_told_of(self, folder: Folder) -> None:
        slugs = new(folder, 6)
        told: list[str] = []
        totals: list[int] = []
        outcomes = apply(
            folder.settings, nobody, Manner(3, lambda each: told.append(each[0].slug), totals.append)
        )  # fmt: skip
        assert {each.slug: each.error for each in outcomes if each.slug in slugs} == dict.fromkeys(slugs)
        assert set(told) >= set(slugs)
        assert totals == [len(told)]
        first, *others = (standing(folder.house, slug) for slug in slugs)
        assert others == [first] * 5

    def test_one_that_fails_stops_none_of_the_others(self, folder: Folder) -> None:
        good, bad, better = new(folder, 3)

        def some(hospital: HospitalFile, known: str | None) -> str | None:
            if hospital.slug == bad:
                raise ProviderDown
            return known

        outcomes = {each.slug: each for each in apply(folder.settings, some) if each.slug in (good, bad, better)}
        assert (outcomes[good].error, outcomes[better].error) == (None, None)
        assert str(outcomes[bad].error).startswith("organization: ")


class TestHeldUp:
    def test_two_are_made_beside_each_other(self, folder: Folder) -> None:
        """Whoever is in the middle of making one keeps nobody else waiting."""
        first, second = new(folder, 2)
        by_slug = {each.slug: each for each in read_hospitals(folder.path)}
        settings = folder.settings

        def reached(point: str) -> None:
            if point == "apply-role-made":
                with owner_engine(settings.database.owner_url).begin() as beside:
                    make_hospital(beside, settings, by_slug[second])

        with owner_engine(settings.database.owner_url).begin() as connection:
            make_hospital(connection, settings, by_slug[first], reached=reached)
        assert {each.kind for each in plan(settings) if each.slug in (first, second)} == {"objects"}

    def test_a_step_that_a_lock_was_in_the_way_of_is_tried_again(self, folder: Folder) -> None:
        [slug] = new(folder)
        name = f"emr tenants apply:{slug}"
        with psycopg.connect(folder.settings.database.owner_url, autocommit=True) as other:
            other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (name,))
            release = threading.Timer(
                4.5, lambda: other.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (name,))
            )
            release.start()
            [outcome] = [each for each in apply(folder.settings, nobody) if each.slug == slug]
            release.join()
        assert (outcome.kind, outcome.error) == ("create", None)
        assert outcome.seconds > 4


class TestProviderDown:
    def test_the_step_the_hospital_and_what_to_do_are_named_and_the_rest_goes_on(self, folder: Folder) -> None:
        slugs = new(folder, 2)
        down = Identity(admin_url=f"http://127.0.0.1:{free_port()}", admin_client_secret=SecretStr("x"))
        settings = folder.settings.model_copy(update={"identity": down})
        outcomes = [each for each in apply(settings, organizations_of(settings)) if each.slug in {*slugs, "*"}]
        assert {each.slug for each in outcomes} == {*slugs, "*"}
        for each in outcomes:
            assert "does not answer" in str(each.error) or "did not answer" in str(each.error)
        for each in outcomes[:2]:
            assert str(each.error).startswith("organization: ")
            assert "see to the identity provider, then run emr tenants apply again" in each.after
        for slug in slugs:
            assert (OBJECTS_READY,) in standing(folder.house, slug)["events"]
        assert [each.error for each in apply(folder.settings, organization) if each.slug in slugs] == []

    def test_one_that_is_silent_is_not_asked_for_every_hospital(self, folder: Folder) -> None:
        slugs, asked = new(folder, 6), list[str]()

        def silent(hospital: HospitalFile, known: str | None) -> str | None:
            del known
            asked.append(hospital.slug)
            raise ProviderDown

        errors = [each.error for each in apply(folder.settings, silent, Manner(1)) if each.slug in slugs]
        assert len(asked) == 3
        assert sum("not asked again" in str(error) for error in errors) == 3


@pytest.mark.server
class TestStoreDown:
    def test_the_rest_goes_on_and_the_next_run_does_it(
        self, folder: Folder, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        [slug] = new(folder)
        with minio_server(tmp_path_factory.mktemp("minio")) as server:
            settings = folder.settings.model_copy(
                update={"storage": Storage(
                    endpoint=server.host, secure=False, bucket="emr-onboarding", access_key=server.user,
                    secret_key=SecretStr(server.password),
                )}
            )  # fmt: skip
            server.stop()
            [outcome] = [each for each in apply(settings, organization) if each.slug == slug]
            assert str(outcome.error).startswith("objects: The object store does not answer")
            assert "see to the object store, then run emr tenants apply again" in outcome.after
            assert left(folder, [slug]) == [(slug, "objects")]
            server.start()
            [outcome] = [each for each in apply(settings, organization) if each.slug == slug]
            assert (outcome.kind, outcome.error) == ("objects", None)
            assert left(folder, [slug]) == []
            client = server.address("emr-onboarding")
            assert objects_in(client) == []
            open_to_strangers(client)
            [other] = new(folder)
            [outcome] = [each for each in apply(settings, organization) if each.slug == other]
            assert "lets strangers in" in str(outcome.error)


def objects_in(address: Any) -> list[str]:
    minio = S3Client(address).minio
    return [str(each.object_name) for each in minio.list_objects(address.bucket, recursive=True)]


def open_to_strangers(address: Any) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"],
             "Resource": [f"arn:aws:s3:::{address.bucket}/*"]}
        ],
    }  # fmt: skip
    S3Client(address).minio.set_bucket_policy(address.bucket, json.dumps(policy))
