from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
import requests
from dicomweb_client.api import DICOMwebClient

from tests.house import HOA_SEN, House


@pytest.fixture
def web(live: House) -> Iterator[Callable[..., httpx.Client]]:
    """An HTTP client of one account below its hospital's DICOMweb service."""
    with ExitStack() as stack:

        def open_client(role: str = "imaging", slug: str = HOA_SEN) -> httpx.Client:
            client = live.client(role, slug)
            client.base_url = httpx.URL(f"{live.url}/h/{slug}/dicomweb")
            return stack.enter_context(client)

        yield open_client


@pytest.fixture
def stranger(live: House) -> Iterator[Callable[..., DICOMwebClient]]:
    """dicomweb-client, a DICOMweb client of other makers."""
    with ExitStack() as stack:

        def open_client(role: str = "imaging", slug: str = HOA_SEN) -> DICOMwebClient:
            session = stack.enter_context(requests.Session())
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {live.token(role, slug)}"
            return DICOMwebClient(f"{live.url}/h/{slug}/dicomweb", session=session)

        yield open_client
