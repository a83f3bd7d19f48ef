"""Bulk Data Access 2.0 over HTTP (https://hl7.org/fhir/uv/bulkdata/STU2/export.html), and `$import`."""

import asyncio
import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from emr.records.bulk.worker import BulkWorker
from emr.work.leases import Leases
from emr.work.runtime import runtime
from tests.fhir.samples import FHIR, Json, made, observation, patient, refusal
from tests.house import CAU_VONG, HOA_SEN, House

ASYNC = {"Prefer": "respond-async"}
NDJSON = {"Content-Type": "application/fhir+ndjson"}


@pytest.fixture
def warehouse(live: House) -> Iterator[httpx.Client]:
    with live.client("warehouse") as client:
        yield client


@pytest.fixture
def his(live: House) -> Iterator[httpx.Client]:
    with live.client("his") as client:
        yield client


@pytest.fixture
def worker(live: House) -> Callable[[], None]:
    """What a worker process does, until nothing is left to do."""

    async def work() -> None:
        parts = runtime(live.settings)
        await parts.open()
        relay = parts.databases.cell("default").relay
        own = BulkWorker(parts, relay, Leases(relay, secrets.token_hex(4), 10))
        while await own.turn(None):
            pass
        await parts.close()

    return lambda: asyncio.run(work())


def finished(client: httpx.Client, worker: Callable[[], None], begun: httpx.Response) -> httpx.Response:
    """The answer at the status address when the job is at its end."""
    assert begun.status_code == 202, begun.text
    worker()
    answer = client.get(begun.headers["Content-Location"])
    assert answer.status_code != 202, "the job does not end"
    return answer


def lines(client: httpx.Client, manifest: Json, role: str = "output") -> list[Json]:
    texts = [client.get(each["url"]).raise_for_status().text for each in manifest[role]]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def group_of(client: httpx.Client, *patients: str, **more: Any) -> str:
    members = [{"entity": {"reference": f"Patient/{each}"}} for each in patients]
    return str(
        made(client, {"resourceType": "Group", "type": "person", "actual": True, "member": members} | more)["id"]
    )


class TestKickOff:
    def test_nobody_may_but_the_warehouse(self, doctor: httpx.Client) -> None:
        assert refusal(doctor.get("/$export", headers=ASYNC))[:2] == (403, "role-may-not")

    def test_without_a_wish_to_wait_is_refused(self, warehouse: httpx.Client) -> None:
        assert refusal(warehouse.get("/$export"))[:2] == (400, "prefer-async")

    @pytest.mark.parametrize(
        "name", ["_elements=id", "includeAssociatedData=LatestProvenanceResources", "_until=2026-01-01T00:00:00Z"]
    )
    def test_what_is_not_supported_is_refused_by_name(self, warehouse: httpx.Client, name: str) -> None:
        answer = warehouse.get(f"/Patient/$export?{name}", headers=ASYNC)
        assert refusal(answer)[:2] == (400, "parameter-unsupported")
        assert answer.json()["issue"][0]["expression"] == [name.partition("=")[0]]

    def test_what_does_not_exist_is_refused_by_name(self, warehouse: httpx.Client) -> None:
        assert refusal(warehouse.get("/$export?_typo=1", headers=ASYNC))[:2] == (400, "parameter-unknown")
        assert refusal(warehouse.get("/$export?_type=Patientt", headers=ASYNC))[:2] == (400, "type-unknown")
        assert refusal(warehouse.get("/$export?_typeFilter=Patient%3Fnonsense=1", headers=ASYNC))[0] == 400
        assert refusal(warehouse.get("/$export?_outputFormat=csv", headers=ASYNC))[:2] == (400, "format-unknown")
        assert refusal(warehouse.get("/Group/nobody/$export", headers=ASYNC))[:2] == (404, "not-found")

    def test_the_lenient_client_may_ask_for_it(self, warehouse: httpx.Client, worker: Callable[[], None]) -> None:
        begun = warehouse.get(
            "/$export?_elements=id&_type=Group", headers={"Prefer": "respond-async, handling=lenient"}
        )
        assert (finished(warehouse, worker, begun)).status_code == 200

    def test_more_than_a_few_at_a_time_are_refused(self, warehouse: httpx.Client, worker: Callable[[], None]) -> None:
        begun = [warehouse.get("/$export?_type=Group", headers=ASYNC) for _ in range(5)]
        assert [each.status_code for each in begun] == [202] * 4 + [429]
        assert begun[-1].headers["Retry-After"]
        for each in begun[:4]:
            finished(warehouse, worker, each)


