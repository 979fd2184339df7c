"""A real gateway for tests, on a free port of this machine, with faults where asked for.

```python
with Gateway(error_5xx=0.2, seed=7) as gateway, gateway.client() as sdk:
    sdk.storage_put(b"hello")
```

With pytest, the fixture `ron_gateway` is one that all tests share. The program `ron-gateway` comes with the package of
that name, `pip install ron-gateway`.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from . import CallReport, Capability, CapabilityProvider, RonAppSdk

if TYPE_CHECKING:
    from typing import Unpack

    from . import AsyncRonAppSdk, Settings

__all__ = ["Gateway", "GatewayError", "find_gateway"]

_PROGRAM = "ron-gateway"
_VARIABLES = ("RON_SDK_GATEWAY_ADDR", "RON_SDK_TLS_CA", "RON_SDK_CAPABILITY", "RON_GATEWAY_ADMIN_TOKEN")
# The gateway runs this and ends with it, which ends when its input does: with this process, however that ends.
_COMMAND = ("sh", "-c", "".join(f'printf "%s\\n" "${name}"; ' for name in _VARIABLES) + "exec cat >/dev/null")
# For the gateway to end after it was asked to.
_PATIENCE = 15.0


class GatewayError(RuntimeError):
    """The gateway could not be found or started, or refused a plan of faults."""


def find_gateway(program: str | os.PathLike[str] | None = None) -> Path:
    """The program `ron-gateway`: the one given, that in `RON_GATEWAY_BIN`, that of the package `ron-gateway`, or the
    first one in `PATH`."""
    given = program or os.environ.get("RON_GATEWAY_BIN")
    if given:
        found = Path(given)
        if not found.is_file():
            raise GatewayError(f"{found} is not there: it was given as the program ron-gateway")
        return found
    # Packages put programs beside the interpreter, wherever PATH leads.
    beside = Path(sys.executable).parent / _PROGRAM
    if beside.is_file():
        return beside
    in_path = shutil.which(_PROGRAM)
    if in_path is None:
        raise GatewayError("there is no program ron-gateway: pip install ron-gateway, or name one with RON_GATEWAY_BIN")
    return Path(in_path)


class Gateway:
    """A gateway in a process of its own, which ends with this object or this process.

    The faults are those of `docs/FAULTS.md`: a probability each for `error_5xx`, `error_5xx_after`, `rate_limited`,
    `timeout`, `reset` and `corrupt`; `latency` as its quantiles in milliseconds, `(p50, p90, p99)`; `rules` for
    anything else. With the same `seed`, the same calls meet the same faults.

    Whatever else `ron-gateway dev --help` lists goes into `arguments`.
    """

    address: str
    """`https://127.0.0.1:` and a port."""
    certificate_authority: str
    """A file with the authority of its certificate."""
    capability: Capability
    """Allows everything."""

    def __init__(
        self,
        *,
        program: str | os.PathLike[str] | None = None,
        arguments: Sequence[str] = (),
        error_5xx: float | None = None,
        error_5xx_after: float | None = None,
        rate_limited: float | None = None,
        timeout: float | None = None,
        reset: float | None = None,
        corrupt: float | None = None,
        latency: tuple[float, float, float] | None = None,
        retry_after_ms: int | None = None,
        seed: int | None = None,
        rules: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        faults = {
            "5XX": error_5xx,
            "5XX_AFTER": error_5xx_after,
            "429": rate_limited,
            "TIMEOUT": timeout,
            "RESET": reset,
            "CORRUPT": corrupt,
            "LATENCY": None if latency is None else "/".join(map(str, latency)),
            "RETRY_AFTER_MS": retry_after_ms,
            "SEED": seed,
            "RULES": None if rules is None else json.dumps([dict(rule) for rule in rules]),
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RON_GATEWAY_FAULT_")}
        environment |= {f"RON_GATEWAY_FAULT_{name}": str(value) for name, value in faults.items() if value is not None}
        command: list[str] = [str(find_gateway(program)), "dev", "--listen", "127.0.0.1:0", *arguments, "--", *_COMMAND]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `stop`
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            # Ctrl-C is for the tests; the gateway ends after them.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        told = [self._process.stdout.readline().rstrip("\n") for _ in _VARIABLES]
        if not all(told):
            self._process.wait(_PATIENCE)
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip()
            self.stop()
            raise GatewayError(f"ron-gateway has not begun to serve: {said}")
        self.address, self.certificate_authority, token, self._admin_token = told
        self.capability = Capability(token)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a program at the gateway: for `RonAppSdk.from_env` in a process of its own."""
        return {
            "RON_SDK_GATEWAY_ADDR": self.address,
            "RON_SDK_TLS_CA": self.certificate_authority,
            "RON_SDK_CAPABILITY": self.capability.expose(),
        }

    @property
    def settings(self) -> Settings:
        """The settings that point a client at the gateway."""
        return {"gateway_addr": self.address, "tls_ca": self.certificate_authority}

    def client(
        self,
        *,
        capability: Capability | CapabilityProvider | Callable[[], Capability | str] | None = None,
        timeout: float | None = None,
        on_report: Callable[[CallReport], object] | None = None,
        **settings: Unpack[Settings],
    ) -> RonAppSdk:
        """A client of the gateway, with the gateway's capability unless another one is given."""
        merged: Settings = {**self.settings, **settings}
        return RonAppSdk(capability=capability or self.capability, timeout=timeout, on_report=on_report, **merged)

    def async_client(
        self,
        *,
        capability: Capability
        | CapabilityProvider
        | Callable[[], Capability | str]
        | Callable[[], Awaitable[Capability | str]]
        | None = None,
        timeout: float | None = None,
        on_report: Callable[[CallReport], object] | None = None,
        **settings: Unpack[Settings],
    ) -> AsyncRonAppSdk:
        """A client of the gateway for event loops, with the gateway's capability unless another one is given."""
        from . import AsyncRonAppSdk

        merged: Settings = {**self.settings, **settings}
        return AsyncRonAppSdk(capability=capability or self.capability, timeout=timeout, on_report=on_report, **merged)

    def arm(self, *rules: Mapping[str, Any], seed: int | None = None) -> None:
        """Injects what these rules say from now on, in place of what was injected before: see `docs/FAULTS.md`."""
        plan: dict[str, Any] = {"rules": [dict(rule) for rule in rules]}
        if seed is not None:
            plan["seed"] = seed
        self._admin("PUT", plan)

    def disarm(self) -> None:
        """Injects nothing any more."""
        self._admin("DELETE")

    def faults(self) -> dict[str, Any]:
        """The armed plan, and what was injected so far."""
        return self._admin("GET")

    def metrics(self) -> str:
        """The gateway's metrics as Prometheus text."""
        return self._request("GET", "/metrics").decode()

    def _admin(self, method: str, plan: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = None if plan is None else json.dumps(plan).encode()
        answer: dict[str, Any] = json.loads(self._request(method, "/admin/faults", body))
        return answer

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.address + path, data=body, method=method)
        request.add_header("Authorization", f"Bearer {self._admin_token}")
        context = ssl.create_default_context(cafile=self.certificate_authority)
        try:
            with urllib.request.urlopen(request, context=context, timeout=10) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            raise GatewayError(f"the gateway answered {error.code}: {said}") from None

    def stop(self) -> None:
        """Ends the gateway. It may be called again."""
        process = self._process
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Gateway({self.address!r})"
