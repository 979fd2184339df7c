"""Goes once through all four planes, with the client for threads and then with the one for event loops.

Puts a file and gets it back, reads an edge object, sends a message and receives it, gives the file a name and looks it
up. The gateway and the capability come from the environment:

    ron-gateway dev -- python quickstart.py [FILE]
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from ron_app_sdk import MAX_BODY, AsyncRonAppSdk, RonAppSdk, RonError

EDGE_PATH = "/ron/64k"
TOPIC = "quickstart/files"
NAME = "quickstart.latest"


class Table:
    """Prints a row for each operation, with the time since the last one."""

    def __init__(self, title: str) -> None:
        print(f"\n{title:<18} {'result':<32} {'bytes':>9} {'time':>12}")
        self._began = time.perf_counter()

    def row(self, operation: str, result: str, size: int = 0) -> None:
        elapsed = (time.perf_counter() - self._began) * 1000
        print(f"{operation:<18} {result:<32} {size:>9} {elapsed:>9.3f} ms")
        self._began = time.perf_counter()


def blocking(content: bytes) -> None:
    with RonAppSdk.from_env() as sdk:
        table = Table("RonAppSdk")
        address = sdk.storage_put(content)
        table.row("storage_put", "stored", len(content))
        body = sdk.storage_get(address)
        assert body == content
        table.row("storage_get", "verified, equal to the file", len(body))
        table.row("storage_head", f"{sdk.storage_head(address).size} bytes")
        if content:
            part = sdk.storage_get_range(address, range(100))
            assert part.body == content[:100]
            table.row("storage_get_range", f"bytes {part.byte_range} of {part.size}", len(part.body))
        table.row("edge_get", EDGE_PATH, len(sdk.edge_get(EDGE_PATH)))

        sdk.mailbox_send(TOPIC, address.encode(), attributes={"kind": "new-file"})
        table.row("mailbox_send", "sent")
        [message] = sdk.mailbox_receive(TOPIC, wait=1)
        table.row("mailbox_receive", f"delivery {message.attempt} to {message.topic}", len(message.body))
        sdk.mailbox_ack(message)
        table.row("mailbox_ack", "will not come again")

        sdk.index_publish(NAME, address)
        table.row("index_publish", NAME)
        assert sdk.index_resolve(NAME) == address
        table.row("index_resolve", "the file's address")


async def asynchronous(content: bytes) -> None:
    async with AsyncRonAppSdk.from_env() as sdk:
        table = Table("AsyncRonAppSdk")
        # Pieces of the file, all at once.
        size = max(1, len(content) // 16)
        pieces = [content[start : start + size] for start in range(0, len(content), size)]
        addresses = await asyncio.gather(*map(sdk.storage_put, pieces))
        table.row("storage_put", f"{len(pieces)} pieces at once", len(content))
        bodies = await asyncio.gather(*map(sdk.storage_get, addresses))
        assert b"".join(map(bytes, bodies)) == content
        table.row("storage_get", "verified, equal to the file", len(content))

        async with asyncio.TaskGroup() as group:
            received = group.create_task(sdk.mailbox_receive(TOPIC, wait=5))
            await sdk.mailbox_send(TOPIC, b"to somebody who waits")
        [message] = received.result()
        await sdk.mailbox_ack(message)
        table.row("mailbox_receive", f"{message.body.decode()!r}", len(message.body))


def main() -> int:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else __file__)
    try:
        content = path.read_bytes()
        if len(content) > MAX_BODY:
            print(f"quickstart: {path} has {len(content)} bytes and one object at most {MAX_BODY}", file=sys.stderr)
            return 1
        blocking(content)
        asyncio.run(asynchronous(content))
    except (RonError, OSError) as error:
        print(f"quickstart: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