class TestStatus:
    def test_tells_how_far_it_is_and_then_what_there_is(
        self, warehouse: httpx.Client, worker: Callable[[], None]
    ) -> None:
        begun = warehouse.get("/$export?_type=Patient", headers=ASYNC)
        waiting = warehouse.get(begun.headers["Content-Location"])
        assert (waiting.status_code, waiting.headers["X-Progress"]) == (202, "waiting")
        assert int(waiting.headers["Retry-After"]) >= 1
        assert refusal(warehouse.get(begun.headers["Content-Location"]))[:2] == (429, "bulk-polled")
        done = finished(warehouse, worker, begun)
        manifest = done.json()
        assert done.headers["Expires"]
        assert manifest["requiresAccessToken"] is True
        assert manifest["request"] == f"{warehouse.base_url}$export?_type=Patient"
        assert {"transactionTime", "output", "deleted", "error"} <= manifest.keys()

    def test_of_somebody_elses_job_is_unknown(
        self, live: House, warehouse: httpx.Client, worker: Callable[[], None]
    ) -> None:
        begun = warehouse.get("/$export?_type=Group", headers=ASYNC)
        name = begun.headers["Content-Location"].rpartition("/")[2]
        with live.client("warehouse", CAU_VONG) as neighbour:
            assert refusal(neighbour.get(f"/$export/{name}"))[:2] == (404, "bulk-job-unknown")
        finished(warehouse, worker, begun)

    def test_after_it_was_cancelled_is_404_and_nothing_is_left(
        self, live: House, warehouse: httpx.Client, worker: Callable[[], None]
    ) -> None:
        done = warehouse.get("/$export?_type=Patient", headers=ASYNC)
        manifest = (finished(warehouse, worker, done)).json()
        address = done.headers["Content-Location"]
        assert warehouse.delete(address).status_code == 202
        assert refusal(warehouse.get(address))[:2] == (404, "bulk-job-unknown")
        assert refusal(warehouse.delete(address))[:2] == (404, "bulk-job-unknown")
        assert [warehouse.get(each["url"]).status_code for each in manifest["output"]] == [404] * len(
            manifest["output"]
        )
        worker()
        schema = live.tenants["hoa-sen"].schema
        name = address.rpartition("/")[2]
        assert live.sql(f"SELECT state, files FROM {schema}.bulk_jobs WHERE id = %s", name) == [("forgotten", [])]


class TestFiles:
    def test_come_whole_or_in_ranges(
        self, doctor: httpx.Client, warehouse: httpx.Client, worker: Callable[[], None]
    ) -> None:
        made(doctor, patient())
        begun = warehouse.get("/$export?_type=Patient", headers=ASYNC)
        address = (finished(warehouse, worker, begun)).json()["output"][0]["url"]
        whole = warehouse.get(address)
        assert whole.headers["Content-Type"] == "application/fhir+ndjson"
        part = warehouse.get(address, headers={"Range": "bytes=10-29"})
        assert (part.status_code, part.content) == (206, whole.content[10:30])
        assert part.headers["Content-Range"] == f"bytes 10-29/{len(whole.content)}"
        tail = warehouse.get(address, headers={"Range": "bytes=-5", "If-Range": whole.headers["ETag"]})
        assert tail.content == whole.content[-5:]
        assert warehouse.get(address, headers={"Range": "bytes=999999999-"}).status_code == 416
        assert warehouse.head(address).headers["Content-Length"] == str(len(whole.content))

    def test_are_nobody_elses(self, doctor: httpx.Client, warehouse: httpx.Client, worker: Callable[[], None]) -> None:
        made(doctor, patient())
        begun = warehouse.get("/$export?_type=Patient", headers=ASYNC)
        address = (finished(warehouse, worker, begun)).json()["output"][0]["url"]
        assert httpx.get(address, trust_env=False).status_code == 401
        assert doctor.get(address).status_code == 403

    def test_of_a_download_the_trail_knows(
        self, live: House, doctor: httpx.Client, warehouse: httpx.Client, worker: Callable[[], None]
    ) -> None:
        person = made(doctor, patient())["id"]
        group = group_of(doctor, person)
        begun = warehouse.get(f"/Group/{group}/$export", headers=ASYNC)
        manifest = (finished(warehouse, worker, begun)).json()
        warehouse.get(manifest["output"][0]["url"])
        found = live.sql(
            "SELECT row FROM cell.audit_journal WHERE row LIKE %s AND row LIKE %s",
            "%bulk.file-downloaded%",
            f"%{person}%",
        )
        assert len(found) == 1


