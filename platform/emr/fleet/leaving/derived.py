"""What is made of the package's own files: tables for a spreadsheet, and the reader with its data.

Nothing but files is read and everything is begun anew, so that a run that was cut off leaves nothing to mend.
"""

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final

from emr.definitions.compartment import in_patient_compartment
from emr.fleet.leaving.charts import Charts
from emr.fleet.leaving.layout import CONTENTS, CURRENT, MEMBERS, SPECIFICATION, FileFact
from emr.fleet.leaving.progress import Progress
from emr.fleet.leaving.record import Watch
from emr.fleet.leaving.sheets import SHEETS, Sheet, Sheets
from emr.fleet.leaving.shelf import put_file
from emr.fleet.leaving.words import text
from emr.storage.ports import name_of

PHASE: Final = "derived"
READER: Final = "xem-ho-so.html"
_ASSETS: Final = ("reader.css", "reader.js")
_CHARTS: Final = 1 << 20
"""Characters of charts in one file of the reader."""
_PATIENTS: Final = 5_000
_MEMBERS: Final = Sheet("users", (
    ("Tài khoản", text("subject")), ("Họ tên", text("name")), ("Vai trò", text("role")), ("Đang dùng", text("active")),
    ("Nhiệm vụ thêm", text("duties")), ("Từ lúc", text("created_at")),
))  # fmt: skip


async def write_derived(progress: Progress, watch: Watch) -> None:
    """The phase, in a thread beside the loop."""
    progress.over(PHASE, await asyncio.to_thread(_derive, progress, watch))


def _derive(progress: Progress, watch: Watch) -> list[FileFact]:
    root = progress.root
    for folder in ("csv", "reader"):
        shutil.rmtree(root / folder, ignore_errors=True)
    with closing(Charts(root)) as charts, Sheets(root) as sheets:
        _know_contents(root, charts)
        for path in _current(progress):
            for resource in _lines(root / path):
                sheets.add(resource)
                charts.add(resource)
                watch(PHASE, 1)
        for member in _lines(root / MEMBERS):
            sheets.row(_MEMBERS, [_cell(member, of) for _, of in _MEMBERS.columns])
        files = [*sheets.close(), *_reader(progress, charts)]
    specification = resources.files("emr.fleet.leaving").joinpath("specification.md").read_bytes()
    return [*files, put_file(root, SPECIFICATION, specification)]


def _cell(member: dict[str, Any], of: Any) -> str:
    return str(of({name: str(value) if isinstance(value, bool) else value for name, value in member.items()}))


def _know_contents(root: Path, charts: Charts) -> None:
    for row in _lines(root / CONTENTS):
        charts.content(name_of(row["key"]), row["path"])
    studies = {
        row["series_uid"]: (row["study_id"], row["number"]) for row in _lines(root / "state/dicom_series.ndjson")
    }
    for row in _lines(root / "state/dicom_instances.ndjson"):
        study, series = studies.get(row["series_uid"], ("", 0))
        path = charts.path_of(name_of(row["blob"]))
        if path is not None:
            charts.image(study, path, f"{series or 0:06} {row['series_uid']} {row['number'] or 0:06}")
    charts.images_done()


def _current(progress: Progress) -> list[str]:
    """The files of what stands in a sheet or in a chart."""
    paths = [each.path for each in progress.files() if each.path.startswith(CURRENT + "/")]
    return [path for path in paths if (kind := _type_of(path)) in SHEETS or in_patient_compartment(kind)]


def _type_of(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of lines; decimals stay as they are written."""
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line, parse_float=str)


def _reader(progress: Progress, charts: Charts) -> list[FileFact]:
    root, files = progress.root, list[FileFact]()
    pile = _Pile(root)
    for who, chart in charts.patients():
        pile.add(who, chart)
    files += pile.close()
    hospital, moment = progress.facts["hospital"], datetime.fromisoformat(progress.facts["moment"])
    about = {
        "name": hospital["name"],
        "moment": moment.strftime("%d/%m/%Y %H:%M UTC"),
        "lists": pile.lists,
        "patients": pile.count,
    }
    files.append(put_file(root, "reader/about.js", _call("about", about)))
    own = resources.files("emr.fleet.leaving").joinpath("reader")
    files += [put_file(root, f"reader/{name}", own.joinpath(name).read_bytes()) for name in _ASSETS]
    return [*files, put_file(root, READER, own.joinpath("reader.html").read_bytes())]


def _call(name: str, *values: Any) -> bytes:
    """A line of script that hands values to the reader: JSON, which no text can break out of."""
    told = ",".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in values)
    return f"hoSo.{name}({told});\n".encode().replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")


class _Pile:
    """Patients and charts on their way into files of the reader."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: list[FileFact] = []
        self._list: list[list[Any]] = []
        self._charts: dict[str, Any] = {}
        self._weight = 0
        self._shard = 1
        self.lists = 0
        self.count = 0

    def add(self, who: list[str], chart: dict[str, list[Any]]) -> None:
        """One patient."""
        self._list.append([*who, self._shard])
        self._charts[who[0]] = chart
        self._weight += len(str(chart))
        self.count += 1
        if self._weight > _CHARTS:
            self._end_shard()
        if len(self._list) == _PATIENTS:
            self._end_list()

    def close(self) -> list[FileFact]:
        """The rest."""
        if self._charts:
            self._end_shard()
        if self._list:
            self._end_list()
        return self._files

    def _end_shard(self) -> None:
        path = f"reader/charts-{self._shard:05}.js"
        self._files.append(put_file(self._root, path, _call("charts", self._shard, self._charts)))
        self._charts, self._weight, self._shard = {}, 0, self._shard + 1

    def _end_list(self) -> None:
        self.lists += 1
        path = f"reader/patients-{self.lists:05}.js"
        self._files.append(put_file(self._root, path, _call("patients", self._list)))
        self._list = []
