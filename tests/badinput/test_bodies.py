"""Bodies that are broken or hostile: the rows of `bad/README.md` whose entrance is FHIR."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.badinput.world import demand_refusal, timed, unmoved
from tests.definitions.samples import shared
from tests.fhir.samples import FHIR, made, mark, patient, put
from tests.house import House

REFUSED = [
    ("duplicate_keys.json", "POST Patient", (400,)), ("nan.json", "POST Observation", (400,)),
    ("infinity.json", "POST Observation", (400,)), ("huge_number.json", "POST Observation", (400, 422)),
    ("huge_integer.json", "POST Observation", (400, 422)), ("invalid_utf8.json", "POST Patient", (400,)),
    ("bom.json", "POST Patient", (400,)), ("utf16.json", "POST Patient", (400,)),
    ("lone_surrogate.json", "POST Patient", (400, 422)), ("nul_char.json", "POST Patient", (400, 422)),
    ("unknown_field.json", "POST Patient", (400, 422)), ("wrong_type.json", "POST Patient", (400,)),
    ("unknown_type.json", "POST Patient", (400,)), ("no_type.json", "POST Patient", (400,)),
    ("bad_cardinality.json", "POST Patient", (400, 422)), ("bad_dates.json", "POST Patient", (400, 422)),
    ("bad_code.json", "POST Patient", (400, 422)), ("xss_narrative.json", "POST Patient", (400, 422)),
    ("entity_bomb_narrative.json", "POST Patient", (400, 422)),
    ("cross_tenant_reference.json", "POST Observation", (400, 422)),
    ("path_traversal_id.json", "PUT Patient/..%2F..%2Fhospital-b%2FPatient%2Fp1", (400, 404)),
    ("id_mismatch.json", "PUT Patient/abc", (400,)), ("long_id.json", "PUT Patient/" + "a" * 65, (400,)),
    ("array_root.json", "POST Patient", (400,)), ("scalar_root.json", "POST Patient", (400,)),
    ("null_root.json", "POST Patient", (400,)), ("empty.json", "POST Patient", (400,)),
    ("truncated.json", "POST Patient", (400,)), ("trailing_garbage.json", "POST Patient", (400,)),
    ("json5.json", "POST Patient", (400,)), ("bad_base64.json", "POST DocumentReference", (400, 422)),
    ("tx_dangling.json", "POST ", (400, 422)), ("tx_duplicate_fullurl.json", "POST ", (400, 422)),
    ("tx_same_resource_twice.json", "POST ", (400, 422)), ("tx_entry_other_tenant.json", "POST ", (400, 403, 422)),
]  # fmt: skip


@pytest.fixture(scope="module")
def client(live: House) -> Iterator[httpx.Client]:
    with live.client() as opened:
        yield opened


@pytest.fixture(scope="module", autouse=True)
def _known(live: House) -> None:
    """`p1` and `p2` are patients of both hospitals, `d1` a document of both."""
    document = {
        "resourceType": "DocumentReference",
        "id": "d1",
        "status": "current",
        "content": [{"attachment": {"title": "x"}}],
    }
    for slug in ("hoa-sen", "cau-vong"):
        with live.client(slug=slug) as opened:
            for each in (patient(id="p1"), patient(id="p2"), document):
                assert put(opened, each).is_success


@pytest.fixture(scope="module")
def giants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("giants")
    script = shared("bad/make.py")
    subprocess.run([sys.executable, script, "--giant", folder], check=True, capture_output=True, timeout=300)
    return folder


def send(client: httpx.Client, how: str, body: bytes) -> httpx.Response:
    """`how` is a method and a path below the base, sent as it stands."""
    method, _, path = how.partition(" ")
    return client.request(method, f"/{path}" if path else "", content=body, headers=FHIR)


def read(name: str) -> bytes:
    return (shared("bad/files") / name).read_bytes()


class TestRefused:
    @pytest.mark.parametrize(("name", "how", "statuses"), REFUSED, ids=lambda each: str(each)[:40])
    def test_and_nothing_is_left_of_it(
        self, live: House, client: httpx.Client, name: str, how: str, statuses: tuple[int, ...]
    ) -> None:
        body = read(name)
        with unmoved(live):
            answer = timed(lambda: send(client, how, body))
        demand_refusal(answer, *statuses)

    @pytest.mark.parametrize(
        "date", ["31/12/1980", "2026-13-01", "0000-01-01", "2026-02-30", "1980-1-1", "", "２０２０"]
    )
    def test_days_that_are_none(self, live: House, client: httpx.Client, date: str) -> None:
        with unmoved(live):
            answer = client.post("/Patient", content=json.dumps(patient(birthDate=date)), headers=FHIR)
        demand_refusal(answer, 400, 422)

    def test_a_reference_into_another_hospital_is_answered_the_same_whether_it_is_there(
        self, live: House, client: httpx.Client
    ) -> None:
        with live.client(slug="cau-vong") as neighbour:
            there = made(neighbour, patient())["id"]
        absent = "0" + there[1:]
        note = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
        answers = [
            client.post("/Observation", json=note | {"subject": {"reference": text.format(each)}}, headers=FHIR).text
            for text in (f"{live.fhir()}/Patient/{{}}", "../../cau-vong/fhir/Patient/{}", "Patient/{}")
            for each in (there, absent)
        ]
        for first, second in zip(answers[::2], answers[1::2], strict=True):
            assert first == second.replace(absent, there)

    @pytest.mark.parametrize("kind", ["transaction", "batch"])
    def test_a_patient_inside_a_bundle_is_looked_at_as_well(self, live: House, client: httpx.Client, kind: str) -> None:
        entry = {"resource": patient(foo=1), "request": {"method": "POST", "url": "Patient"}}
        body = json.dumps({"resourceType": "Bundle", "type": kind, "entry": [entry]})
        with unmoved(live):
            answer = client.post("", content=body, headers=FHIR)
        outcome = answer.json()
        outcome = outcome["entry"][0]["response"]["outcome"] if kind == "batch" else outcome
        assert outcome["issue"][0]["expression"][0].endswith(".foo")


class TestAccepted:
    def test_decimals_come_back_digit_for_digit(self, client: httpx.Client) -> None:
        answer = send(client, "POST Observation", read("decimal_ok.json"))
        assert answer.status_code == 201, answer.text
        text = client.get(f"/Observation/{answer.json()['id']}").text
        assert "1.10" in text
        assert "0.00000100" in text

    def test_names_of_every_script_come_back_code_point_for_code_point(self, client: httpx.Client) -> None:
        body = read("unicode_ok.json")
        answer = send(client, "POST Patient", body)
        assert answer.status_code == 201, answer.text
        stored = client.get(f"/Patient/{answer.json()['id']}").json()
        assert {name: stored[name] for name in json.loads(body) if name not in ("id", "meta")} == {
            name: value for name, value in json.loads(body).items() if name not in ("id", "meta")
        }

    def test_mark_up_in_a_name_is_escaped_where_it_is_shown(self, live: House, client: httpx.Client) -> None:
        body = json.loads(read("xss_name.json"))
        answer = send(client, "POST Patient", json.dumps(body).encode())
        assert answer.status_code == 201, answer.text
        page = client.get(f"{live.url}/h/hoa-sen/patients/{answer.json()['id']}", headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert "&lt;" in page.text
        for name in body["name"]:
            for text in (name.get("text"), name.get("family"), *name.get("given", ())):
                assert not (text and "<" in text and text in page.text)

    def test_forged_meta_becomes_the_servers(self, client: httpx.Client) -> None:
        answer = send(client, "POST Patient", read("meta_forgery.json"))
        assert answer.status_code == 201, answer.text
        sent, meta = json.loads(read("meta_forgery.json"))["meta"], answer.json()["meta"]
        assert meta["versionId"] == "1" != sent["versionId"]
        assert meta["lastUpdated"] != sent["lastUpdated"]
        assert "urn:emr:" not in json.dumps(meta)

    def test_two_that_refer_to_each_other(self, client: httpx.Client) -> None:
        answer = send(client, "POST ", read("tx_circular_ok.json"))
        assert answer.status_code == 200, answer.text
        for each in answer.json()["entry"]:
            stored = client.get("/" + each["response"]["location"].split("/_history")[0])
            assert "urn:uuid:" not in stored.text

    def test_a_loop_of_parents_ends(self, client: httpx.Client) -> None:
        answer = send(client, "POST ", read("tx_partof_loop.json"))
        assert answer.status_code in (200, 422), answer.text
        found = timed(lambda: client.get("/Organization?_include=Organization:partof&_count=5"))
        assert found.status_code == 200

    def test_an_address_in_an_attachment_is_never_opened(self, client: httpx.Client) -> None:
        """Only loopback is reachable from a test: a service that opened it would fail or hang."""
        answer = timed(lambda: send(client, "POST DocumentReference", read("attachment_ssrf.json")))
        assert answer.status_code in (201, 422)


class TestGiants:
    """Made by `make.py --giant` into a folder of the test's own."""

    @pytest.mark.parametrize(
        ("name", "how", "statuses"),
        [
            ("deep_nesting.json", "POST Patient", (400, 413, 422)), ("deep_arrays.json", "POST Patient", (400, 413)),
            ("long_string.json", "POST Patient", (413, 422)), ("many_entries.json", "POST ", (413, 422)),
            ("many_keys.json", "POST Patient", (400, 413, 422)),
        ],
    )  # fmt: skip
    def test_are_refused_quickly_and_memory_stays_flat(
        self, live: House, client: httpx.Client, giants: Path, name: str, how: str, statuses: tuple[int, ...]
    ) -> None:
        body = (giants / name).read_bytes()
        with unmoved(live):
            answer = timed(lambda: send(client, how, body))
        demand_refusal(answer, *statuses)

    def test_a_bomb_is_not_unpacked(self, live: House, client: httpx.Client, giants: Path) -> None:
        body = (giants / "gzip_bomb.json.gz").read_bytes()
        with unmoved(live):
            answer = timed(lambda: client.post("/Patient", content=body, headers=FHIR | {"Content-Encoding": "gzip"}))
        demand_refusal(answer, 413, 415)

    @pytest.mark.parametrize("length", [True, False])
    def test_a_body_over_the_limit_is_refused_when_the_limit_is_passed(
        self, live: House, client: httpx.Client, *, length: bool
    ) -> None:
        """40 MiB, told beforehand or not."""
        sent = 0

        def chunks() -> Iterator[bytes]:
            nonlocal sent
            for _ in range(640):
                sent += 65_536
                yield b" " * 65_536

        headers = FHIR | ({"Content-Length": str(640 * 65_536)} if length else {})
        with unmoved(live):
            try:
                answer = client.post("/Patient", content=chunks(), headers=headers)
                demand_refusal(answer, 413)
            except httpx.WriteError:
                assert sent < 640 * 65_536, "the service hung up before the end"


