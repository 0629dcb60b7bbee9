"""A real Chromium, driven over the DevTools protocol with nothing but Python's own library, and the demo behind it."""

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Chromium itself shall ask nobody for anything, so that what is asked for is the page's doing.
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"]


class Tab:
    """One tab, over the DevTools protocol: a WebSocket (RFC 6455) with JSON in it."""

    def __init__(self, port):
        # In a window of its own: what lies behind another tab counts as not looked at.
        everything = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/version"))["webSocketDebuggerUrl"]
        self.connect(port, everything.split(str(port), 1)[1])
        target = self.call("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        self.socket.close()
        self.connect(port, f"/devtools/page/{target}")
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def connect(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.file = self.socket.makefile("rb")
        while self.file.readline().strip():
            pass
        self.number = 0
        self.asked = []  # every address that the page asked for

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        length = len(data)
        size = bytes([0x80 | length]) if length < 126 else (
            b"\xfe" + struct.pack(">H", length) if length < 65536 else b"\xff" + struct.pack(">Q", length))
        self.socket.sendall(b"\x81" + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def read(self):
        whole = b""
        while True:
            first, second = self.file.read(2)
            length = second & 127
            if length == 126:
                (length,) = struct.unpack(">H", self.file.read(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self.file.read(8))
            whole += self.file.read(length)
            if first & 0x80:
                return json.loads(whole)

    def call(self, method, **params):
        self.number += 1
        self.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = self.read()
            if message.get("method") == "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])
            if message.get("id") == self.number:
                return message.get("result", {})

    def js(self, text):
        answer = self.call("Runtime.evaluate", expression=text, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def until(self, text, seconds=60):
        """Whether a condition comes true, and after how long."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            try:
                if self.js(text):
                    return True, time.monotonic() - begin
            except RuntimeError:
                pass  # between two pages
            time.sleep(0.05)
        return False, seconds

    def open(self, url):
        # Without the mark of before it would be the page of before that is complete.
        with contextlib.suppress(RuntimeError):
            self.js("window.leaving = true")
        self.call("Page.navigate", url=url)
        self.until("window.leaving === undefined && document.readyState === 'complete'")

    def picture(self, file, width, height):
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        answer = self.call("Page.captureScreenshot", format=file.rsplit(".", 1)[1], clip=clip)
        with open(file, "wb") as out:
            out.write(base64.b64decode(answer["data"]))

    def size(self, width, height, mobile):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def scheme(self, name):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])


@contextlib.contextmanager
def browser():
    """A browser that nobody has used before; gives the port of its DevTools."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("chromium is missing")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen([chromium, *FLAGS, f"--user-data-dir={profile}"], stderr=subprocess.PIPE, text=True)
        listening = (re.search(r"DevTools listening on ws://127\.0\.0\.1:(\d+)", line) for line in process.stderr)
        try:
            yield next(int(found.group(1)) for found in listening if found)
        finally:
            process.terminate()
            process.wait(20)


def demo(binary):
    process = subprocess.Popen([binary, "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        if found:
            return process, found.group(0)
    sys.exit("the demo did not start")


def end(process):
    process.send_signal(signal.SIGTERM)
    process.wait(20)


def open_incidents(url):
    try:
        return json.load(urllib.request.urlopen(f"{url}/api/v1/incidents?state=open", timeout=5))["incidents"]
    except OSError:
        return []


def wait_for_incident(url, seconds=60):
    for _ in range(seconds * 20):
        incidents = open_incidents(url)
        if incidents:
            return incidents[0]["id"]
        time.sleep(0.05)
    sys.exit("nothing broke in the demo")
