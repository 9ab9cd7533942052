"""yaml-language-server, spoken to as editors do: over its standard input and output, by the Language Server Protocol.

It is the program that `YAML_LANGUAGE_SERVER` names, that of the PATH, or what
`npm install --prefix .venv/editor yaml-language-server` has put into the checkout. It needs node.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.helpers import ROOT

PROGRAM = "YAML_LANGUAGE_SERVER"
IN_CHECKOUT = ROOT / ".venv" / "editor" / "node_modules" / ".bin" / "yaml-language-server"
SETTINGS = {"yaml": {"schemaStore": {"enable": False}}}  # nothing from the network
CLIENT = {"textDocument": {"completion": {"completionItem": {"snippetSupport": True}}}}
CURSOR = "|"
PATIENCE = 300  # seconds; all that the tests ask takes five


@dataclass(frozen=True)
class Finding:
    """What the server says about a line of a text; the first line is 1."""

    line: int
    message: str


@dataclass
class Server:
    """A running server, and the findings that it has published by the address of a document."""

    process: subprocess.Popen[bytes]
    published: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    requests: int = 0

    def findings(self, texts: Mapping[str, str]) -> dict[str, tuple[Finding, ...]]:
        """The findings for each of the texts, which are opened all at once, by their addresses."""
        for address, text in texts.items():
            self._open(address, text)
        while not texts.keys() <= self.published.keys():
            self._receive()
        return {address: self.published[address] for address in texts}

    def completions(self, text: str) -> dict[str, str]:
        """What can be inserted at the cursor in a text, each with its explanation."""
        found = self._asked("completion", text)
        items = found["items"] if isinstance(found, dict) else found
        return {item["label"]: _plain(item.get("documentation") or "") for item in items}

    def hover(self, text: str) -> str:
        """What is shown when the mouse is over the sign after the cursor."""
        found = self._asked("hover", text)
        return _plain(found["contents"]) if found else ""

    def _asked(self, what: str, text: str) -> Any:
        before, _, after = text.partition(CURSOR)
        address = f"untitled:{self.requests}.yaml"
        self._open(address, before + after)
        place = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        return self.ask(f"textDocument/{what}", {"textDocument": {"uri": address}, "position": place})

    def _open(self, address: str, text: str) -> None:
        self.tell("textDocument/didOpen", {"textDocument": _document(address, text)})

    def ask(self, method: str, parameters: object) -> Any:
        self.requests += 1
        number = self.requests
        self._send({"id": number, "method": method, "params": parameters})
        while True:
            message = self._receive()
            if message.get("id") == number and "method" not in message:
                return message["result"]

    def tell(self, method: str, parameters: object) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: Mapping[str, object]) -> None:
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """The next message. The server's own questions are answered; its findings are kept."""
        assert self.process.stdout is not None
        length = 0
        while header := self.process.stdout.readline().strip():
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the server has ended"
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        if "id" in message and "method" in message:
            wanted = message["params"].get("items", []) if message["method"] == "workspace/configuration" else []
            self._send({"id": message["id"], "result": [SETTINGS.get(item.get("section")) for item in wanted]})
        elif message.get("method") == "textDocument/publishDiagnostics":
            found = message["params"]["diagnostics"]
            findings = tuple(Finding(it["range"]["start"]["line"] + 1, it["message"]) for it in found)
            self.published[message["params"]["uri"]] = findings
        return message


def _document(address: str, text: str) -> dict[str, object]:
    return {"uri": address, "languageId": "yaml", "version": 1, "text": text}


def _plain(contents: str | Mapping[str, str]) -> str:
    return contents if isinstance(contents, str) else contents["value"]


def program() -> str | None:
    """The server's program; None where there is none."""
    named = os.environ.get(PROGRAM) or shutil.which("yaml-language-server") or str(IN_CHECKOUT)
    return named if Path(named).exists() and shutil.which("node") else None


@contextmanager
def running(program: str) -> Iterator[Server]:
    """The server, which is ended where it gives no answer, so that a test fails instead of waiting."""
    command = [program, "--stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        patience = threading.Timer(PATIENCE, process.kill)
        patience.start()
        try:
            server = Server(process)
            server.ask("initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": CLIENT})
            server.tell("initialized", {})
            server.tell("workspace/didChangeConfiguration", {"settings": SETTINGS})
            yield server
        finally:
            patience.cancel()
            process.kill()
