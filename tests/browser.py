"""A browser for tests: Chromium without a screen, driven through chromedriver's WebDriver protocol by urllib alone."""

import base64
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)


class Browser:
    """A window of a headless Chromium, with what it logged and what it asked the network for."""

    def __init__(self, folder: Path, width: int = 1280, height: int = 900) -> None:
        assert CHROMIUM is not None
        assert DRIVER is not None
        self.driver = subprocess.Popen(
            [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.base = f"http://127.0.0.1:{self._port()}"
        args = [*FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}"]
        chrome = {"binary": CHROMIUM, "args": args}
        wanted = {"goog:chromeOptions": chrome, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        self.base += "/session/" + self._ask("POST", "/session", capabilities={"alwaysMatch": wanted})["sessionId"]
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def _port(self) -> int:
        """Read the port that chromedriver chose."""
        assert self.driver.stdout is not None
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                return int(line.rpartition("port ")[2].strip().rstrip("."))
        raise RuntimeError("chromedriver did not start")

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        data = json.dumps(body).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as problem:
            with problem:
                raise RuntimeError(problem.read().decode()[:400]) from None

    def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        self._ask("POST", "/url", url=address)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and return what it returns."""
        return self._ask("POST", "/execute/sync", script=script, args=list(arguments))

    def cdp(self, command: str, **params: Any) -> Any:
        """Give a command of the developer tools."""
        return self._ask("POST", "/goog/cdp/execute", cmd=command, params=params)

    def wait(self, condition: str, *arguments: Any, seconds: float = 20.0) -> Any:
        """Wait until a script returns something true, and return that."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if found := self.run(f"return {condition}", *arguments):
                return found
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {condition}")

    def console(self) -> list[str]:
        """Return what stands in the console since the last look."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", type="browser")]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the last look."""
        events = [json.loads(entry["message"])["message"] for entry in self._ask("POST", "/se/log", type="performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [one["request"]["url"] for one in sent]

    def shot(self, path: Path, *, whole: bool = False) -> None:
        """Write a screenshot, of the window or of the whole page."""
        found = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._ask("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(10)
            assert self.driver.stdout is not None
            self.driver.stdout.close()