class TestScope:
    def test_of_a_group_is_the_records_of_its_members(
        self, doctor: httpx.Client, warehouse: httpx.Client, worker: Callable[[], None]
    ) -> None:
        inside, outside = made(doctor, patient())["id"], made(doctor, patient())["id"]
        seen = made(doctor, observation(inside))["id"]
        made(doctor, observation(outside))
        group = group_of(doctor, inside)
        begun = warehouse.get(f"/Group/{group}/$export", headers=ASYNC)
        found = lines(warehouse, (finished(warehouse, worker, begun)).json())
        assert [each["id"] for each in found] == [inside, seen] or {each["id"] for each in found} == {
            inside,
            seen,
            group,
        }

    def test_of_some_patients_is_posted(
        self, doctor: httpx.Client, warehouse: httpx.Client, worker: Callable[[], None]
    ) -> None:
        one, other = made(doctor, patient())["id"], made(doctor, patient())["id"]
        body = {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "patient", "valueReference": {"reference": f"Patient/{one}"}},
                {"name": "_type", "valueString": "Patient"},
            ],
        }
        begun = warehouse.post("/Patient/$export", content=json.dumps(body), headers=FHIR | ASYNC)
        found = {each["id"] for each in lines(warehouse, (finished(warehouse, worker, begun)).json())}
        assert one in found
        assert other not in found

    def test_of_a_filter_is_what_the_search_finds(
        self, doctor: httpx.Client, warehouse: httpx.Client, worker: Callable[[], None]
    ) -> None:
        code = secrets.token_hex(6)
        fits = {"code": {"coding": [{"system": "urn:test", "code": code}]}}
        one = made(doctor, observation(made(doctor, patient())["id"], **fits))["id"]
        begun = warehouse.get(
            "/$export",
            params={"_type": "Observation", "_typeFilter": f"Observation?code={code},Observation?code=urn:test|{code}"},
            headers=ASYNC,
        )
        found = lines(warehouse, (finished(warehouse, worker, begun)).json())
        assert [each["id"] for each in found] == [one]

    def test_since_is_what_changed_and_what_went(
        self, doctor: httpx.Client, warehouse: httpx.Client, worker: Callable[[], None]
    ) -> None:
        gone = made(doctor, patient())["id"]
        begun = warehouse.get("/$export?_type=Patient", headers=ASYNC)
        first = (finished(warehouse, worker, begun)).json()
        doctor.delete(f"/Patient/{gone}").raise_for_status()
        new = made(doctor, patient())["id"]
        asked = {"_since": first["transactionTime"], "_type": "Patient"}
        begun = warehouse.get("/$export", params=asked, headers=ASYNC)
        manifest = (finished(warehouse, worker, begun)).json()
        assert [each["id"] for each in lines(warehouse, manifest)] == [new]
        entries = [entry for bundle in lines(warehouse, manifest, "deleted") for entry in bundle["entry"]]
        assert entries == [{"request": {"method": "DELETE", "url": f"Patient/{gone}"}}]


