"""What rooms call the parts of a support grant."""

from collections.abc import Mapping
from typing import Final

from emr.web.i18n import mark

OFFICES: Final[Mapping[str, str]] = {"department": mark("Sở Y tế"), "support": mark("Đơn vị hỗ trợ kỹ thuật")}
SCOPES: Final[Mapping[str, str]] = {
    "house": mark("Bệnh viện, không có người bệnh"),
    "patient": mark("Một người bệnh"),
    "patients": mark("Mọi người bệnh"),
}
