"""Filing a paper and seeing it, over HTTP: who may, what is stored, what is answered, what is written down."""

import base64
import hashlib
import io
import json
import time
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.documents.conftest import paper, picture_bytes
from tests.documents.desk import PAGE, Desk, patient_of
from tests.house import CAU_VONG, HOA_SEN, House

KINDS = [("PDF", "application/pdf"), ("JPEG", "image/jpeg"), ("PNG", "image/png"), ("TIFF", "image/tiff")]


def filed(desk: Desk, content: bytes | None = None, **options: object) -> str:
    """Upload and give the document's id."""
    answer = desk.upload(content or picture_bytes("PDF", paper("1"), paper("2")), **options)  # type: ignore[arg-type]
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


class TestUpload:
    def test_nobody_is_turned_away_to_sign_in(self, live: House, desk: Desk) -> None:
        before = desk.stored()
        path = f"{desk.home}/patients/{desk.patient}/documents/new"
        answer = httpx.post(path, files={"file": ("a.pdf", b"%PDF-", "application/pdf")}, trust_env=False)
        assert answer.status_code == 401
        assert desk.stored() == before

    @pytest.mark.parametrize("role", ["reception", "cashier", "lab", "pharmacist", "admin"])
    def test_a_role_that_may_not_is_refused(self, live: House, desk: Desk, role: str) -> None:
        before, refusals = desk.stored(), live.refusals()
        with live.client(role) as client:
            answer = Desk(live, client, desk.patient).upload(picture_bytes("PDF"))
        assert answer.status_code == 403
        assert (desk.stored(), live.refusals()) == (before, refusals + 1)

    def test_a_member_of_another_hospital_is_refused(self, live: House, desk: Desk, neighbour: httpx.Client) -> None:
        before = desk.stored()
        assert Desk(live, neighbour, desk.patient).upload(picture_bytes("PDF")).status_code == 403
        assert desk.stored() == before

    def test_a_patient_of_another_hospital_is_not_there(self, live: House, desk: Desk, neighbour: httpx.Client) -> None:
        theirs = patient_of(neighbour)
        before = desk.stored()
        answer = desk.upload(picture_bytes("PDF"), patient=theirs)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert desk.stored() == before

    @pytest.mark.parametrize("role", ["nurse", "archivist", "imaging"])
    def test_those_who_may_can(self, live: House, desk: Desk, role: str) -> None:
        with live.client(role) as client:
            filed(Desk(live, client, desk.patient))

    @pytest.mark.parametrize(("name", "media_type"), KINDS)
    def test_a_paper_becomes_a_document_reference(self, desk: Desk, name: str, media_type: str) -> None:
        content = picture_bytes(name)
        document = filed(desk, content, name="Giấy của bà Hoa.xyz", media_type=media_type)
        resource = desk.client.get(f"/DocumentReference/{document}").json()
        attachment = resource["content"][0]["attachment"]
        assert resource["subject"] == {"reference": f"Patient/{desk.patient}"}
        assert resource["type"]["coding"][0] == {
            "system": "http://loinc.org", "code": "18842-5", "display": "Discharge summary",
        }  # fmt: skip
        assert (attachment["contentType"], attachment["size"]) == (media_type, len(content))
        assert base64.b64decode(attachment["hash"]) == hashlib.sha1(content).digest()
        assert attachment["creation"] == "2026-10-03"
        assert attachment["title"].startswith("Giấy của bà Hoa.")

    def test_one_row_and_one_sealed_object_are_added(self, live: House, desk: Desk) -> None:
        before, objects = live.counts(), live.objects()
        filed(desk, picture_bytes("PDF", paper("Nguyễn Thị Hoa")))
        added = live.counts()["blobs"] - before["blobs"], live.counts()["resources"] - before["resources"]
        new = set(live.objects()) - set(objects)
        assert (added, len(new)) == ((1, 2), 1)
        lying = live.folder / "objects" / live.tenants["hoa-sen"].schema / new.pop()
        assert b"%PDF" not in lying.read_bytes()

    def test_the_audit_row_names_the_patient_and_no_content(self, desk: Desk) -> None:
        filed(desk)
        row = next(row for row in reversed(desk.journal()) if row["action"] == "document.uploaded")
        assert row["patients"] == [desk.patient]
        assert row["detail"]["pages"] == 2
        assert "tháng 10" not in json.dumps(row, ensure_ascii=False)

    def test_the_same_form_sent_twice_is_stored_once(self, desk: Desk) -> None:
        key = {"_key": "0192f0c1-0000-7000-8000-00000000beef"}
        content = picture_bytes("PDF", paper("twice"))
        first = desk.upload(content, fields=key)
        before = desk.stored()
        second = desk.upload(content, fields=key)
        assert (first.status_code, second.status_code) == (201, 201)
        assert second.json() == first.json()
        assert desk.stored() == before

    def test_a_hospital_that_has_used_its_room_is_told(self, live: House, desk: Desk) -> None:
        schema = live.tenants[HOA_SEN].schema
        live.sql(
            f"INSERT INTO {schema}.blobs (key, digest, size, media_type, key_id, retention_class)"
            " VALUES ('full', '\\x00', %s, 'x', 'k', 'record')",
            200 << 30,
        )
        before = desk.stored()
        # The service adds up anew after fifty times as long as that took, so it may know of less room for a moment.
        deadline = time.monotonic() + 30
        while (answer := desk.upload(picture_bytes("PDF"))).status_code == 201 and time.monotonic() < deadline:
            before = desk.stored()
            time.sleep(0.2)
        after = desk.stored()
        live.sql(f"DELETE FROM {schema}.blobs WHERE key = 'full'")
        assert (answer.status_code, answer.json()["code"]) == (413, "hospital-storage-full")
        assert after == before

    def test_a_browser_goes_on_to_the_document(self, desk: Desk) -> None:
        answer = desk.upload(picture_bytes("PDF"), headers=PAGE)
        assert answer.status_code == 303
        assert desk.client.get(desk.house.url + answer.headers["location"], headers=PAGE).status_code == 200

    def test_a_date_that_is_none_is_said_beside_its_field(self, desk: Desk) -> None:
        before = desk.stored()
        answer = desk.upload(picture_bytes("PDF"), fields={"day": "31/02/2026"}, headers=PAGE)
        assert answer.status_code == 422
        assert 'id="f-day"' in answer.text
        assert "Giấy ra viện tháng 10" in answer.text
        assert desk.stored() == before


