"""A real browser for pages that we make."""

import os
import shutil
from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

_NO_BROWSER = "Chromium is not there. On Debian: apt-get install chromium chromium-driver"


@pytest.fixture
def browser(tmp_path) -> Iterator[Chrome]:
    """Chromium without a window. Without it the test is skipped, and fails in CI."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        if os.environ.get("CI"):
            pytest.fail(_NO_BROWSER)
        pytest.skip(_NO_BROWSER)
    options = ChromeOptions()
    options.binary_location = program
    quiet = ("no-first-run", "disable-background-networking", "disable-component-update")
    for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", *quiet):
        options.add_argument(f"--{word}")
    options.add_argument("--window-size=1400,1000")
    options.add_argument(f"--user-data-dir={tmp_path / 'browser'}")
    browser = Chrome(options, ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()
