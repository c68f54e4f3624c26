"""The page in a real browser, as a visitor uses it: each tab from upload to download, and what must not happen."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from page import app
from page.taste import KEY


def test_paint(browser, place):
    browser.open()
    browser.bring("paint-content", place / "photo.png")
    browser.choose("paint-how", "two")
    browser.until(lambda: browser.all("#paint-styles input"))
    browser.click("paint-go")
    browser.until(lambda: "Done" in browser.text("paint-progress"))
    file = browser.download("#paint-download", ".png")
    with Image.open(file) as image:
        assert image.size == (640, 480) and image.text["Source"] == "Made by a neural network"
    assert (
        "python stylize.py content=photo.png size=640 network=outputs/two style=red" in browser.all("body")[0].text
    )


def test_imagine(browser):
    browser.open()
    browser.tab("Imagine")
    browser.choose("imagine-network", "run1")
    browser.click("imagine-go")
    pictures = "#imagine-sheet .thumbnail-item"
    browser.until(lambda: len(browser.all(pictures)) == 12)
    before = [picture.get_attribute("src") for picture in browser.all(f"{pictures} img")]
    for number in (1, 4):
        browser.all(pictures)[number].click()
        browser.until(lambda: "♥" in browser.all(pictures)[number].text)  # noqa: B023
    assert browser.text("imagine-status").startswith("2 liked")
    browser.click("imagine-more")
    browser.until(lambda: "1 round." in browser.text("imagine-status"))
    browser.until(lambda: [picture.get_attribute("src") for picture in browser.all(f"{pictures} img")] != before)
    browser.click("imagine-mix")
    browser.click("imagine-pack")
    browser.until(lambda: "walk" in browser.text("imagine-home"))
    taste = browser.download("#imagine-home a[download='taste.json']", ".json")
    assert KEY in taste.read_text()
    with Image.open(browser.download("#imagine-home a[download='walk.gif']", ".gif")) as walk:
        assert walk.n_frames == 24 and b"neural network" in walk.info["comment"]
    browser.all("input[type=file][accept*=json]")[0].send_keys(str(taste))
    browser.until(lambda: "1 rounds of your taste are back" in browser.text("imagine-status"))


def test_mend(browser, place):
    browser.open()
    browser.tab("Mend")
    browser.bring("mend-content", place / "photo.png")
    browser.choose("mend-how", "enlarge")
    browser.click("mend-go")
    browser.until(lambda: "Done" in browser.text("mend-progress"))
    with Image.open(browser.download("#mend-download", ".png")) as image:
        assert image.size == (512, 384)
    browser.choose("mend-how", "fill")
    canvas = browser.until(lambda: browser.all("#mend-hole canvas"))[0]
    browser.click("mend-go")
    browser.until(lambda: "Draw over the hole first" in browser.all("body")[0].text)
    from selenium.webdriver import ActionChains

    stroke = ActionChains(browser.driver).move_to_element(canvas).click_and_hold().move_by_offset(30, 5).release()
    stroke.perform()
    browser.click("mend-go")
    browser.until(lambda: "mask=mask.png" in browser.all("body")[0].text)
    browser.until(lambda: "Done" in browser.text("mend-progress"))
    with Image.open(browser.download("#mend-download", ".png")) as image, Image.open(place / "photo.png") as photo:
        changed = (np.asarray(image) != np.asarray(photo)).any(-1)
    assert 0.01 < changed.mean() < 0.7 and not changed[:2].any()


def test_compare(browser):
    browser.open()
    browser.tab("Compare")
    browser.click("compare-go")
    browser.until(lambda: len(browser.all("#compare-same .thumbnail-item")) == 2)
    assert "outputs/run1, step 4" in browser.text("compare-samples")
    assert "loss" in browser.text("compare-numbers") and "0.25" in browser.text("compare-numbers")


def test_wrong_files_get_words(browser, place, tmp_path):
    browser.open()
    browser.click("paint-go")
    browser.until(lambda: "Bring a photo or a film first" in browser.all("body")[0].text)
    (tmp_path / "words.png").write_text("no picture")
    Image.new("1", (10_100, 10_000)).save(tmp_path / "vast.png")
    for name, words in (("words.png", "is no picture"), ("vast.png", "up to 100 million pixels")):
        browser.open()
        browser.bring("paint-content", tmp_path / name)
        browser.click("paint-go")
        said = browser.until(lambda: [e for e in browser.all(".toast-body") if words in e.text])[0].text  # noqa: B023
        assert name in said and "/tmp" not in said
    with open(tmp_path / "heavy.png", "wb") as file:
        file.truncate(51 * 2**20)
    browser.open()
    browser.all("#paint-content input[type=file]")[0].send_keys(str(tmp_path / "heavy.png"))
    browser.until(lambda: "50" in "".join(e.text for e in browser.all(".toast-body")))


def test_stop_and_leaving_make_room(browser, other, film, idle):
    """A film is stopped; another's painter leaves the page; each time the next one can begin."""
    begin(browser, film, idle)
    browser.click("paint-stop")
    browser.until(lambda: "as far as it came" in browser.text("paint-progress"))
    assert browser.download("#paint-download", ".mp4").name.endswith(".partial.mp4")
    assert idle(5)
    begin(other, film, idle)
    other.driver.get("about:blank")
    assert idle(20)


