"""From a view model to a page: templates of every room, in the reader's language."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined

from emr.tenancy.announcements import Announcement
from emr.web import i18n
from emr.web.assets import Assets
from emr.web.i18n import Language, Speech, read_catalogues

ROOMS = Path(__file__).parent.parent


@dataclass(frozen=True)
class NavItem:
    """A place of the hospital's top bar: a path below the hospital, the Vietnamese label, the permission it needs.

    count: a path that answers with how much waits there, as a sign beside the label.
    """

    path: str
    label: str
    permission: str
    key: str = ""
    count: str = ""


@dataclass(frozen=True)
class Scene:
    """Who looks at a page, where, and how they like it.

    prefix: where the hospital's paths begin, "" outside a hospital. hidden: name → value of the fields that every form
    carries. notice: a code of `notices.NOTICES` that is said once. lock_minutes: after how many without use the page
    locks itself; 0: never. elsewhere: the person works in another hospital, too. let_in_until: when the support grant
    ends by which the person is here, in the hospital's time; None for members. sandbox: nobody in this hospital is
    real. state, state_reason: of the hospital, `moving` while it is brought to another cell; "" outside of one.
    held_back: what the hospital's pilot does not have where the person works, in words. past: the moment that is looked
    at and when that ends, in the hospital's time; None for today. today: where the paths of today begin. office: these
    are the department's own pages. announcements: what the department says on the hospital's pages now. zone: the
    hospital's.
    """

    language: Language = "vi"
    theme: str = "auto"
    hospital: str = ""
    prefix: str = ""
    person: str = ""
    role: str = ""
    permissions: frozenset[str] = frozenset()
    hidden: Callable[[], Mapping[str, str]] = field(default=dict)
    notice: str = ""
    path: str = ""
    lock_minutes: int = 0
    elsewhere: bool = False
    let_in_until: datetime | None = None
    sandbox: bool = False
    state: str = ""
    state_reason: str = ""
    held_back: tuple[str, ...] = ()
    past: tuple[datetime, datetime] | None = None
    today: str = ""
    office: bool = False
    announcements: Sequence[Announcement] = ()
    zone: tzinfo = UTC


@dataclass(frozen=True)
class Pages:
    """The templates of this build, once a language, and the headers that every page carries."""

    environments: Mapping[Language, Environment]
    headers: Mapping[str, str] = field(default_factory=dict)
    navigation: tuple[NavItem, ...] = ()

    def page(self, template: str, scene: Scene, /, **context: object) -> str:
        """The template's HTML for this scene."""
        environment = self.environments[scene.language]
        return environment.get_template(template).render(scene=scene, navigation=self.navigation, **context)


def build_pages(
    assets: Assets, *, headers: Mapping[str, str] | None = None, navigation: tuple[NavItem, ...] = ()
) -> Pages:
    """Make the environments of both languages; a template is compiled at its first use."""
    catalogue = read_catalogues(ROOMS)
    return Pages(
        environments={language: _environment(Speech(language, catalogue), assets) for language in i18n.LANGUAGES},
        headers=headers or {},
        navigation=navigation,
    )


def _environment(speech: Speech, assets: Assets) -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals |= {"t": speech.say, "language": speech.language, "asset": assets.address}
    environment.filters |= {
        "num": speech.number,
        "date": i18n.as_date,
        "datetime": i18n.as_datetime,
        "day": i18n.as_day,
        "month": i18n.as_month,
        "time": i18n.as_time,
    }
    return environment


def _source(name: str) -> str | None:
    """`room/file.html` lies in `emr/room/templates/file.html`."""
    room, _, file = name.partition("/")
    path = ROOMS / room / "templates" / file
    return path.read_text(encoding="utf-8") if path.is_file() else None
