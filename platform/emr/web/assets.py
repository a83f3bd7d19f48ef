"""The built browser code: found by its manifest, served under names that hold its digest, gzipped once."""

import json
from dataclasses import dataclass
from pathlib import Path

from emr.kernel.errors import NotFound, Unavailable

STATIC = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """One built file in both forms."""

    media_type: str
    plain: bytes
    gzipped: bytes


@dataclass(frozen=True)
class Assets:
    """Every built file, held in memory: there are two of them."""

    names: dict[str, str]
    files: dict[str, Asset]

    def address(self, name: str) -> str:
        """The path of `app.js` or `style.css` in this build."""
        return f"/static/{self.names[name]}"

    def get(self, named: str) -> Asset:
        """The file with this digest in its name."""
        if named not in self.files:
            raise NotFound("no-such-file", "No such file")
        return self.files[named]


def read_assets(folder: Path = STATIC) -> Assets:
    """Read what `npm run build` in platform/web wrote."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise Unavailable("no-browser-code", f"{manifest} is missing: run `npm ci && npm run build` in platform/web")
    names: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))
    files = {
        named: Asset(
            media_type=_TYPES[Path(named).suffix],
            plain=(folder / named).read_bytes(),
            gzipped=(folder / f"{named}.gz").read_bytes(),
        )
        for named in names.values()
    }
    return Assets(names=names, files=files)
