"""Fits the pages into an application: templates, built browser code, their routes."""

from fastapi import FastAPI

from emr.settings import Settings
from emr.web import design, preferences, static_files
from emr.web.assets import read_assets
from emr.web.i18n import mark
from emr.web.rendering import NavItem, build_pages
from emr.web.security import content_security_policy, page_headers

NAVIGATION = (
    NavItem("/", mark("Người bệnh"), "patient:find", "f"),
    NavItem("/admin", mark("Quản trị"), "member:manage"),
    NavItem("/imaging/unmatched", mark("Ảnh chờ ghép"), "imaging:store"),
    NavItem("/emergency", mark("Truy cập khẩn cấp"), "care:break-glass"),
    NavItem("/privacy", mark("Nhật ký"), "audit:read", count="/privacy/support/count"),
    NavItem("/", mark("Các bệnh viện"), "fleet:look"),
    NavItem("/onboarding", mark("Thêm bệnh viện"), "fleet:look"),
    NavItem("/golive", mark("Khai trương"), "fleet:look"),
    NavItem("/proposals", mark("Chờ duyệt"), "fleet:look"),
    NavItem("/announcements", mark("Thông báo"), "fleet:look"),
    NavItem("/emergency/reviews", mark("Xem xét khẩn cấp"), "care:review", count="/emergency/reviews/count"),
)


def install(app: FastAPI, settings: Settings, *, navigation: tuple[NavItem, ...] = NAVIGATION) -> None:
    """Give the application its pages. `/design` exists in demo and test only."""
    app.state.assets = read_assets()
    headers = page_headers(content_security_policy(issuer=settings.identity.issuer))
    app.state.pages = build_pages(app.state.assets, headers=headers, navigation=navigation)
    app.include_router(static_files.router)
    app.include_router(preferences.router)
    if settings.profile != "production":
        app.include_router(design.router)