class TestRequester:
    """A job is done as who began it stands when it is done, and with no more than the token allowed."""

    def state(self, live: House, begun: httpx.Response) -> tuple[str, str, list[Any]]:
        job = begun.headers["Content-Location"].rpartition("/")[2]
        schema = live.tenants[HOA_SEN].schema
        row = live.sql(f"SELECT state, coalesce(error, ''), files FROM {schema}.bulk_jobs WHERE id = %s", job)[0]
        return row[0], row[1].partition(":")[0], row[2]

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ("active = false", "bulk-requester-left"),
            ("expires_at = now() - interval '1 second'", "bulk-requester-left"),
            ("role = 'doctor'", "role-may-not"),
            ("scopes = '{system/Organization.rs}'", "scope-may-not"),
        ],
        ids=["left", "expired", "another-role", "narrower-scopes"],
    )
    def test_who_may_no_more_gets_no_line(
        self, live: House, warehouse: httpx.Client, worker: Callable[[], None], change: str, code: str
    ) -> None:
        begun = warehouse.get("/$export?_type=Patient", headers=ASYNC)
        assert begun.status_code == 202
        own = "WHERE role = 'warehouse' AND tenant_id = %s RETURNING subject"
        subject = live.sql(f"UPDATE directory.memberships SET {change} {own}", live.tenants[HOA_SEN].id)[0][0]
        try:
            worker()
            assert self.state(live, begun) == ("failed", code, [])
        finally:
            live.sql(
                "UPDATE directory.memberships SET active = true, expires_at = NULL, role = 'warehouse', scopes = '{}'"
                " WHERE subject = %s",
                subject,
            )

    def test_a_token_with_narrower_scopes_gets_what_it_may_see(
        self, live: House, doctor: httpx.Client, worker: Callable[[], None]
    ) -> None:
        key = made(doctor, patient())["id"]
        made(doctor, observation(key))
        with live.client("warehouse", scope="system/Patient.rs") as narrow:
            manifest = finished(narrow, worker, narrow.get("/$export", headers=ASYNC)).json()
            assert {each["type"] for each in manifest["output"]} == {"Patient"}
            assert {line["resourceType"] for line in lines(narrow, manifest)} == {"Patient"}
            assert narrow.get("/$export?_type=Observation", headers=ASYNC).status_code == 403

    def test_a_job_that_a_limited_doctor_never_could_begin_is_not_done_for_one(
        self, live: House, warehouse: httpx.Client, worker: Callable[[], None]
    ) -> None:
        begun = warehouse.get("/$export?_type=Patient", headers=ASYNC)
        tenant = live.tenants[HOA_SEN]
        doctor = live.sql(
            "SELECT subject FROM directory.memberships WHERE role = 'doctor' AND active AND tenant_id = %s LIMIT 1",
            tenant.id,
        )[0][0]
        job = begun.headers["Content-Location"].rpartition("/")[2]
        live.sql(f"UPDATE {tenant.schema}.bulk_jobs SET subject = %s WHERE id = %s", doctor, job)
        worker()
        assert self.state(live, begun) == ("failed", "role-may-not", [])


class TestImport:
    def test_takes_a_file_and_reports(self, his: httpx.Client, worker: Callable[[], None]) -> None:
        name = f"p-{secrets.token_hex(4)}"
        content = json.dumps(patient(id=name)) + "\n" + '{"resourceType":"Patient"}\n'
        begun = his.post("/$import", content=content, headers=NDJSON | ASYNC)
        said = (finished(his, worker, begun)).json()
        assert (said["stored"], said["refused"]) == (1, 1)
        report = lines(his, said, "error")
        assert report[0]["issue"][0]["diagnostics"].startswith("body, line 2:")
        assert his.get(f"/Patient/{name}").status_code == 200

    def test_takes_a_manifest_of_files_that_were_posted(self, his: httpx.Client, worker: Callable[[], None]) -> None:
        name = f"p-{secrets.token_hex(4)}"
        seen = observation(name, id=f"o-{name}")
        places = [
            his.post("/$import/files", content=json.dumps(each) + "\n", headers=NDJSON).headers["Location"]
            for each in (seen, patient(id=name))
        ]
        manifest = {
            "inputFormat": "application/fhir+ndjson",
            "input": [{"type": "Observation", "url": places[0]}, {"url": places[1]}],
        }
        begun = his.post("/$import", content=json.dumps(manifest), headers={"Content-Type": "application/json"} | ASYNC)
        assert (finished(his, worker, begun)).json()["stored"] == 2

    def test_fetches_nothing_from_elsewhere(self, his: httpx.Client) -> None:
        parameters = {
            "resourceType": "Parameters",
            "parameter": [{"name": "input", "part": [{"name": "url", "valueUri": "http://127.0.0.1:1/x.ndjson"}]}],
        }
        answer = his.post("/$import", content=json.dumps(parameters), headers=FHIR | ASYNC)
        assert refusal(answer)[:2] == (400, "input-elsewhere")

    def test_is_refused_before_the_first_byte_to_who_may_not(self, live: House, doctor: httpx.Client) -> None:
        before = live.objects()
        assert refusal(doctor.post("/$import", content="{}\n", headers=NDJSON | ASYNC))[:2] == (403, "role-may-not")
        assert live.objects() == before
