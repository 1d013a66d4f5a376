"""A real browser: headless Chromium, by way of Selenium. Where it is not installed, the tests are skipped."""

import base64
import io
import json
import shutil

import pytest

from tests.report import runs

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIET = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update"


@pytest.fixture(scope="session")
def browser():
    """A window of Chromium, with a log of what it says and what it asks for."""
    selenium = pytest.importorskip("selenium", reason="selenium is not installed: pip install -e '.[browser]'")
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("there is no Chromium and chromedriver: apt-get install chromium chromium-driver")
    from selenium import webdriver  # noqa: F811

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for name in ("headless", *QUIET.split()):
        options.add_argument(f"--{name}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.chrome.service.Service(driver)
    assert selenium.__version__
    with webdriver.Chrome(options=options, service=service) as chrome:
        yield chrome


class Window:
    """A page in the browser, at one width, light or dark."""

    def __init__(self, browser, path, width=1280, scheme="light", script=True):
        self.browser = browser
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.command("Emulation.setDeviceMetricsOverride", **size)
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.command("Emulation.setScriptExecutionDisabled", value=not script)
        self.command("Network.enable")
        for name in ("browser", "performance"):
            browser.get_log(name)  # what earlier pages said
        browser.get(path.as_uri())

    def command(self, name, **parameters):
        """A command of the DevTools protocol."""
        return self.browser.execute_cdp_cmd(name, parameters)

    def run(self, script, *arguments):
        """Run a script in the page; -> what it returns."""
        return self.browser.execute_script(script, *arguments)

    def all(self, selector):
        """Elements of the page."""
        return self.browser.find_elements("css selector", selector)

    def one(self, selector):
        """The one element of the page that a selector means."""
        (element,) = self.all(selector)
        return element

    def requests(self):
        """Addresses that the page asked for."""
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def said(self):
        """Lines of the console."""
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def printed(self):
        """The page as a PDF."""
        return io.BytesIO(base64.b64decode(self.command("Page.printToPDF", printBackground=False)["data"])).getvalue()


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Reports of tiny runs by name: "stream", "char", "labelled", "trees", and of "hostile" text."""
    pytest.importorskip("jinja2")
    from rnnlm.report.contents import contents
    from rnnlm.report.page import render

    found = {}
    for name in ("stream", "char", "labelled", "trees", "hostile"):
        folder = tmp_path_factory.mktemp(name)
        run = runs.train(folder, lines=runs.hostile_lines) if name == "hostile" else runs.train(folder, name)
        found[name] = folder / "report.html"
        found[name].write_bytes(render(contents(run)))
    return found


@pytest.fixture
def opened(browser, pages):
    """A function that opens the report of a name in the browser."""
    return lambda name, **options: Window(browser, pages[name], **options)