class TestOpen:
    def test_another_hospital_gets_what_a_random_id_gets(
        self, live: House, desk: Desk, neighbour: httpx.Client
    ) -> None:
        document = filed(desk)
        binary = desk.client.get(f"/DocumentReference/{document}").json()["content"][0]["attachment"]["url"]
        nothing = "01234567-89ab-7cde-8f01-23456789abcd"
        theirs = f"{live.url}/h/{CAU_VONG}"
        for path in ("/documents/{}", "/documents/{}/original", "/documents/{}/pages/1", "/documents/{}?page=2"):
            here = neighbour.get(theirs + path.format(document), headers=PAGE)
            random = neighbour.get(theirs + path.format(nothing), headers=PAGE)
            assert (here.status_code, random.status_code) == (404, 404)
            assert len(here.content) == len(random.content)
        assert neighbour.get(f"/{binary}").status_code == 404
        assert neighbour.get(f"/DocumentReference/{document}").status_code == 404
        assert neighbour.get(f"{desk.home}/documents/{document}/original").status_code == 403

    def test_a_document_is_only_below_its_own_patient(self, desk: Desk) -> None:
        document, other = filed(desk), patient_of(desk.client, "Trần Văn Ba")
        assert desk.get(f"/patients/{desk.patient}/documents/{document}", headers=PAGE).status_code == 200
        assert desk.get(f"/patients/{other}/documents/{document}", headers=PAGE).status_code == 404

    def test_the_page_shows_its_sheets_and_the_way_to_the_next(self, desk: Desk) -> None:
        document = filed(desk)
        page = desk.get(f"/documents/{document}", headers=PAGE).text
        assert f"/h/hoa-sen/documents/{document}/pages/1?zoom=100&amp;turn=0" in page
        assert f"/h/hoa-sen/documents/{document}?page=2&amp;zoom=100&amp;turn=0" in page

    def test_a_name_with_mark_up_is_shown_as_text(self, desk: Desk) -> None:
        document = filed(desk, fields={"title": "<script>alert(1)</script>"})
        page = desk.get(f"/documents/{document}", headers=PAGE).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page

    @pytest.mark.parametrize(("name", "media_type"), KINDS)
    def test_a_page_is_a_picture_that_nothing_can_run(self, desk: Desk, name: str, media_type: str) -> None:
        document = filed(desk, picture_bytes(name), media_type=media_type)
        answer = desk.get(f"/documents/{document}/pages/1?size=small")
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert (picture.format, picture.width) == ("JPEG", 160)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "no-store" in answer.headers["cache-control"]

    @pytest.mark.parametrize("page", ["0", "3", "99999", "-1"])
    def test_a_page_that_is_not_there_is_not_found(self, desk: Desk, page: str) -> None:
        assert desk.get(f"/documents/{filed(desk)}/pages/{page}").status_code == 404

    @pytest.mark.parametrize("query", ["?page=x", "?page=99", "?zoom=1000", "?turn=45", "?page=-1&zoom=&turn="])
    def test_a_query_that_makes_no_sense_shows_the_usual(self, desk: Desk, query: str) -> None:
        assert desk.get(f"/documents/{filed(desk)}{query}", headers=PAGE).status_code == 200

    @pytest.mark.parametrize(("name", "media_type"), KINDS)
    def test_the_original_comes_back_byte_for_byte(self, desk: Desk, name: str, media_type: str) -> None:
        content = picture_bytes(name)
        document = filed(desk, content, name="Giấy.xyz", media_type=media_type)
        answer = desk.get(f"/documents/{document}/original")
        assert answer.content == content
        assert answer.headers["content-type"] == media_type
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]

    def test_a_pdf_is_never_shown_by_the_browser_itself(self, desk: Desk) -> None:
        answer = desk.get(f"/documents/{filed(desk)}/original")
        assert answer.headers["content-disposition"].startswith("attachment;")

    def test_every_look_is_written_down(self, desk: Desk) -> None:
        document = filed(desk)
        for path, action in (
            ("", "document.opened"), ("/original", "document.downloaded"), ("/pages/1", "document.page-shown"),
        ):  # fmt: skip
            desk.get(f"/documents/{document}{path}", headers=PAGE)
            last = next(row for row in reversed(desk.journal()) if row["action"] == action)
            assert desk.patient in last["patients"]

    def test_a_note_of_words_is_shown_as_words(self, desk: Desk) -> None:
        words = base64.b64encode("Bệnh nhân <b>tỉnh</b>, tiếp xúc tốt".encode()).decode()
        note = {
            "resourceType": "DocumentReference",
            "status": "current",
            "subject": {"reference": f"Patient/{desk.patient}"},
            "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": words}}],
        }
        made = desk.client.post("/DocumentReference", json=note, headers={"Content-Type": "application/fhir+json"})
        page = desk.get(f"/documents/{made.json()['id']}", headers=PAGE)
        assert "Bệnh nhân &lt;b&gt;tỉnh&lt;/b&gt;, tiếp xúc tốt" in page.text

    def test_a_picture_inside_a_resource_is_drawn_anew_when_the_resource_changes(self, desk: Desk) -> None:
        note = {
            "resourceType": "DocumentReference", "status": "current",
            "subject": {"reference": f"Patient/{desk.patient}"},
        }  # fmt: skip
        kind = {"Content-Type": "application/fhir+json"}

        def inside(tone: int) -> dict[str, object]:
            data = base64.b64encode(picture_bytes("PNG", Image.new("L", (160, 80), tone))).decode()
            return note | {"content": [{"attachment": {"contentType": "image/png", "data": data}}]}

        def tone_of(document: str) -> int:
            with Image.open(io.BytesIO(desk.get(f"/documents/{document}/pages/1?size=small").content)) as picture:
                return int(picture.convert("L").getpixel((40, 40)))  # type: ignore[arg-type]

        made = desk.client.post("/DocumentReference", json=inside(30), headers=kind).json()["id"]
        assert abs(tone_of(made) - 30) < 6
        desk.client.put(f"/DocumentReference/{made}", json=inside(220) | {"id": made}, headers=kind)
        assert abs(tone_of(made) - 220) < 6

    def test_a_document_that_lies_elsewhere_says_so_and_is_never_fetched(self, desk: Desk) -> None:
        elsewhere = {
            "resourceType": "DocumentReference",
            "status": "current",
            "subject": {"reference": f"Patient/{desk.patient}"},
            "content": [{"attachment": {"contentType": "application/pdf", "url": "http://192.0.2.1/a.pdf"}}],
        }
        made = desk.client.post("/DocumentReference", json=elsewhere, headers={"Content-Type": "application/fhir+json"})
        document = made.json()["id"]
        assert "không nằm trong hệ thống" in desk.get(f"/documents/{document}", headers=PAGE).text
        assert desk.get(f"/documents/{document}/original").status_code == 404
        assert desk.get(f"/documents/{document}/pages/1").status_code == 404