def test_who_stops_while_another_is_painted_for_waits_no_longer(browser, other, place, film, idle):
    other.open()
    other.bring("paint-content", place / "photo.png")
    other.choose("paint-how", "two")
    begin(browser, film, idle)
    other.click("paint-go")
    time.sleep(1)
    other.click("paint-stop")
    time.sleep(1)
    browser.click("paint-stop")
    other.until(lambda: "Stopped." in other.text("paint-progress"))
    other.click("paint-go")
    other.until(lambda: "Done" in other.text("paint-progress"))


def begin(visitor, film, idle) -> None:
    """Has a film painted, until some frames are."""
    visitor.open()
    next(element for element in visitor.all("button") if element.text.startswith("A film instead")).click()
    visitor.bring("paint-film", film)
    visitor.click("paint-go")
    visitor.until(lambda: "frame" in visitor.text("paint-progress"))
    assert not idle(0.1)


def test_two_at_once_see_their_own(browser, other, place):
    for visitor, name in ((browser, "photo"), (other, "second")):
        visitor.open()
        visitor.bring("paint-content", place / f"{name}.png")
        visitor.choose("paint-how", "two")
    for visitor in (browser, other):
        visitor.click("paint-go")
    found, shown = [], []
    for visitor in (browser, other):
        visitor.until(lambda: "Done" in visitor.text("paint-progress"))  # noqa: B023
        found.append(visitor.download("#paint-download", ".png"))
        shown.append({image.get_attribute("src") for image in visitor.all("#paint-result img")})
    assert [file.name.split("-")[0] for file in found] == ["photo", "second"]
    assert not np.array_equal(*(np.asarray(Image.open(file)) for file in found))
    assert shown[0] and not shown[0] & shown[1]


def test_by_keyboard(browser):
    from selenium.webdriver.common.keys import Keys

    browser.open()
    next(tab for tab in browser.all("[role=tab]") if tab.text == "Paint").send_keys(Keys.TAB)
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.until(lambda: browser.all("#imagine-go")[0].is_displayed())
    browser.all("#imagine-go")[0].send_keys(Keys.ENTER)
    browser.until(lambda: len(browser.all("#imagine-sheet .thumbnail-item")) == 12)
    browser.all("#imagine-sheet button.thumbnail-item")[2].send_keys(Keys.ENTER)
    browser.until(lambda: browser.text("imagine-status").startswith("1 liked"))


def test_nothing_is_asked_of_other_machines(browser, site):
    """All that the browser asked for in the tests above."""
    asked = browser.requests()
    assert asked and [url for url in asked if not url.startswith(("data:", "blob:", site))] == []


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/passwd", "gradio_api/file=outputs/run1/metrics.jsonl", "gradio_api/file=page.py",
        "gradio_api/file=http://127.0.0.1:1/x", "gradio_api/file=https://huggingface.co/x",
        "gradio_api/proxy=https://huggingface.co/x", "gradio_api/info", "monitoring",
    ],
)  # fmt: skip
def test_no_address_leads_elsewhere(site, path):
    try:
        with urllib.request.urlopen(site + path, timeout=10) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        assert error.code in (400, 403, 404, 405, 500)
    else:
        assert path == "gradio_api/info" and b"paint" not in body


def test_what_was_not_uploaded_is_not_read(site, place):
    """A visitor who writes their own requests says that a file of the machine, or an address, is their photo."""
    form = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n%b\r\n--b--\r\n'
    (uploaded,) = asked(
        site, "upload", form % (place / "photo.png").read_bytes(), "multipart/form-data; boundary=b"
    )
    config = json.load(urllib.request.urlopen(site + "config", timeout=30))
    photo = next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "paint-content")
    event = next(event["id"] for event in config["dependencies"] if [photo, "change"] in event["targets"])
    seen = []
    for path in (uploaded, str(place / "photo.png"), "/etc/hostname", "https://huggingface.co/front/a.svg"):
        named = {"path": path, "meta": {"_type": "gradio.FileData"}}
        body = {"data": [named], "fn_index": event, "session_hash": "forged"}
        asked(site, "queue/join", json.dumps(body).encode(), "application/json")
        with urllib.request.urlopen(f"{site}gradio_api/queue/data?session_hash=forged", timeout=30) as lines:
            messages = [json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: ")]
        seen += [message["success"] for message in messages if message["msg"] == "process_completed"]
    assert seen == [True, False, False, False]


def asked(site: str, what: str, body: bytes, kind: str):
    """What the page answers to a request by itself."""
    request = urllib.request.Request(f"{site}gradio_api/{what}", body, {"Content-Type": kind})
    return json.load(urllib.request.urlopen(request, timeout=30))


def test_a_password_is_asked_for(site, place, free_port):
    config = OmegaConf.create(
        {"host": "127.0.0.1", "port": free_port(), "password": "open sesame", "browser": False, "weights": None}
    )
    page = app.launch(app.build(config), config)
    try:
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(page.local_url + "config")
        for password, code in (("wrong", 400), ("open sesame", 200)):
            form = urllib.parse.urlencode({"username": "anyone", "password": password}).encode()
            try:
                got = urllib.request.urlopen(page.local_url + "login", form).status
            except urllib.error.HTTPError as error:
                got = error.code
            assert got == code
    finally:
        page.close()
