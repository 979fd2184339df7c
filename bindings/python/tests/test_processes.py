"""What becomes of clients when their process forks or ends, and what importing them costs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ron_app_sdk import AsyncRonAppSdk, ForkDetectedError, RonAppSdk, address_of
from ron_app_sdk.testing import Gateway

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def python(code: str, gateway: Gateway, limit: float = 30) -> subprocess.CompletedProcess[str]:
    """Runs a program that finds the gateway in its environment."""
    command = [sys.executable, "-W", "error", "-c", code]
    environment = os.environ | gateway.environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit, check=False)


IN_CHILD = """
import os, sys, traceback
from ron_app_sdk import ForkDetectedError, RonAppSdk, AsyncRonAppSdk, address_of

def in_child(work):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 0, code
"""

FORK_BLOCKING = (
    IN_CHILD
    + """
sdk = RonAppSdk.from_env()
sdk.storage_put(b"x")

def child():
    try:
        sdk.storage_put(b"x")
    except ForkDetectedError as error:
        assert error.executed == "no"
    else:
        raise AssertionError("the parent's client works in the child")
    with RonAppSdk.from_env() as mine:
        assert mine.storage_put(b"y") == address_of(b"y")

in_child(child)
assert sdk.storage_put(b"z") == address_of(b"z")
in_child(lambda: in_child(child))
"""
)

FORK_ASYNC = (
    IN_CHILD
    + """
import asyncio

sdk = AsyncRonAppSdk.from_env()
asyncio.run(sdk.storage_put(b"x"))

async def parents():
    try:
        await sdk.storage_put(b"x")
    except ForkDetectedError:
        return
    raise AssertionError("the parent's client works in the child")

async def own():
    async with AsyncRonAppSdk.from_env() as mine:
        assert await mine.storage_put(b"y") == address_of(b"y")

def child():
    asyncio.run(parents())
    asyncio.run(own())

in_child(child)

async def main():
    # While calls are open, and the SDK's thread runs.
    waiting = [asyncio.create_task(sdk.mailbox_receive("forks", wait=1)) for _ in range(4)]
    await asyncio.sleep(0.1)
    in_child(lambda: os._exit(0))
    assert await asyncio.gather(*waiting) == [[]] * 4

asyncio.run(main())
in_child(child)
"""
)

FORK_FROM_THREAD = (
    IN_CHILD
    + """
import signal, threading

sdk = RonAppSdk.from_env()
sdk.storage_put(b"x")

def child():
    # Here, this thread is the main one, and signals are its business.
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    with RonAppSdk.from_env() as mine:
        try:
            mine.mailbox_receive("forks", wait=10, timeout=15)
        except KeyboardInterrupt:
            return
    raise AssertionError("nobody ran the signal's handler")

def in_thread():
    sdk.storage_put(b"x")
    in_child(child)

thread = threading.Thread(target=in_thread)
thread.start()
thread.join()
"""
)


@needs_fork
@pytest.mark.parametrize("program", [FORK_BLOCKING, FORK_ASYNC, FORK_FROM_THREAD], ids=["blocking", "async", "thread"])
def test_a_fork(ron_gateway: Gateway, program: str) -> None:
    done = python(program, ron_gateway)
    assert (done.returncode, done.stderr) == (0, "")


@needs_fork
def test_multiprocessing_by_fork_works(ron_gateway: Gateway) -> None:
    program = """
import multiprocessing
from ron_app_sdk import RonAppSdk, address_of

sdk = RonAppSdk.from_env()
sdk.storage_put(b"x")

def work(n):
    with RonAppSdk.from_env() as mine:
        return mine.storage_put(str(n).encode())

with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(work, range(8)) == [address_of(str(n).encode()) for n in range(8)]
"""
    done = python(program, ron_gateway)
    assert (done.returncode, done.stderr) == (0, "")


EXITS = {
    "async, tasks open": """
import asyncio
from ron_app_sdk import AsyncRonAppSdk

