"""The control socket: JSON lines over TCP on 127.0.0.1, for whoever knows the token.

Carries requests to a function handed in; knows neither adapters nor journals. A connection that
does not bring the token in its first line within 5 s is closed.
"""

import hmac
import json
import secrets
import socket
import threading
from collections.abc import Callable
from typing import Any

from bms_studio.acquisition.adapters import AdapterError

MAX_LINE = 4 << 20
MAX_CONNECTIONS = 16
_TOKEN_S = 5.0

Handler = Callable[[str, dict[str, Any]], dict[str, Any]]


class ControlError(Exception):
    """The acquisition program refused a request, or cannot be reached any more."""


class ControlServer:
    """Answers requests until `close`; one thread per connection."""

    def __init__(self, handler: Handler) -> None:
        self.token = secrets.token_hex(16)
        self._handler = handler
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # closed
            if not self._slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(_TOKEN_S)
            with connection, connection.makefile("rwb") as lines:
                hello = _parse(lines.readline(MAX_LINE))
                if not hmac.compare_digest(str(hello.get("token", "")), self.token):
                    return
                connection.settimeout(None)
                while line := lines.readline(MAX_LINE):
                    answer = self._answer(_parse(line))
                    lines.write(json.dumps(answer).encode("utf-8") + b"\n")
                    lines.flush()
        except OSError:
            return  # the other side went away: nobody to tell
        finally:
            self._slots.release()

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            verb = str(request.pop("verb", ""))
            return {"ok": True, **self._handler(verb, request)}
        except (AdapterError, OSError, RuntimeError, ValueError, KeyError, TypeError) as problem:
            return {"ok": False, "error": str(problem) or type(problem).__name__}

    def close(self) -> None:
        """Accept nobody any more; running answers finish."""
        self._socket.close()


def request(port: int, token: str, verb: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Ask once and return the answer. Raises ControlError with the program's own sentence."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10.0) as connection:
            lines = connection.makefile("rwb")
            with lines:
                hello = json.dumps({"token": token})
                text = json.dumps({**parameters, "verb": verb})
                lines.write(f"{hello}\n{text}\n".encode())
                lines.flush()
                answer = _parse(lines.readline(MAX_LINE))
    except OSError as problem:
        raise ControlError(f"The acquisition program does not answer ({problem}).") from problem
    if not answer.pop("ok", False):
        error = answer.get("error", "The acquisition program closed the connection.")
        raise ControlError(str(error))
    return answer


def _parse(line: bytes) -> dict[str, Any]:
    """A JSON object; {} for anything else."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
