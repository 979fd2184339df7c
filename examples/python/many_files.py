"""Stores every file of a folder, many at a time, with a progress bar, and writes down what is where.

The list that it prints has a line per file, address and path. Files above 1,015,808 bytes are left out, and
named. Needs `pip install tqdm`.

    ron-gateway dev -- python many_files.py FOLDER > addresses.txt
"""

# /// script
# requires-python = ">=3.11"
# dependencies = ["ron-app-sdk", "tqdm"]
# ///

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from ron_app_sdk import AsyncRonAppSdk, TooLargeError

# Files in memory, and calls under way.
AT_ONCE = 64


async def store(sdk: AsyncRonAppSdk, paths: Iterator[Path], stored: dict[Path, str], bar: tqdm[NoReturn]) -> None:
    """One of several that share the files."""
    for path in paths:
        content = await asyncio.to_thread(path.read_bytes)
        try:
            stored[path] = await sdk.storage_put(content)
        except TooLargeError:
            bar.write(f"{path} is too large for one object: {len(content)} bytes", file=sys.stderr)
        bar.update()


async def main(folder: Path, paths: list[Path]) -> None:
    stored: dict[Path, str] = {}
    shared = iter(paths)
    async with AsyncRonAppSdk.from_env(timeout=30) as sdk:
        with tqdm(total=len(paths), unit=" files", file=sys.stderr) as bar:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(store(sdk, shared, stored, bar))
    for path in paths:
        if path in stored:
            print(stored[path], path.relative_to(folder))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: many_files.py FOLDER")
    below = Path(sys.argv[1])
    asyncio.run(main(below, sorted(path for path in below.rglob("*") if path.is_file())))