class TestBinary:
    def binary(self, desk: Desk, content: bytes) -> str:
        document = filed(desk, content)
        url: str = desk.client.get(f"/DocumentReference/{document}").json()["content"][0]["attachment"]["url"]
        return f"/{url}"

    @pytest.mark.parametrize("accept", ["*/*", "application/pdf", "application/octet-stream", "text/html, */*;q=0.1"])
    def test_it_gives_the_bytes(self, desk: Desk, accept: str) -> None:
        content = picture_bytes("PDF")
        answer = desk.client.get(self.binary(desk, content), headers={"Accept": accept})
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize("accept", ["application/fhir+json", "application/json"])
    def test_it_gives_the_resource_to_a_client_that_asks_for_json(self, desk: Desk, accept: str) -> None:
        content = picture_bytes("PDF")
        answer = desk.client.get(self.binary(desk, content), headers={"Accept": accept}).json()
        assert base64.b64decode(answer["data"]) == content
        assert (answer["resourceType"], answer["contentType"]) == ("Binary", "application/pdf")
        assert answer["securityContext"] == {"reference": f"Patient/{desk.patient}"}

    def test_a_client_that_takes_neither_is_told(self, desk: Desk) -> None:
        answer = desk.client.get(self.binary(desk, picture_bytes("PDF")), headers={"Accept": "image/png"})
        assert answer.status_code == 406
        assert answer.json()["resourceType"] == "OperationOutcome"

    def test_one_that_a_client_wrote_gives_its_own_bytes(self, desk: Desk) -> None:
        own = {"resourceType": "Binary", "contentType": "text/plain", "data": base64.b64encode(b"hello").decode()}
        made = desk.client.post("/Binary", json=own, headers={"Content-Type": "application/fhir+json"}).json()
        answer = desk.client.get(f"/Binary/{made['id']}", headers={"Accept": "*/*"})
        assert answer.content == b"hello"
        assert answer.headers["content-disposition"].startswith("attachment;")

    @pytest.mark.parametrize("kind", ["text/html", "tếxt/html", "text/html;x", "a" * 200, 'x/y"'])
    def test_whatever_it_is_said_to_be_it_cannot_run(self, desk: Desk, kind: str) -> None:
        own = {"resourceType": "Binary", "contentType": kind, "data": base64.b64encode(b"<script>").decode()}
        made = desk.client.post("/Binary", json=own, headers={"Content-Type": "application/fhir+json"})
        assert made.status_code in (201, 422)
        answer = desk.client.get(f"/Binary/{made.json().get('id', 'none')}", headers={"Accept": "*/*"})
        assert answer.status_code in (200, 404)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.status_code == 404 or "sandbox" in answer.headers["content-security-policy"]
        assert answer.status_code == 404 or answer.headers["content-disposition"].startswith("attachment;")

    def test_rewriting_the_resource_does_not_make_a_pdf_a_page(self, desk: Desk) -> None:
        path = self.binary(desk, picture_bytes("PDF"))
        changed = {"resourceType": "Binary", "id": path.rpartition("/")[2], "contentType": "text/html"}
        written = desk.client.put(path, json=changed, headers={"Content-Type": "application/fhir+json"})
        assert written.status_code == 200, written.text
        answer = desk.client.get(path, headers={"Accept": "*/*"})
        assert answer.headers["content-type"] == "application/pdf"


