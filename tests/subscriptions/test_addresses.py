"""Where nothing is ever sent: every spelling of a private place, names that lead there, redirects."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

import pytest

from emr.kernel.tenant import Receiver as Allowed
from emr.subscriptions.addresses import EndpointRefused, Fence, endpoint_of, is_public, leads_to
from emr.subscriptions.outgoing import Answer, Call, Outgoing
from tests.subscriptions.receiver import Receiver

NOWHERE = Fence(())
PRIVATE = (
    "https://127.0.0.1/", "https://127.8.8.8/", "https://10.0.0.1/", "https://10.255.255.255:8443/x",
    "https://172.16.0.1/", "https://172.31.255.1/", "https://192.168.1.1/", "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data", "https://0.0.0.0/", "https://0.1.2.3/", "https://224.0.0.1/",
    "https://255.255.255.255/", "https://240.0.0.1/", "https://192.0.2.1/", "https://198.18.0.1/",
    "https://[::1]/", "https://[::]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fc00::1]/",
    "https://[fd12:3456::1]/", "https://[ff02::1]/", "https://[fec0::1]/", "https://[2001:db8::1]/",
    "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::ffff:10.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/", "https://[2002:7f00:1::]/", "https://[2002:a00:1::1]/",
    "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::a00:1]/", "https://[64:ff9b:1::1]/",
    "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/", "https://[::127.0.0.1]/",
)  # fmt: skip
MISSPELT = (
    "https://2130706433/", "https://0x7f000001/", "https://017700000001/", "https://0177.0.0.1/", "https://0x7f.0.0.1/",
    "https://127.1/", "https://127.0.1/", "https://1.2.3.4.5/", "https://127.0.0.1.1/", "https://example.0x1/",
    "https://[127.0.0.1]/", "https://[::1", "https://", "https:///x", "https://a_b.example/", "https://-a.example/",
    "https://a..example/", "https://xn--.example:99999/", "https://exämple.example/", "https://example.example\\@10.0.0.1/",
    "https://user@example.example/", "https://user:secret@example.example/", "https://@example.example/",
    "https://example.example/#@10.0.0.1", "https://example.example/ x", "https://example.example/\r\nHost: x",
    "ftp://example.example/", "file:///etc/passwd", "javascript:alert(1)", "//example.example/", "example.example",
    "https://%6c%6f%63alhost/", "https://①②⑦.0.0.1/",
)  # fmt: skip


class TestWhatIsWritten:
    @pytest.mark.parametrize("url", PRIVATE)
    def test_a_private_address_is_refused(self, url: str) -> None:
        with pytest.raises(EndpointRefused) as refused:
            NOWHERE.demand(url)
        assert refused.value.code in ("endpoint-private", "endpoint-host")
        assert refused.value.location == "Subscription.channel.endpoint"

    @pytest.mark.parametrize("url", MISSPELT)
    def test_what_can_be_read_in_two_ways_is_refused(self, url: str) -> None:
        with pytest.raises(EndpointRefused):
            NOWHERE.demand(url)

    @pytest.mark.parametrize(
        "url",
        ["https://8.8.8.8/", "https://[2606:4700::1111]/x?y=1", "https://his.example.vn:8443/a", "https://a.b.c./"],
    )
    def test_a_public_one_is_not(self, url: str) -> None:
        assert NOWHERE.demand(url).scheme == "https"

    def test_http_is_refused_anywhere(self) -> None:
        for url in ("http://8.8.8.8/", "http://his.example.vn/"):
            with pytest.raises(EndpointRefused) as refused:
                NOWHERE.demand(url)
            assert refused.value.code == "endpoint-http"


def permits(fence: Fence, url: str, address: str) -> bool:
    return fence.permits(endpoint_of(url), ipaddress.ip_address(address))


class TestWhatTheHospitalAllows:
    def test_a_network_opens_that_network_alone(self) -> None:
        fence = Fence((Allowed(cidr="10.20.0.0/24"),))
        assert permits(fence, "https://lis.local/", "10.20.0.7")
        assert permits(fence, "https://lis.local/", "::ffff:10.20.0.7")
        assert not permits(fence, "https://lis.local/", "10.20.1.7")
        assert not permits(fence, "http://lis.local/", "10.20.0.7")

    def test_a_name_opens_private_networks_for_itself_but_neither_loopback_nor_metadata(self) -> None:
        fence = Fence((Allowed(host="lis.hoa-sen.example"),))
        assert permits(fence, "https://lis.hoa-sen.example/", "192.168.4.4")
        assert permits(fence, "https://LIS.hoa-sen.example./", "fd00::4")
        assert not permits(fence, "https://other.example/", "192.168.4.4")
        for address in ("127.0.0.1", "169.254.169.254", "::1", "fe80::1", "0.0.0.0", "224.0.0.1"):
            assert not permits(fence, "https://lis.hoa-sen.example/", address)

    def test_http_needs_to_be_said(self) -> None:
        fence = Fence((Allowed(host="lis.hoa-sen.example", http=True), Allowed(cidr="127.0.0.0/8", http=True)))
        assert fence.demand("http://lis.hoa-sen.example/")
        assert permits(fence, "http://lis.hoa-sen.example/", "192.168.4.4")
        assert permits(fence, "http://lis.hoa-sen.example/", "8.8.8.8")
        assert not permits(fence, "http://other.example/", "8.8.8.8")
        assert permits(fence, "http://127.0.0.1/", "127.0.0.1")

    def test_an_address_inside_another_is_judged_as_what_it_leads_to(self) -> None:
        for text in ("::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"):
            assert is_public(leads_to(ipaddress.ip_address(text)))


def sent(fence: Fence, url: str, *answers: Sequence[str]) -> tuple[Answer, list[str]]:
    """A call where the name resolves to each of the answers in turn."""
    asked: list[str] = []

    async def resolver(host: str, port: int) -> Sequence[str]:
        del port
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    call = Call(url, "POST", (), b"x", 3)
    return asyncio.run(Outgoing(fence, resolver).send(call, endpoint_of(url))), asked


class TestNames:
    @pytest.mark.parametrize(
        "addresses",
        [
            ["127.0.0.1"], ["10.1.1.1"], ["169.254.169.254"], ["::1"], ["::ffff:127.0.0.1"], ["fe80::1%lo"],
            ["0.0.0.0"], ["8.8.8.8", "127.0.0.1"], ["2606:4700::1111", "fd00::1"], [],
        ],
    )  # fmt: skip
    def test_a_name_that_leads_to_a_private_place_is_not_called(self, addresses: list[str], receiver: Receiver) -> None:
        port = receiver.url.split(":")[2].split("/")[0]
        answer, _ = sent(NOWHERE, f"https://public.example:{port}/hook", addresses)
        assert answer.reason == "address-not-allowed"
        assert receiver.came == []

    def test_localhost_is_asked_of_the_system_and_refused(self, receiver: Receiver) -> None:
        url = receiver.url.replace("127.0.0.1", "localhost").replace("http:", "https:")
        answer = asyncio.run(Outgoing(NOWHERE).send(Call(url, "POST", (), b"", 3), endpoint_of(url)))
        assert answer.reason == "address-not-allowed"
        assert receiver.came == []

    def test_a_name_that_changes_its_mind_is_asked_once_for_each_connection(self, receiver: Receiver) -> None:
        """Rebinding: what was judged is what is connected to, and the second answer is judged again."""
        fence = Fence((Allowed(cidr="127.0.0.1/32", http=True),))
        url = receiver.url.replace("127.0.0.1", "turning.example")
        answer, asked = sent(fence, url, ["127.0.0.1"], ["127.0.0.2"])
        assert (answer.reason, asked) == (None, ["turning.example"])
        assert receiver.came[0].headers["host"].startswith("turning.example")
        answer, _ = sent(fence, url, ["127.0.0.2"])
        assert answer.reason == "address-not-allowed"
        assert len(receiver.came) == 1


class TestAnswers:
    def call(self, receiver: Receiver, seconds: float = 3) -> Answer:
        fence = Fence((Allowed(cidr="127.0.0.0/8", http=True),))
        call = Call(receiver.url, "POST", (), b"", seconds)
        return asyncio.run(Outgoing(fence).send(call, endpoint_of(receiver.url)))

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, receiver: Receiver, status: int) -> None:
        receiver.reply = lambda _: (status, {"location": receiver.url + "/secret"})
        assert self.call(receiver) == Answer("redirect")
        assert [each.path for each in receiver.came] == ["/hook"]

    @pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
    def test_anything_but_2xx_is_a_failure(self, receiver: Receiver, status: int) -> None:
        receiver.reply = lambda _: (status, {})
        assert self.call(receiver) == Answer(f"status-{status}")

    @pytest.mark.parametrize(
        ("said", "pause"), [("7", 7.0), ("999999", 3600.0), ("soon", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)]
    )
    def test_retry_after_is_believed_up_to_an_hour(self, receiver: Receiver, said: str, pause: float) -> None:
        receiver.reply = lambda _: (503, {"retry-after": said})
        assert self.call(receiver).pause == pause

    def test_who_accepts_and_never_answers_is_left_after_the_time(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            fence = Fence((Allowed(cidr="127.0.0.0/8", http=True),))
            answer = asyncio.run(Outgoing(fence).send(Call(url, "POST", (), b"", 0.3), endpoint_of(url)))
        assert answer.reason == "timeout"

    def test_nobody_there_and_no_tls_there(self, receiver: Receiver) -> None:
        fence = Fence((Allowed(cidr="127.0.0.0/8", http=True),))
        for url, reason in (
            ("http://127.0.0.1:1/", "no-connection"),
            (receiver.url.replace("http:", "https:"), "tls-failed"),
        ):
            answer = asyncio.run(Outgoing(fence).send(Call(url, "POST", (), b"", 3), endpoint_of(url)))
            assert answer.reason == reason
