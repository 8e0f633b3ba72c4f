"""A reader walks through the pages of runs, in a Chromium without a screen."""

import json
import shutil
from pathlib import Path

import pytest
from reported import KINDS, SILENT, with_clips

from tfspec.experiment.comparing import compare
from tfspec.experiment.reporting import page_of
from tfspec.report import comparison
from tfspec.report.page import LISTED, written

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
By = pytest.importorskip("selenium.webdriver.common.by").By
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys

PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
LOAD = "const [a, done] = arguments; a.onloadedmetadata = () => done(a.duration); a.onerror = done; a.load()"
NO_ALERT = {"source": "window.alert = () => { throw new Error('a label was run as a script'); }"}


@pytest.fixture(scope="module")
def browser():
    program, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if not program or not driver:
        pytest.skip("needs Chromium and its driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", NO_ALERT)
    yield chrome
    chrome.quit()


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def page(browser, kind, tmp_path):
    shown = with_clips(page_of(KINDS[kind](tmp_path / "run")), sound=kind not in SILENT)
    show(browser, tmp_path / "page.html", written(shown))
    return shown


def show(browser, path: Path, text: str) -> None:
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    path.write_text(text, "utf-8")
    browser.get(path.as_uri())


def find(browser, selector: str):
    return browser.find_elements(By.CSS_SELECTOR, selector)


def requested(browser) -> set[str]:
    """Which kinds of addresses were asked for since the page was opened."""
    events = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    asked = (
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    )
    return {url.partition(":")[0] for url in asked}


def test_a_reader_opens_cells_and_curves_and_hears_the_sounds(browser, page, kind):
    for button in find(browser, "[data-cell]"):
        button.click()
        shown = find(browser, "#listed li, #listed figure")
        assert len(shown) == min(int(button.text), LISTED)
        assert find(browser, "#listed h3")[0].text == button.get_attribute("aria-label")
    button.send_keys(Keys.ENTER)
    assert button.get_attribute("aria-pressed") == "true"
    for summary in find(browser, "summary"):
        summary.send_keys(Keys.SPACE)
    assert all(each.get_attribute("open") for each in find(browser, "details"))
    assert all(image.size["width"] > 100 for image in find(browser, "#mistakes image"))
    sounds = find(browser, "#mistakes audio")
    assert len(sounds) == (0 if kind in SILENT else 2)
    for sound in sounds:
        assert browser.execute_async_script(LOAD, sound) == pytest.approx(1, abs=0.1)
    assert browser.get_log("browser") == []
    assert requested(browser) <= {"file", "data"}


def test_a_page_is_read_on_a_phone_without_scrolling_sideways(browser, page):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        find(browser, "[data-cell]")[0].click()
        browser.execute_script(
            "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
        )
        width = browser.execute_script("return document.documentElement.scrollWidth")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width <= PHONE["width"]


def test_runs_side_by_side_are_a_page_too(browser, tmp_path):
    folders = [tmp_path / name for name in ("<b>first", "second")]
    for folder in folders:
        KINDS["hostile"](folder)
    found = compare(folders)
    assert found.paired.rows == [["second", "0", "0", *found.paired.rows[0][3:]]]
    show(browser, tmp_path / "compared.html", comparison.written(found))
    assert len(find(browser, "svg[role]")) == 3
    assert "<b>first" in find(browser, "table")[0].text
    assert browser.get_log("browser") == [] and requested(browser) <= {"file", "data"}
