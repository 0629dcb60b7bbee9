#!/usr/bin/env python3
"""Looks at the page in a real Chromium, with the demo behind it: tests/browser/run.py [BINARY]

Needs chromium, and for the look at accessibility axe-core from the npm registry (`npm pack`); without it that part is
left out, and said to be. Nothing but Python's own library. Each thing that is looked at is a line; exit code 1 if one
is wrong.
"""

import base64
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Width, height, and whether it is a phone.
WIDTHS = [(390, 844, True), (1440, 900, False)]
failed = []


def say(right, what):
    print(("ok    " if right else "WRONG ") + what, flush=True)
    if not right:
        failed.append(what)


class Tab:
    """One tab, over the DevTools protocol: a WebSocket (RFC 6455) with JSON in it."""

    def __init__(self, port):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
        path = json.load(urllib.request.urlopen(request))["webSocketDebuggerUrl"].split(str(port), 1)[1]
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
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

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
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def size(self, width, height, mobile):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def scheme(self, name):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])


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


def axe(folder):
    """axe-core's script, or nothing where the registry cannot be reached."""
    npm = shutil.which("npm")
    if npm and subprocess.run([npm, "pack", "axe-core@4"], cwd=folder, capture_output=True).returncode == 0:
        (package,) = [name for name in os.listdir(folder) if name.startswith("axe-core")]
        with tarfile.open(os.path.join(folder, package)) as archive:
            return archive.extractfile("package/axe.min.js").read().decode()
    print("left out: accessibility, for axe-core cannot be fetched", flush=True)
    return None


def accessible(tab, script, what):
    tab.js(script + "\n;true")
    found = tab.js("axe.run({resultTypes: ['violations']}).then((result) => result.violations.map((one) => "
                   "`${one.id}: ${one.nodes.map((node) => node.target).slice(0, 3).join(' ')}`))")
    say(not found, f"{what}: no violation by axe-core {'; '.join(found)}")


def look(tab, url, script, size):
    width = size[0]
    tab.size(*size)
    tab.open(url + "/")
    wide = tab.js("document.documentElement.scrollWidth <= innerWidth")
    say(wide, f"{width} px: nothing has to be scrolled sideways")
    number = wait_for_incident(url)
    tab.js("window.before = true")
    shown, after = tab.until(f"!!document.getElementById('i-{number}')", 10)
    same = tab.js("window.before === true")
    say(shown and after < 2 and same, f"{width} px: the fault is there {after:.2f} s after the verdict, without reload")
    for page in ("/", f"/incidents/{number}", "/domains/aldergrove.example", f"/api/v1/incidents/{number}/report"):
        for scheme in ("light", "dark"):
            tab.scheme(scheme)
            tab.open(url + page)
            if script:
                accessible(tab, script, f"{width} px {scheme} {page}")
    tab.open(url + "/")
    clicked = tab.js(f"(() => {{ const form = document.querySelector('form[action=\"/incidents/{number}/ack\"]');"
                     "if (!form) return false; form.elements.by.value = 'anna'; form.querySelector('button').click();"
                     "return true; })()")
    taken, _ = tab.until("document.body.innerText.includes('Taken on by anna')", 10)
    say(clicked and taken, f"{width} px: a click takes the incident on")
    outside = [asked for asked in tab.asked if not asked.startswith((url, "data:", "about:"))]
    say(not outside, f"{width} px: nothing is asked for outside {outside}")


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target/debug/mailflow")
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("chromium is missing")
    with tempfile.TemporaryDirectory() as folder:
        script = axe(folder)
        browser = subprocess.Popen(
            [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
             f"--user-data-dir={folder}/profile"], stderr=subprocess.PIPE, text=True)
        port = next(int(found.group(1)) for line in browser.stderr
                    if (found := re.search(r"DevTools listening on ws://127\.0\.0\.1:(\d+)", line)))
        try:
            for size in WIDTHS:
                process, url = demo(binary)
                try:
                    tab = Tab(port)
                    look(tab, url, script, size)
                    if size is WIDTHS[-1]:
                        tab.open(url + "/")
                        tab.until("document.getElementById('live').innerText.startsWith('Live')", 10)
                        end(process)
                        stale, _ = tab.until("document.getElementById('live').innerText.startsWith('Stale')", 20)
                        say(stale, "without the daemon the page says that it is stale")
                        process, again = demo(binary)
                        back, _ = tab.until("document.getElementById('live').innerText.startsWith('Live')", 60)
                        say(back and again == url, "once the daemon is back the page is live again")
                finally:
                    end(process)
        finally:
            browser.terminate()
            browser.wait(20)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
