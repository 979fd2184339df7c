"""Gets of an edge object over TLS from one gateway: with this SDK, and with HTTP clients over HTTP."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from ron_app_sdk.testing import Gateway

PATH = "/ron/64k"
CALLS = 256


def url(gateway: Gateway) -> str:
    return f"{gateway.address}/edge{PATH}"


def authorization(gateway: Gateway) -> dict[str, str]:
    return {"Authorization": f"Ron {gateway.capability.expose()}"}


def test_blocking_sdk(benchmark: Any, ron_gateway: Gateway) -> None:
    with ron_gateway.client() as sdk:
        benchmark(sdk.edge_get, PATH)


def test_blocking_requests(benchmark: Any, ron_gateway: Gateway) -> None:
    requests = pytest.importorskip("requests")
    with requests.Session() as session:
        session.headers.update(authorization(ron_gateway))
        # Not what the environment says of certificates.
        session.trust_env = False
        session.verify = ron_gateway.certificate_authority

        def get() -> None:
            answer = session.get(url(ron_gateway))
            answer.raise_for_status()
            assert len(answer.content) == 65_536

        benchmark(get)


def test_blocking_httpx(benchmark: Any, ron_gateway: Gateway) -> None:
    httpx = pytest.importorskip("httpx")
    context = ssl.create_default_context(cafile=ron_gateway.certificate_authority)
    with httpx.Client(headers=authorization(ron_gateway), verify=context) as client:

        def get() -> None:
            assert len(client.get(url(ron_gateway)).raise_for_status().content) == 65_536

        benchmark(get)


def test_blocking_pycurl(benchmark: Any, ron_gateway: Gateway) -> None:
    pycurl = pytest.importorskip("pycurl")
    from io import BytesIO

    curl = pycurl.Curl()
    [(name, value)] = authorization(ron_gateway).items()
    curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}"])
    curl.setopt(pycurl.CAINFO, ron_gateway.certificate_authority)
    curl.setopt(pycurl.URL, url(ron_gateway))

    def get() -> None:
        content = BytesIO()
        curl.setopt(pycurl.WRITEDATA, content)
        curl.perform()
        assert curl.getinfo(pycurl.RESPONSE_CODE) == 200
        assert len(content.getvalue()) == 65_536

    benchmark(get)
    curl.close()


def throughput(benchmark: Any, runner: asyncio.Runner, get: Any, in_flight: int) -> None:
    """Calls with so many in flight; each round is `CALLS` of them."""

    async def caller(count: int) -> None:
        for _ in range(count):
            await get()

    async def main() -> None:
        await asyncio.gather(*(caller(CALLS // in_flight) for _ in range(in_flight)))

    benchmark.extra_info["calls"] = CALLS
    benchmark(lambda: runner.run(main()))


@pytest.mark.parametrize("in_flight", [1, 64])
def test_asyncio_sdk(benchmark: Any, runner: asyncio.Runner, ron_gateway: Gateway, in_flight: int) -> None:
    sdk = ron_gateway.async_client()
    throughput(benchmark, runner, lambda: sdk.edge_get(PATH), in_flight)
    runner.run(sdk.close())


@pytest.mark.parametrize("in_flight", [1, 64])
def test_asyncio_aiohttp(benchmark: Any, runner: asyncio.Runner, ron_gateway: Gateway, in_flight: int) -> None:
    aiohttp = pytest.importorskip("aiohttp")
    context = ssl.create_default_context(cafile=ron_gateway.certificate_authority)

    async def opened() -> Any:
        connector = aiohttp.TCPConnector(ssl=context, limit=in_flight)
        return aiohttp.ClientSession(connector=connector, headers=authorization(ron_gateway))

    session = runner.run(opened())

    async def get() -> None:
        async with session.get(url(ron_gateway), raise_for_status=True) as answer:
            assert len(await answer.read()) == 65_536

    throughput(benchmark, runner, get, in_flight)

    async def close() -> None:
        await session.close()
        # It leaves its transports to the loop.
        await asyncio.sleep(0.2)

    runner.run(close())


@pytest.mark.parametrize("in_flight", [1, 64])
def test_asyncio_httpx(benchmark: Any, runner: asyncio.Runner, ron_gateway: Gateway, in_flight: int) -> None:
    httpx = pytest.importorskip("httpx")
    context = ssl.create_default_context(cafile=ron_gateway.certificate_authority)
    client = httpx.AsyncClient(headers=authorization(ron_gateway), verify=context)

    async def get() -> None:
        answer = await client.get(url(ron_gateway))
        assert len(answer.raise_for_status().content) == 65_536

    throughput(benchmark, runner, get, in_flight)
    runner.run(client.aclose())
