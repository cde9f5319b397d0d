"""Debian's Chromium, without a screen, driven by Playwright."""

import contextlib

import pytest

from petrel import ROOT
from petrel.setup import uplot
from petrel.setup.services import find_chromium

SHOTS = ROOT / "build" / "page"
_OPTIONS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)


@contextlib.contextmanager
def chromium():
    """A Playwright Browser; the test is skipped where there is none."""
    program = find_chromium()
    if program is None:
        pytest.skip("no chromium here; try: make setup-services")
    if not (uplot.FOLDER / "uPlot.esm.js").exists():
        pytest.skip("no uPlot here, whose charts the tests look at; try: make setup")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=_OPTIONS, chromium_sandbox=False)
        try:
            yield browser
        finally:
            browser.close()


def shoot(page, name):
    """Keep a picture of it, for people."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")
