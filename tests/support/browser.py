"""Fixtures: a page in Debian's Chromium, on a desktop's and on a phone's screen."""

from __future__ import annotations

from contextlib import asynccontextmanager
from ctypes.util import find_library
from typing import TYPE_CHECKING, Final

import pytest_asyncio
from playwright.async_api import Page, ViewportSize, async_playwright

from tests.support.peers import missing, require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DESKTOP: Final = ViewportSize(width=1280, height=900)
PHONE: Final = ViewportSize(width=390, height=844)


@pytest_asyncio.fixture
async def desktop() -> AsyncIterator[Page]:
    """An empty page as wide as a desktop's screen."""
    async with _page(DESKTOP) as page:
        yield page


@pytest_asyncio.fixture
async def phone() -> AsyncIterator[Page]:
    """An empty page as narrow as a phone's screen."""
    async with _page(PHONE) as page:
        yield page


@asynccontextmanager
async def _page(viewport: ViewportSize) -> AsyncIterator[Page]:
    chromium = require("chromium")
    if not find_library("atomic"):
        missing("playwright's driver does not run: apt-get install libatomic1")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield await browser.new_page(viewport=viewport)
        finally:
            await browser.close()
