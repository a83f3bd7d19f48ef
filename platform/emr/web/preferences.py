"""How a reader likes the pages: language and light or dark, kept in two cookies that say nothing about anybody."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from emr.kernel.errors import Forbidden
from emr.web.i18n import LANGUAGES, Language

LANGUAGE_COOKIE: Final = "emr_language"
THEME_COOKIE: Final = "emr_theme"
THEMES: Final = ("auto", "light", "dark")
ONE_YEAR: Final = 31_536_000

router = APIRouter(include_in_schema=False)


def language_of(request: Request) -> Language:
    """The reader's language; Vietnamese unless they chose another."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    return next((language for language in LANGUAGES if language == chosen), "vi")


def theme_of(request: Request) -> str:
    """`light`, `dark`, or `auto` for what the computer is set to."""
    chosen = request.cookies.get(THEME_COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"


@router.post("/preferences")
async def choose(
    request: Request, language: Annotated[str, Form()] = "", theme: Annotated[str, Form()] = ""
) -> Response:
    """Keep a preference and go back. It needs no session; only our own pages may ask for it."""
    refuse_foreign(request)
    answer = RedirectResponse(back(request), status_code=303)
    secure = request.url.scheme == "https"
    for name, value, allowed in ((LANGUAGE_COOKIE, language, LANGUAGES), (THEME_COOKIE, theme, THEMES)):
        if value in allowed:
            answer.set_cookie(name, value, max_age=ONE_YEAR, path="/", secure=secure, httponly=True, samesite="lax")
    return answer


def refuse_foreign(request: Request) -> None:
    """Refuse a post that another site's page caused. Browsers of the last five years say whose page it was."""
    site = request.headers.get("sec-fetch-site")
    origin = urlsplit(request.headers.get("origin", "")).netloc
    if site not in (None, "same-origin", "none") or (origin and origin != request.headers.get("host")):
        raise Forbidden("foreign-form", "This form was not served by this site.")


def back(request: Request) -> str:
    """The page that the reader came from, when it is one of ours."""
    parts = urlsplit(request.headers.get("referer", ""))
    ours = (
        parts.netloc == request.headers.get("host") and parts.path.startswith("/") and not parts.path.startswith("//")
    )
    return parts.path if ours else "/"
