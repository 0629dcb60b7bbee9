#!/usr/bin/env python3
"""Looks at the page in a real Chromium: tests/browser/run.py [BINARY]

First with the demo behind it, at 390 and 1,440 pixels: faults, clicks, accessibility, a restart; then with a fleet of
five thousand domains. Needs chromium, and for the look at accessibility axe-core from the npm registry (`npm pack`);
without that this part is left out, and said to be. Each thing that is looked at is a line; exit code 1 if one is wrong.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import time

from chromium import ROOT, Tab, browser, demo, end, wait_for_incident

# Width, height, and whether it is a phone.
WIDTHS = [(390, 844, True), (1440, 900, False)]
# What serves the five thousand.
FLEET = ["cargo", "test", "--quiet", "--locked", "--lib", "--", "--ignored", "--exact", "--nocapture",
         "surface::http::tests::pages::five_thousand_domains_to_look_at"]
# Where axe-core is kept.
KEPT = os.path.join(ROOT, "target/browser")
LIVE = "document.getElementById('live').innerText.startsWith('Live')"
STALE = "document.getElementById('live').innerText.startsWith('Stale')"
failed = []
BEGIN = time.monotonic()


def say(right, what):
    print(f"{time.monotonic() - BEGIN:5.1f} " + ("ok    " if right else "WRONG ") + what, flush=True)
    if not right:
        failed.append(what)


def axe():
    """axe-core's script, fetched once; or nothing where the registry cannot be reached."""
    os.makedirs(KEPT, exist_ok=True)
    npm = shutil.which("npm")
    packages = [name for name in os.listdir(KEPT) if name.startswith("axe-core")]
    if not packages and npm and subprocess.run([npm, "pack", "axe-core@4"], cwd=KEPT, capture_output=True).returncode == 0:
        packages = [name for name in os.listdir(KEPT) if name.startswith("axe-core")]
    if not packages:
        print("left out: accessibility, for axe-core cannot be fetched", flush=True)
        return None
    with tarfile.open(os.path.join(KEPT, packages[0])) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()


def accessible(tab, script, what):
    """In light and dark, which differ by their colours alone."""
    tab.js(script + "\n;true")
    for scheme, only in (("light", ""), ("dark", "runOnly: ['color-contrast'],")):
        tab.scheme(scheme)
        found = tab.js(f"axe.run({{ {only} resultTypes: ['violations'] }}).then((result) => result.violations.map("
                       "(one) => `${one.id}: ${one.nodes.map((node) => node.target).slice(0, 3).join(' ')}`))")
        say(not found, f"{what}, {scheme}: no violation by axe-core {'; '.join(found)}".rstrip())


def faults(url, tabs):
    """What breaks is there at once, and what somebody does about it, for everybody."""
    for tab in tabs:
        tab.open(url + "/")
        tab.until(LIVE, 10)
        tab.js("window.before = true")
    number = wait_for_incident(url)
    for tab, (width, *_) in zip(tabs, WIDTHS):
        say(tab.js("!document.hidden"), f"{width} px: somebody looks at the page")
        shown, after = tab.until(f"!!document.getElementById('i-{number}')", 10)
        same = tab.js("window.before === true")
        say(shown and after < 2 and same, f"{width} px: the fault is there {after:.2f} s after the verdict, without reload")
        wide = tab.js("document.documentElement.scrollWidth <= innerWidth")
        say(wide, f"{width} px: nothing has to be scrolled sideways")
    phone, desktop = tabs
    phone.js(f"(() => {{ const form = document.querySelector('form[action=\"/incidents/{number}/ack\"]');"
             "form.elements.by.value = 'anna'; form.querySelector('button').click(); })()")
    say(phone.until("document.body.innerText.includes('Taken on by anna')", 10)[0], "a click takes the incident on")
    told, after = desktop.until("document.body.innerText.includes('Taken on by anna')", 10)
    say(told and after < 2 and desktop.js("window.before === true"), f"the others see it {after:.2f} s later")
    desktop.js(f"document.querySelector('button[formaction=\"/incidents/{number}/silence\"]').click()")
    say(desktop.until("document.body.innerText.includes('Kept quiet until')", 10)[0], "a click silences the incident")
    return number


