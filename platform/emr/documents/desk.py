"""The page of a document: which sheet lies on the desk, how large, how turned, and where each link leads. Pure."""

from dataclasses import dataclass
from typing import Final

from emr.documents.crossing import Wish
from emr.documents.showing import SMALL, TURNS, WIDTHS

_STRIP: Final = 60
"""Sheets in the strip beside the desk; a longer document shows those around the current one."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the reader asked for: page from 1, zoom in per cent, turn in degrees to the right."""

    page: int = 1
    zoom: str = "100"
    turn: str = "0"

    @classmethod
    def of(cls, page: str, zoom: str, turn: str) -> "Desk":
        """From a query; what makes no sense is the usual."""
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 5 else 1
        return cls(max(number, 1), zoom if zoom in WIDTHS else "100", turn if turn in TURNS else "0")

    def query(self, **other: str | int) -> str:
        """The query of a link that changes this much."""
        said = {"page": self.page, "zoom": self.zoom, "turn": self.turn} | other
        return f"?page={said['page']}&zoom={said['zoom']}&turn={said['turn']}"


@dataclass(frozen=True, slots=True)
class DeskView:
    """Links of the page; `previous`, `next`, `larger` are "" when there is nothing there."""

    drawn: bool
    page: int
    total: int
    zoom: str
    pages: tuple[tuple[int, str], ...]
    previous: str
    next: str
    zooms: tuple[tuple[str, str], ...]
    larger: str
    turned: str
    picture: str


def desk_view(desk: Desk, total: int, *, drawn: bool) -> DeskView:
    """What the template needs; `total` pages, 0 when nobody has counted them."""
    pages = max(total, 1)
    desk = Desk(min(desk.page, pages), desk.zoom, desk.turn)
    first = max(1, min(desk.page - _STRIP // 2, pages - _STRIP + 1))
    sizes = list(WIDTHS)
    larger = sizes[(sizes.index(desk.zoom) + 1) % len(sizes)]
    turns = list(TURNS)
    return DeskView(
        drawn=drawn,
        page=desk.page,
        total=pages,
        zoom=desk.zoom,
        pages=tuple((number, desk.query(page=number)) for number in range(first, min(pages, first + _STRIP - 1) + 1)),
        previous=desk.query(page=desk.page - 1) if desk.page > 1 else "",
        next=desk.query(page=desk.page + 1) if desk.page < pages else "",
        zooms=tuple((zoom, desk.query(zoom=zoom)) for zoom in sizes),
        larger=desk.query(zoom=larger),
        turned=desk.query(turn=turns[(turns.index(desk.turn) + 1) % len(turns)]),
        picture=f"?zoom={desk.zoom}&turn={desk.turn}",
    )


def wish_of(page: int, size: str, zoom: str, turn: str) -> Wish:
    """What to draw for a picture's address."""
    if size == "small":
        return Wish(page, SMALL)
    return Wish(page, WIDTHS.get(zoom, WIDTHS["100"]), TURNS.get(turn, 0))
