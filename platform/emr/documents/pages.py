"""Documents over HTTP: a patient's list, the form that takes a file in, the page on which one is read, its bytes."""

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from emr.documents import service
from emr.documents.answers import DrawnPage, FiledBytes
from emr.documents.arrival import Arriving, Visitor, form_file, journalled
from emr.documents.desk import Desk, desk_view, wish_of
from emr.documents.errors import DocumentNotFound
from emr.documents.names import safe_name
from emr.documents.papers import OTHER, choices, papers
from emr.documents.parts import row_of
from emr.documents.press import Press
from emr.documents.resources import DocumentSummary, UploadDocument
from emr.documents.showing import can_be_drawn, page_of, text_of
from emr.documents.upload import UploadForm
from emr.kernel.errors import Refusal
from emr.web.answers import new_key, read_form, render, saved
from emr.web.errors import status_of
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.web.idempotency import once
from emr.web.paths import home_of
from emr.web.strip import load_strip
from emr.web.work import Work
from emr.work.unit import UnitOfWork

router = APIRouter(prefix="/h/{slug}", include_in_schema=False)
_MIB: Final = 1 << 20
_FIELD: Final = "file"
_SAID: Final[Mapping[str, str]] = {
    "file-empty": mark("Chưa chọn tệp, hoặc tệp rỗng"),
    "file-damaged": mark("Tệp hỏng hoặc bị cắt ngang, không đọc được"),
    "file-protected": mark("Tệp có mật khẩu; hãy bỏ mật khẩu rồi tải lại"),
    "file-type-unsupported": mark("Chỉ nhận PDF, JPEG, PNG, TIFF; nội dung tệp này không phải vậy"),
    "file-too-large": mark("Tệp quá lớn"),
    "hospital-storage-full": mark("Bệnh viện đã dùng hết dung lượng lưu tệp; hãy báo người quản trị"),
    "picture-too-large": mark("Hình có quá nhiều điểm ảnh hoặc quá nhiều trang"),
}
_FAILED: Final[Mapping[str, str]] = {
    "object-store-unavailable": mark(
        "Kho tệp tạm thời không trả lời. Hãy chọn lại tệp và lưu sau ít phút; bệnh án vẫn xem được."
    ),
    "pages-busy": mark("Máy chủ đang bận đọc tệp khác. Hãy chọn lại tệp và lưu sau ít phút."),
    "twin-under-way": mark("Cùng một tệp đang được gửi. Hãy chờ ít giây rồi mở lại danh sách tài liệu."),
}


@router.get("/patients/{patient}/documents")
async def documents(request: Request, work: Work, patient: str, cursor: str = "") -> Response:
    """A patient's documents, newest first."""
    strip = await load_strip(work, patient)
    page = await service.list_documents(work, patient, cursor)
    zone = ZoneInfo(work.tenant.time_zone)
    rows = [row_of(each, zone) for each in page.documents]
    return render(
        request, work, "documents/list.html", banner=strip.banner, here="documents", page=page, documents=rows
    )


@router.get("/patients/{patient}/documents/new")
async def upload_form(request: Request, work: Work, patient: str) -> Response:
    """The form that takes a file in."""
    return await _form(request, work, patient, form=Form(key=new_key()))


@router.post("/patients/{patient}/documents/new")
async def upload(visitor: Arriving, patient: str) -> Response:
    """Take a file in. A browser gets its form back when it is refused, everybody else a problem document."""
    sent = UploadForm()
    try:
        return await _take_in(visitor, patient, sent)
    except Refusal as refusal:
        if refusal.code not in (*_SAID, *_FAILED) or not _wants_page(visitor.request):
            raise
        async with visitor.work() as work:
            return await _refused_form(visitor.request, work, patient, sent=sent, refusal=refusal)


@router.get("/documents/{document}")
@router.get("/patients/{patient}/documents/{document}")
async def document_page(request: Request, work: Work, document: str, patient: str = "") -> Response:
    """One document, a page of it on the desk."""
    opened = await service.open_document(work, document)
    if patient and patient != opened.summary.patient:
        raise DocumentNotFound
    asked = request.query_params
    desk = Desk.of(asked.get("page", "1"), asked.get("zoom", ""), asked.get("turn", ""))
    content = opened.content
    return render(
        request,
        work,
        "documents/view.html",
        banner=(await load_strip(work, opened.summary.patient)).banner,
        here="documents",
        row=row_of(opened.summary, ZoneInfo(work.tenant.time_zone)),
        retracted=opened.retracted,
        view=desk_view(desk, opened.summary.pages, drawn=content is not None and can_be_drawn(content)),
        text=await text_of(content) if content is not None else None,
        has_content=content is not None,
    )


