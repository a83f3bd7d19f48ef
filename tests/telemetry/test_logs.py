"""What may stand in a log line, and what may not."""

import io
import logging
import warnings

import pytest

from emr.kernel.errors import Conflict
from emr.settings import Telemetry
from emr.telemetry import activity
from emr.telemetry.logs import WITHHELD, configure_logs, get_logger
from tests.telemetry.conftest import Lines

PERSON = ["Nguyễn Thị Hoa", "079185001234", "0912 345 678", "DN4797912345678", "hồ sơ 12"]


class TestKeys:
    def test_a_key_that_is_not_listed_is_left_out(self, lines: Lines) -> None:
        get_logger().info("note signed", patient="Hoa", rows=3)
        assert lines.last["rows"] == 3
        assert "patient" not in lines.last

    @pytest.mark.parametrize("person", PERSON)
    def test_a_value_that_could_tell_of_a_person_is_withheld(self, lines: Lines, person: str) -> None:
        get_logger().info("looked", reason=person, target=[person])
        assert (lines.last["reason"], lines.last["target"]) == (WITHHELD, [WITHHELD])
        assert person not in lines.text

    @pytest.mark.parametrize("person", PERSON)
    def test_so_is_an_event_that_was_put_together(self, lines: Lines, person: str) -> None:
        get_logger().info(f"read {person}")
        assert lines.last["event"] == WITHHELD

    @pytest.mark.parametrize("value", ["127.0.0.1:8000", "2026-11-22", "t_abc123def456", "emr.records.read:42"])
    def test_machinery_is_readable(self, lines: Lines, value: str) -> None:
        get_logger().info("started", reason=value)
        assert lines.last["reason"] == value

    def test_the_running_activity_is_named(self, lines: Lines) -> None:
        with activity.activity("relay", hospital="hoa-sen") as doing:
            get_logger().warning("slow")
        assert lines.last["activity"] == "relay"
        assert lines.last["hospital"] == "hoa-sen"
        assert lines.last["request_id"] == doing.id


class TestExceptions:
    def test_types_and_places_are_told_and_messages_are_not(self, lines: Lines) -> None:
        try:
            try:
                raise ValueError("Key (value)=(079185001234) already exists, Hoa")  # noqa: TRY301
            except ValueError as error:
                raise Conflict("number-taken", "Nguyễn Thị Hoa has it.") from error
        except Conflict:
            get_logger().exception("write failed")
        assert lines.last["error"] == "Conflict < ValueError"
        assert lines.last["code"] == "number-taken"
        assert "test_logs.py" in str(lines.last["frames"])
        assert "Hoa" not in lines.text
        assert "079185001234" not in lines.text


class TestOtherLibraries:
    def test_their_texts_are_withheld(self, lines: Lines) -> None:
        logging.getLogger("pydicom").error("Invalid value %s", "Hoa")
        assert lines.last["logger"] == "pydicom"
        assert "Hoa" not in lines.text

    def test_a_trusted_library_is_quoted(self, lines: Lines) -> None:
        logging.getLogger("uvicorn.error").info("Application startup complete.")
        assert lines.last["event"] == "Application startup complete."

    def test_even_a_trusted_library_does_not_show_an_exceptions_message(self, lines: Lines) -> None:
        try:
            raise ValueError("Hoa 079185001234")  # noqa: TRY301
        except ValueError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
        assert lines.last["error"] == "ValueError"
        assert "Hoa" not in lines.text

    def test_warnings_go_the_same_way(self, lines: Lines) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(False)
            logging.captureWarnings(True)
            warnings.warn("The value Hoa is not valid for PN", stacklevel=1)
        assert lines.last["logger"] == "py.warnings"
        assert "Hoa" not in lines.text


class TestForms:
    def test_text_is_readable_on_a_terminal(self) -> None:
        stream = io.StringIO()
        configure_logs(Telemetry(log_format="text"), "worker", stream)
        get_logger().info("relay started", rows=3)
        assert "relay started" in stream.getvalue()
        assert "rows=3" in stream.getvalue()

    def test_less_severe_than_asked_for_is_not_written(self) -> None:
        stream = io.StringIO()
        configure_logs(Telemetry(log_level="warning"), "worker", stream)
        get_logger().info("relay started")
        assert stream.getvalue() == ""
