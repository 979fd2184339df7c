"""A worker: takes messages from a topic, does something about each, and acknowledges what is done.

What it does here is to count words, several messages at a time. A message that is no text is given back until the
gateway gives it up; it then lies among the dead letters, which are shown at the end. Without an argument it sends
itself some work first. It ends when there is nothing left to do.

    ron-gateway dev -- python worker.py [TOPIC]
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from ron_app_sdk import AsyncRonAppSdk, Message, StaleLeaseError

# What one worker has in hand at a time, and for how long nobody else gets it.
AT_ONCE = 10
VISIBILITY = 30


async def work_on(sdk: AsyncRonAppSdk, message: Message) -> None:
    try:
        text = message.body.decode()
    except UnicodeDecodeError as error:
        print(f"message {message.id:<4} is given back, delivery {message.attempt}: {error.reason}")
        await sdk.mailbox_nack(message)
        return
    print(f"message {message.id:<4} has {len(text.split())} words")
    # Where it took longer than its visibility, somebody else has it now.
    with suppress(StaleLeaseError):
        await sdk.mailbox_ack(message)


async def send_work(sdk: AsyncRonAppSdk) -> str:
    topic = "worker/texts"
    for text in (b"one", b"two words", b"and three words", b"\xff"):
        await sdk.mailbox_send(topic, text)
    return topic


async def main() -> None:
    async with AsyncRonAppSdk.from_env() as sdk:
        topic = sys.argv[1] if len(sys.argv) > 1 else await send_work(sdk)
        while messages := await sdk.mailbox_receive(topic, max_messages=AT_ONCE, visibility=VISIBILITY, wait=1):
            async with asyncio.TaskGroup() as group:
                for message in messages:
                    group.create_task(work_on(sdk, message))
        for message in await sdk.mailbox_receive(topic + ".dead", max_messages=AT_ONCE):
            assert message.dead is not None
            print(f"message {message.id:<4} is a dead letter after {message.dead.deliveries} deliveries")
            await sdk.mailbox_ack(message)


if __name__ == "__main__":
    asyncio.run(main())
