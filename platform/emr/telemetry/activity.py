"""What this task is doing at the moment, for everything that tells operators about it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class Activity:
    """One request, association or job.

    `id` is the request id; `hospital` the slug once it has been resolved, never text that a caller sent; `name` what a
    process does on its own, such as `relay`.
    """

    id: str
    hospital: str | None = None
    name: str | None = None


_current: Final[ContextVar[Activity | None]] = ContextVar("emr_activity", default=None)


def current() -> Activity | None:
    """What the running task is about, if anybody said so."""
    return _current.get()


def request_id() -> str:
    """The id that logs, traces, audit rows and the caller's answer share; empty outside of any activity."""
    activity = _current.get()
    return activity.id if activity else ""


def new_id() -> str:
    """32 hex digits that mean nothing."""
    return os.urandom(16).hex()


def note_hospital(slug: str) -> None:
    """Say which hospital this is about. Only for slugs that the registry knows: they become metric labels."""
    activity = _current.get()
    if activity is not None:
        activity.hospital = slug


@contextmanager
def activity(name: str, *, hospital: str | None = None) -> Iterator[Activity]:
    """A piece of work that no request started: a job, an association, a command."""
    begun = Activity(new_id(), hospital, name)
    token = _current.set(begun)
    try:
        yield begun
    finally:
        _current.reset(token)


@contextmanager
def request(id_: str) -> Iterator[Activity]:
    """One HTTP request."""
    begun = Activity(id_)
    token = _current.set(begun)
    try:
        yield begun
    finally:
        _current.reset(token)
