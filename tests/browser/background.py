"""A tab that really goes into the background.

Playwright tells every page that it is the one in front. This drives a Chromium of its
own by the DevTools protocol, where the tab that opens last hides the others.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from contextlib import contextmanager

from websockets.sync.client import connect

PATIENCE = 60


class Browser:
    """One Chromium, with the permissions and cookies of one visitor."""

    def __init__(self, socket, address):
        self._socket, self._address = socket, address
        self._numbers = itertools.count(1)

    def send(self, method, *, session=None, **params):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(PATIENCE))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def allow_notifications(self):
        self.send(
            "Browser.grantPermissions",
            origin=self._address,
            permissions=["notifications"],
        )

    def sign_in(self, cookie):
        self.send("Storage.setCookies", cookies=[cookie])

    def open(self, path, before=""):
        """A new tab, in front of the others; `before` runs before the page's own."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)
        tab = Tab(self, target, session["sessionId"])
        tab.send("Page.enable")
        tab.send("Page.addScriptToEvaluateOnNewDocument", source=before)
        tab.send("Page.navigate", url=self._address + path)
        tab.wait("document.readyState === 'complete'")
        return tab


class Tab:
    def __init__(self, browser, target, session):
        self._browser, self._target, self._session = browser, target, session

    def send(self, method, **params):
        return self._browser.send(method, session=self._session, **params)

    def read(self, expression):
        options = {"returnByValue": True, "awaitPromise": True}
        answer = self.send("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression):
        deadline = time.monotonic() + PATIENCE
        while not self.read(expression):
            assert time.monotonic() < deadline, expression
            time.sleep(0.1)

    def come_to_the_front(self):
        self._browser.send("Target.activateTarget", targetId=self._target)


@contextmanager
def running_browser(program, arguments, folder, address):
    """A Chromium with its profile in `folder`, for the site at `address`."""
    command = [program, "--headless=new", "--remote-debugging-port=0", *arguments]
    command += [f"--user-data-dir={folder}", "--lang=en-US", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_devtools(folder), max_size=None) as socket:
                yield Browser(socket, address)
        finally:
            process.terminate()


def _devtools(folder):
    """The address that Chromium writes down once it listens."""
    note = folder / "DevToolsActivePort"
    deadline = time.monotonic() + PATIENCE
    while not (note.exists() and note.read_text().count("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    port, path = note.read_text().split("\n")
    return f"ws://127.0.0.1:{port}{path}"