def boxes(url, tab):
    """The boxes work without JavaScript."""
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(url + "/check")
    tab.js("(() => { const form = document.querySelector('form.fields'); form.elements.from.value = 'Aldergrove Dental';"
           "form.elements.domain.value = 'bo@castellan.example'; form.querySelector('button').click(); })()")
    answer = "document.querySelector('h1').innerText.startsWith('Aldergrove Dental can mail castellan.example')"
    say(tab.until(answer, 40)[0], "without JavaScript: whether somebody can mail a domain")
    tab.open(url + "/explain")
    bounce = os.path.join(ROOT, "tests/messages/postfix-unknown.eml")
    with open(bounce, encoding="utf-8") as file:
        text = file.read()
    tab.js(f"document.getElementById('message').value = {text!r}; document.querySelector('form.fields button').click()")
    say(tab.until("document.body.innerText.includes('recipient.unknown')", 10)[0], "without JavaScript: what a bounce means")
    tab.open(url + "/digest?since=8h")
    say(tab.js("document.querySelector('h1').innerText.includes('incident')"), "without JavaScript: what happened")
    tab.call("Emulation.setScriptExecutionDisabled", value=False)


def restart(binary, process, url, tab):
    tab.open(url + "/")
    tab.until(LIVE, 10)
    end(process)
    say(tab.until(STALE, 20)[0], "without the daemon the page says that it is stale")
    process, again = demo(binary)
    say(tab.until(LIVE, 60)[0] and again == url, "once the daemon is back the page is live again")
    return process


def with_the_demo(binary, port, script):
    process, url = demo(binary)
    try:
        tabs = [Tab(port) for _ in WIDTHS]
        for tab, size in zip(tabs, WIDTHS):
            tab.size(*size)
        number = faults(url, tabs)
        pages = ["/?q=aldergrove", f"/incidents/{number}", "/domains/aldergrove.example", f"/api/v1/incidents/{number}/report",
                 "/digest?since=1d", "/check", "/explain", "/quiet"]
        for tab, (width, *_) in zip(tabs, WIDTHS):
            for page in pages if script else []:
                tab.open(url + page)
                accessible(tab, script, f"{width} px {page}")
        boxes(url, tabs[0])
        process = restart(binary, process, url, tabs[1])
        outside = [asked for tab in tabs for asked in tab.asked if not asked.startswith((url, "data:", "about:"))]
        say(not outside, f"nothing is asked for outside {outside}")
    finally:
        end(process)


def with_many_domains(port):
    fleet = subprocess.Popen(FLEET, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        url = next((line.strip() for line in fleet.stdout if line.startswith("http://")), None)
        if url is None:
            return say(False, "the five thousand domains could not be served")
        tab = Tab(port)
        tab.size(*WIDTHS[0])
        for what, path in [("the front page", "/"), ("a search", "/?q=domain-4999"), ("a filter", "/?state=degraded"),
                           ("a page", "/?page=30")]:
            tries = []
            for _ in range(3):
                tab.open(url + path)
                tries.append(tab.js("(() => { const one = performance.getEntriesByType('navigation')[0];"
                                    "return [one.responseEnd - one.requestStart, one.encodedBodySize]; })()"))
            # A busy machine may be slow once.
            took, size = min(tries)
            say(took < 200 and size < 100_000, f"5,000 domains: {what} takes {took:.0f} ms and {size / 1000:.0f} KB")
    finally:
        fleet.stdin.close()
        fleet.wait(20)


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target/debug/mailflow")
    script = axe()
    with browser() as port:
        with_the_demo(binary, port, script)
        with_many_domains(port)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
