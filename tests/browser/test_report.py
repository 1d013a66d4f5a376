"""The report in a real browser: nothing asked for, nothing complained of, every section there, everything works."""

import pytest

pytestmark = pytest.mark.browser
NAMES = ["stream", "char", "labelled", "trees", "hostile"]

# Ratios of contrast (WCAG 2.2) below 4.5 between the colour of a text and the colour behind it.
CONTRAST = """
const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
function behind(element) {
  for (; element; element = element.parentElement) {
    const found = parts(getComputedStyle(element).backgroundColor);
    if (found.length === 3 || found[3] === 1) return found;
  }
  return parts(getComputedStyle(document.body).backgroundColor);
}
const low = new Set(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let seen = 0;
while (walker.nextNode()) {
  const node = walker.currentNode, element = node.parentElement;
  if (!node.data.trim() || !element.checkVisibility() || element.closest("script")) continue;
  const style = getComputedStyle(element);
  const ink = luminance(parts(element.closest("svg") ? style.fill : style.color)), ground = luminance(behind(element));
  const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
  seen += 1;
  if (ratio < 4.5) low.add(`${node.data.trim().slice(0, 30)} in ${element.outerHTML.slice(0, 60)}: ${ratio}`);
}
return [seen, [...low]];
"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [1280, 360])
def test_page(opened, pages, name, width):
    window = opened(name, width=width)
    assert window.said() == []
    assert window.requests() == [pages[name].as_uri()]
    assert window.run("return document.documentElement.scrollWidth") <= width
    sections = window.all("main > section")
    assert len(sections) == 10
    for section in sections:
        assert section.find_element("css selector", "h2").text
        assert section.is_displayed()
        assert len(section.text.split("\n")) > 1, section.get_attribute("id")
        assert section.rect["width"] <= width
    for link in window.all("nav a"):
        assert len(window.all(link.get_attribute("hash") or link.get_dom_attribute("href"))) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_contrast(opened, name, scheme):
    window = opened(name, scheme=scheme)
    window.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    background = window.run("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    seen, low = window.run(CONTRAST)
    assert seen > 100
    assert low == []


def test_slider(opened):
    from selenium.webdriver.common.keys import Keys

    window = opened("stream")
    slider, shown = window.one("#validation"), lambda: [one for one in window.all(".sample") if one.is_displayed()]
    (last,) = shown()
    assert (slider.get_attribute("value"), last.text.split("\n")[0][:10]) == ("3", "epoch 3.00")
    slider.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    (first,) = shown()
    assert (slider.get_attribute("value"), first.text.split("\n")[0][:10]) == ("1", "epoch 1.00")
    assert window.one("#validation-name").text.startswith("epoch 1.00")
    assert slider.get_attribute("aria-valuetext").startswith("epoch 1.00")
    assert window.said() == []


def test_search(opened):
    window = opened("stream")
    box, result = window.one("#search"), lambda: window.all("#nearest-result tr")
    assert result() == []
    box.send_keys("CAT")
    assert len(result()) > 4
    assert window.one("#nearest-result caption").text == "Nearest words of cat"
    nearest = result()[1].find_element("css selector", "button")
    name = nearest.text
    nearest.click()
    assert window.one("#nearest-result caption").text == f"Nearest words of {name}"
    assert box.get_attribute("value") == name
    box.clear()
    box.send_keys("f")
    assert {one.text for one in window.all("#found button")} == {"finds", "fish"}
    box.send_keys("zzz")
    assert "No such word" in window.one("#nearest-result").text
    assert window.said() == []


def test_what_was_expected_in_place_of_a_word(opened):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    window = opened("stream")
    words, tip = window.all("#surprise-text bdi"), window.one("#tip")
    assert not tip.is_displayed()
    ActionChains(window.browser).scroll_to_element(words[5]).move_to_element(words[5]).perform()
    assert tip.text.startswith(f"{words[5].text}: ")
    assert len(tip.find_elements("css selector", "li")) == 5
    ActionChains(window.browser).move_to_element(window.one("h1")).perform()
    assert not tip.is_displayed()
    assert [one.get_attribute("tabindex") for one in words[:3]] == ["0", "-1", "-1"]
    window.run("arguments[0].focus()", words[0])
    keys = ActionChains(window.browser)
    keys.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT).perform()
    assert window.browser.switch_to.active_element == words[2]
    assert tip.text.startswith(f"{words[2].text}: ")
    for key, place in ((Keys.END, -1), (Keys.HOME, 0)):
        ActionChains(window.browser).send_keys(key).perform()
        assert window.browser.switch_to.active_element == words[place]
    ActionChains(window.browser).send_keys(Keys.ESCAPE).perform()
    assert not tip.is_displayed()
    assert window.said() == []


@pytest.mark.parametrize("width", [1280, 360])
def test_what_was_expected_stays_on_the_screen(opened, width):
    window = opened("stream", width=width)
    for word in window.all("#surprise-text bdi")[:40]:
        window.run("arguments[0].focus()", word)
        left, right = window.run("const r = byId('tip').getBoundingClientRect(); return [r.left, r.right]")
        assert (left >= 0, right <= width) == (True, True)


def test_hostile_text_does_nothing(opened):
    window = opened("hostile")
    for word in window.all("#surprise-text bdi")[:60]:
        window.run("arguments[0].focus()", word)
    box = window.one("#search")
    for text in ("<script>", "<img", "{{7"):
        box.clear()
        box.send_keys(text)
        assert window.one("#nearest-result caption").text.startswith(f"Nearest words of {text}")
    assert window.all("img") == []
    assert len(window.all("script")) == 3
    assert window.said() == []  # nor would the policy of the page be silent
    text = window.one("#surprise-text").text
    assert "<script>alert(1)</script>" in text
    assert "{{7*7}}" in text


def test_an_injected_script_would_not_run(opened):
    """The policy of the page: what no text can do, nor could a hole in the template."""
    window = opened("stream")
    window.run("const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)")
    window.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    assert window.run("return window.ran") is None
    assert any("Content Security Policy" in line for line in window.said())


def test_without_scripts_everything_is_there(opened):
    window = opened("stream", script=False)
    assert all(one.is_displayed() for one in window.all(".sample"))
    assert not window.one("#slider").is_displayed()
    assert not window.one("#search-form").is_displayed()
    window.command("Emulation.setScriptExecutionDisabled", value=False)


def test_names_for_a_screen_reader(opened):
    """Everything that can be used, and every picture, has a name in the tree that screen readers read."""
    window = opened("stream")
    window.command("Accessibility.enable")
    nodes = window.command("Accessibility.getFullAXTree")["nodes"]
    wanted = {"slider", "searchbox", "link", "button", "image", "heading", "region", "DisclosureTriangle"}
    found = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
    assert {"slider", "searchbox", "image", "heading", "link"} <= {role for role, _ in found}
    assert [role for role, name in found if role in wanted and not name] == []
    levels = window.run("return [...document.querySelectorAll('h1, h2, h3')].map((one) => +one.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:]))
    window.command("Accessibility.disable")


def test_print(opened):
    window = opened("stream", scheme="dark")
    assert window.printed().startswith(b"%PDF")
    assert window.run("return [...document.querySelectorAll('details')].every((one) => one.open)")
    window.command("Emulation.setEmulatedMedia", media="print")
    window.command(
        "Emulation.setDeviceMetricsOverride", width=718, height=1000, deviceScaleFactor=1, mobile=False
    )  # A4
    assert window.run("return [...document.querySelectorAll('.wide')].filter((e) => e.scrollWidth > 718).length") == 0
    assert window.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not window.one("nav").is_displayed()
    assert len([one for one in window.all(".sample") if one.is_displayed()]) >= 2
    window.command("Emulation.setEmulatedMedia", media="")
