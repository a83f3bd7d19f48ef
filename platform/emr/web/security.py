"""Headers that every page carries: nothing inline runs, nothing is kept, nobody frames us."""

from collections.abc import Sequence
from urllib.parse import urlsplit

ONE_YEAR = 31_536_000


def content_security_policy(*, issuer: str = "", content_origin: str = "", form_origins: Sequence[str] = ()) -> str:
    """The policy of our pages. Signing out is redirected to the issuer, so a form may reach its origin, and those of
    `form_origins` where a page leads out by a form.
    """
    issuer_origin = _origin(issuer)
    own = " ".join(filter(None, ["'self'", _origin(content_origin)]))
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src {own}",
            f"frame-src {own}",
            "connect-src 'self'",
            " ".join(filter(None, ["form-action 'self'", issuer_origin, *form_origins])),
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )


def page_headers(policy: str) -> dict[str, str]:
    """The headers of a page."""
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
        "Vary": "Cookie, HX-Request, Accept-Encoding",
    }


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
