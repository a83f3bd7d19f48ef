"""The base of everything that a hospital's file may say: nothing unknown, nothing bent into shape."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Immutable, and refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