async def main():
    sdk = AsyncRonAppSdk.from_env()
    tasks = [asyncio.create_task(sdk.mailbox_receive("exits", wait=20, timeout=30)) for _ in range(32)]
    puts = [asyncio.create_task(sdk.storage_put(bytes(n))) for n in range(32)]
    await asyncio.sleep(0.01)

asyncio.run(main())
""",
    "async, a loop that is not closed": """
import asyncio
from ron_app_sdk import AsyncRonAppSdk

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
sdk = AsyncRonAppSdk.from_env()
tasks = [loop.create_task(sdk.storage_put(bytes(n))) for n in range(64)]
tasks += [loop.create_task(sdk.mailbox_receive("exits", wait=20, timeout=30)) for n in range(8)]
loop.run_until_complete(asyncio.sleep(0.005))
import os, sys, warnings
warnings.simplefilter("ignore")
sys.unraisablehook = lambda *_: None
loop.set_exception_handler(lambda *_: None)
""",
    "threads, daemons": """
import threading, time
from ron_app_sdk import RonAppSdk

sdk = RonAppSdk.from_env()

def work():
    while True:
        sdk.storage_put(b"x")

def wait():
    sdk.mailbox_receive("exits", wait=20, timeout=30)

for target in (work, work, wait, wait):
    threading.Thread(target=target, daemon=True).start()
time.sleep(0.02)
""",
    "async in a daemon": """
import asyncio, threading, time
from ron_app_sdk import AsyncRonAppSdk

sdk = AsyncRonAppSdk.from_env()

async def main():
    while True:
        await asyncio.gather(*(sdk.storage_put(bytes(n)) for n in range(16)))

threading.Thread(target=asyncio.run, args=[main()], daemon=True).start()
time.sleep(0.02)
""",
}


@pytest.mark.parametrize("program", EXITS.values(), ids=list(EXITS))
def test_fifty_programs_that_end_with_calls_open_end_well(ron_gateway: Gateway, program: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        ended = list(threads.map(lambda _: python(program, ron_gateway, 60), range(50)))
    assert [done.returncode for done in ended] == [0] * 50, [done.stderr for done in ended if done.returncode]
    assert all(done.stderr == "" for done in ended), {done.stderr for done in ended}


def test_a_sub_interpreter_is_refused_with_a_reason(ron_gateway: Gateway) -> None:
    program = """
import _xxsubinterpreters as interpreters

one = interpreters.create()
try:
    interpreters.run_string(one, "import ron_app_sdk")
except interpreters.RunFailedError as error:
    print(error)
finally:
    interpreters.destroy(one)
"""
    if sys.version_info >= (3, 13):
        pytest.skip("the module that makes them has another name")
    done = python("import ron_app_sdk\n" + program, ron_gateway)
    assert done.returncode == 0, done.stderr
    assert "ImportError" in done.stdout
    assert "interpreter" in done.stdout


def test_importing_costs_little_and_no_asyncio() -> None:
    code = "import ron_app_sdk, sys; assert 'asyncio' not in sys.modules; ron_app_sdk.AsyncRonAppSdk"
    subprocess.run([sys.executable, "-c", code], check=True)

    def time_of(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - began

    # In turns, so that what else the machine does meets both.
    pairs = [(time_of("pass"), time_of("import ron_app_sdk")) for _ in range(15)]
    cost = statistics.median(with_sdk for _, with_sdk in pairs) - statistics.median(without for without, _ in pairs)
    assert cost < 0.030 + 0.100


def test_a_client_is_not_pickled(ron_gateway: Gateway) -> None:
    import pickle

    for client in (ron_gateway.client(), ron_gateway.async_client()):
        with pytest.raises(TypeError):
            pickle.dumps(client)


def test_the_package_is_typed() -> None:
    import ron_app_sdk

    assert (Path(ron_app_sdk.__file__).parent / "py.typed").is_file()
    assert {RonAppSdk.__module__, AsyncRonAppSdk.__name__} == {"ron_app_sdk", "AsyncRonAppSdk"}
    assert ForkDetectedError.__module__ == "ron_app_sdk.errors"
    assert address_of(b"").startswith("b3:")