@router.get("/documents/{document}/pages/{page}")
async def page_picture(request: Request, work: Work, document: str, page: int) -> Response:
    """A page as a picture."""
    content = await service.open_page(work, document)
    asked, prefix = request.query_params, work.tenant.schema
    wish = wish_of(page, asked.get("size", ""), asked.get("zoom", ""), asked.get("turn", ""))
    return DrawnPage(lambda: page_of(_press(request), prefix, content, wish))


@router.get("/documents/{document}/original")
async def original(work: Work, document: str) -> Response:
    """The bytes as they were filed."""
    return FiledBytes(await service.open_original(work, document))


@router.post("/documents/{document}/retract")
async def retract(request: Request, work: Work, document: str) -> Response:
    """Take back what was filed by mistake."""
    await read_form(request, work)
    taken_back = await service.retract_document(work, document)
    return saved(request, work, f"/patients/{taken_back.patient}/documents", "document-retracted")


async def _take_in(visitor: Visitor, patient: str, sent: UploadForm) -> Response:
    request = visitor.request
    async with form_file(visitor, sent) as file:
        async with journalled(visitor):
            examined = await service.examine(_press(request), file, sent.declared)
        async with visitor.work() as work:
            form = Form.of(sent.fields)
            asked = _asked(form, work, patient, safe_name(sent.file_name, examined.ending))
            if not form.ok:
                return await _form(request, work, patient, form=form, status=422)

            async def produce() -> Response:
                filed = await service.upload_document(work, asked, examined)
                return _filed(request, work, filed, near=bool(await work.blobs.level()))

            body = repr((sorted(sent.fields.items()), file.sha1)).encode()
            return await once(request, work, produce, key=form.key or None, body=body)


def _asked(form: Form, work: UnitOfWork, patient: str, file_name: str) -> UploadDocument:
    today = work.clock().astimezone(ZoneInfo(work.tenant.time_zone)).date()
    kind = form.choice("kind", dict(choices(today))) or OTHER
    return UploadDocument(
        patient=patient, paper=papers()[kind], title=form.text("title"), day=form.day("day", today=today),
        file_name=file_name,
    )  # fmt: skip


def _filed(request: Request, work: UnitOfWork, filed: DocumentSummary, *, near: bool) -> Response:
    if _wants_page(request):
        notice = "document-saved-near-full" if near else "document-saved"
        return saved(request, work, f"/documents/{filed.id}", notice)
    body = {
        "id": filed.id,
        "binary": filed.binary,
        "media_type": filed.media_type,
        "size": filed.size,
        "pages": filed.pages,
    }
    return JSONResponse(body, 201, {"Location": f"{home_of(work.tenant)}/documents/{filed.id}"})


async def _refused_form(
    request: Request, work: UnitOfWork, patient: str, *, sent: UploadForm, refusal: Refusal
) -> Response:
    form = Form.of(sent.fields)
    if refusal.code in _SAID:
        form.refuse(_FIELD, _SAID[refusal.code])
    failure = _FAILED.get(refusal.code, "")
    return await _form(request, work, patient, form=form, status=status_of(refusal), failure=failure)


async def _form(request: Request, work: UnitOfWork, patient: str, *, form: Form, **shown: Any) -> Response:
    strip = await load_strip(work, patient)
    form.key = form.key or new_key()
    today = work.clock().astimezone(ZoneInfo(work.tenant.time_zone)).date()
    context = {"failure": "", **shown}
    limit = work.runtime.settings.storage.upload_limit_mib
    return render(
        request, work, "documents/new.html", banner=strip.banner, here="documents", form=form, limit=limit,
        kinds=choices(today), **context,
    )  # fmt: skip


def _press(request: Request) -> Press:
    press: Press = request.app.state.press
    return press


def _wants_page(request: Request) -> bool:
    return "hx-request" in request.headers or "text/html" in request.headers.get("accept", "")