class TestList:
    def test_an_empty_one_says_so(self, desk: Desk) -> None:
        assert "Chưa có tài liệu nào" in desk.get(f"/patients/{desk.patient}/documents", headers=PAGE).text

    def test_it_shows_what_was_filed_newest_first(self, desk: Desk) -> None:
        for title in ("Giấy thứ nhất", "Giấy thứ hai"):
            filed(desk, fields={"title": title})
        page = desk.get(f"/patients/{desk.patient}/documents", headers=PAGE).text
        assert 0 < page.index("Giấy thứ hai") < page.index("Giấy thứ nhất")

    def test_more_than_a_page_goes_on_with_a_signed_cursor(self, desk: Desk) -> None:
        for number in range(42):
            note = {
                "resourceType": "DocumentReference", "status": "current", "description": f"Giấy {number:02}",
                "date": f"2026-01-01T00:00:{number:02}Z", "subject": {"reference": f"Patient/{desk.patient}"},
                "content": [{"attachment": {"title": "x"}}],
            }  # fmt: skip
            desk.client.post("/DocumentReference", json=note, headers={"Content-Type": "application/fhir+json"})
        home = f"/patients/{desk.patient}/documents"
        first = desk.get(home, headers=PAGE).text
        cursor = first.partition("?cursor=")[2].partition('"')[0]
        second = desk.get(f"{home}?cursor={cursor}", headers=PAGE).text
        assert "Giấy 41" in first
        assert "Giấy 01" in second
        assert "Giấy 41" not in second
        assert desk.get(f"{home}?cursor=forged", headers=PAGE).status_code == 400
        other = patient_of(desk.client, "Trần Văn Ba")
        assert desk.get(f"/patients/{other}/documents?cursor={cursor}", headers=PAGE).status_code == 404


class TestRetract:
    def test_it_leaves_the_list_and_stays_in_the_history(self, desk: Desk) -> None:
        document = filed(desk, fields={"title": "Tải nhầm"})
        answer = desk.client.post(f"{desk.home}/documents/{document}/retract", data={})
        assert answer.status_code == 303
        assert "Tải nhầm" not in desk.get(f"/patients/{desk.patient}/documents", headers=PAGE).text
        assert "đã thu hồi" in desk.get(f"/documents/{document}", headers=PAGE).text
        assert desk.client.get(f"/DocumentReference/{document}/_history").json()["total"] == 2

    def test_a_role_that_may_only_read_is_refused(self, live: House, desk: Desk) -> None:
        document = filed(desk)
        with live.client("lab") as client:
            assert client.post(f"{desk.home}/documents/{document}/retract", data={}).status_code == 403


class TestScans:
    """Papers as hospitals scan them, made by the demo's own script."""

    def test_the_demo_papers_are_taken(self, desk: Desk, tmp_path: Path) -> None:
        content = picture_bytes("TIFF", paper("1").convert("1"), paper("2").convert("1"), compression="group4")
        document = filed(desk, content, media_type="image/tiff")
        assert desk.get(f"/documents/{document}/pages/2").status_code == 200
