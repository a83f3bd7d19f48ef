"""The two words for a browser."""

import pytest

from emr.web.devices import device_of

_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "


class TestDevice:
    @pytest.mark.parametrize(
        ("user_agent", "said"),
        [
            ("", ""),
            ("python-httpx/0.28.1", ""),
            (_WINDOWS + "Chrome/142.0 Safari/537.36", "Chrome · Windows"),
            (_WINDOWS + "Chrome/142.0 Safari/537.36 Edg/142.0", "Edge · Windows"),
            (_WINDOWS + "coc_coc_browser/120.0 Chrome/114.0 Safari/537.36", "Cốc Cốc · Windows"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox · Linux"),
            ("Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/142.0 Mobile Safari/537.36", "Chrome · Android"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari · iPhone"),
            ("<script>alert(1)</script>", ""),
        ],
    )
    def test_it_is_one_of_a_closed_list(self, user_agent: str, said: str) -> None:
        assert device_of(user_agent) == said
