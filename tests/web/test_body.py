"""Bodies are read within their own limit and within the room that all of them have."""

import asyncio

import pytest

from emr.kernel.errors import Unavailable
from emr.web.body import Room, Share
from tests.house import House
from tests.patience import comes_true_meanwhile

MIB = 1 << 20


class TestRoom:
    def test_what_is_taken_is_given_back(self) -> None:
        room = Room(10)
        share = Share(room)
        share.take(4)
        share.take(6)
        share.give_back()
        assert room.taken == 0

    def test_who_comes_when_it_is_full_is_asked_to_come_again(self) -> None:
        room = Room(10)
        first, second = Share(room), Share(room)
        first.take(8)
        with pytest.raises(Unavailable):
            second.take(3)
        second.give_back()
        first.give_back()
        second.take(3)
        assert room.taken == 3

    def test_many_slow_clients_get_503_and_nothing_stays_taken(self, live: House) -> None:
        """Twenty clients announce eight MiB each and send seven: more than there is room for."""

        async def client() -> int:
            port = int(live.url.rsplit(":", 1)[1])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = (
                f"POST /h/hoa-sen/fhir/Patient HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {live.token()}\r\n"
                f"Content-Type: application/fhir+json\r\nContent-Length: {8 * MIB}\r\n\r\n"
            )
            writer.write(head.encode() + b" " * (7 * MIB))
            try:
                status = await reader.readline()
            finally:
                writer.close()
            return int(status.split()[1])

        async def crowd() -> tuple[list[int], int]:
            """The answers, once so many are answered as there is no room for, and how many wait to send the rest."""
            clients = [asyncio.create_task(client()) for _ in range(20)]
            await comes_true_meanwhile(lambda: sum(each.done() for each in clients) >= 11)
            answered = [each.result() for each in clients if each.done()]
            for each in clients:
                each.cancel()
            await asyncio.wait(clients)
            return answered, len(clients) - len(answered)

        answers, waiting = asyncio.run(crowd())
        assert set(answers) == {503}
        assert len(answers) >= 11
        assert waiting > 0
        with live.client() as doctor:
            assert doctor.post("/Patient", json={"resourceType": "Patient"}).status_code == 201
