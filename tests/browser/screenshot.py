#!/usr/bin/env python3
"""Takes the picture of the page that README.md shows, from the demo: tests/browser/screenshot.py [BINARY]"""

import os
import sys

from chromium import ROOT, Tab, browser, demo, end, wait_for_incident

WIDTH, HEIGHT = 1120, 760


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target/debug/mailflow")
    process, url = demo(binary)
    try:
        with browser() as port:
            wait_for_incident(url)
            tab = Tab(port)
            tab.size(WIDTH, HEIGHT, False)
            tab.open(url + "/")
            tab.call("Emulation.setScrollbarsHidden", hidden=True)
            tab.until("document.querySelector('.incident .ago').innerText.includes('min')", 90)
            tab.picture(os.path.join(ROOT, "docs/page.webp"), WIDTH, HEIGHT)
    finally:
        end(process)


if __name__ == "__main__":
    main()