class TestSequences:
    def test_conditions_that_fit_several(self, live: House, client: httpx.Client) -> None:
        one = mark()
        for expected in (201, 201, 412):
            condition = {"If-None-Exist": f"identifier=urn:x|{one}"} if expected == 412 else {}
            body = patient(identifier=[{"system": "urn:x", "value": one}])
            answer = client.post("/Patient", content=json.dumps(body), headers=FHIR | condition)
            assert answer.status_code == expected

    def test_the_rows_as_they_are_written(self, live: House, client: httpx.Client) -> None:
        for name, expected in (
            ("conditional_multi.http", [(201,), (201,), (412,), (412,)]),
            ("if_match_stale.http", [(201,), (200,), (412,), (200, 412), (400, 412)]),
            ("content_types.http", [(415,), (415,), (415,), (201,), (406,)]),
        ):
            made_id = ""
            blocks = read(name).decode().split("###\n")
            for block, statuses in zip(blocks, expected, strict=True):
                head, _, body = block.strip().partition("\n\n")
                first, *lines = head.replace("{id}", made_id).splitlines()
                method, path = first.split(" ", 1)
                headers = dict(line.split(": ", 1) for line in lines)
                before = live.counts()
                answer = client.request(
                    method, path.removeprefix("/fhir"), content=body.replace("{id}", made_id), headers=headers
                )
                assert answer.status_code in statuses, (name, answer.text)
                made_id = made_id or answer.json().get("id", "")
                assert answer.is_success or live.counts() == before
