"""The page in a real browser: it draws without errors, sorts, filters, plays, and runs no script but its own."""

import itertools
import json
import re
import shutil
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from wordways.record import Record, cell_id, read_records, write_record
from wordways.report.answers import oracle_table
from wordways.report.build import write_report
from wordways.report.escape import in_markdown
from wordways.report.in_short import in_short
from wordways.report.oracles import oracle_lines
from wordways.report.page.build import HERE, SCRIPTS, page_of, script_text
from wordways.report.page.configurations import SHOWN, Settings
from wordways.report.rows import rows_of
from wordways.report.table import NOTE
from wordways.report.tables.likelihood import table as likelihood_table
from wordways.report.tables.quality import table as quality_table
from wordways.report.tables.speed import table as speed_table

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
OVERLAPS = (Path(__file__).parent / "overlaps.js").read_text()
HOSTILE = (
    "<img src=x onerror=alert(1)></script><script>window.hacked=1</script> & \\textbf{x} %$#_^~ "
    "\u202e\u05e9\u05dc\u05d5\u05dd \U0001f469\u200d\U0001f680 \u2028 --> {{ 7*7 }}"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    if BROWSER is None or DRIVER is None:
        pytest.skip("chromium and chromedriver are missing: install Debian's packages chromium and chromium-driver")
    options = Options()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "small"
    shutil.copytree(results / "cells", folder / "cells")
    write_report(folder)
    return folder / "report" / "index.html"


def visit(browser: Chrome, page: Path, width: int = 1280) -> None:
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get(page.as_uri())
    settle(browser)
    complaints(browser)


def settle(browser: Chrome) -> None:
    wait_for(lambda: browser.execute_script("return document.body.dataset.drawn") == "yes")


def complaints(browser: Chrome) -> None:
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def wait_for(condition: Callable[[], Any], seconds: float = 20) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"the condition did not become true within {seconds} seconds")


def column(browser: Chrome, number: int) -> list[str]:
    cells = browser.find_elements(By.CSS_SELECTOR, f"#headline-table tbody td:nth-child({number})")
    return [cell.text for cell in cells]


def test_the_page_is_self_contained(page: Path) -> None:
    html = page.read_text()
    assert len(html.encode()) < 3_000_000
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?!#)[^"'\s>]""", html.split('<script type="application/json"')[0])
    assert "default-src 'none'" in html


def test_scripts_are_joined_in_a_stated_order() -> None:
    """Each file once, none a bundle of several ideas; strict mode is declared once, ahead of all code."""
    files = {path.stem: path.read_text() for path in (HERE / "js").glob("*.js")}
    assert sorted(SCRIPTS) == sorted(files)
    assert [name for name, text in files.items() if text.count("\n") > 150] == []
    assert [name for name, text in files.items() if name != "state" and not text.startswith("// ")] == []
    assert script_text().startswith('"use strict";')
    assert script_text().count("use strict") == 1


def test_the_same_records_make_the_same_bytes(page: Path, undrawn: None) -> None:
    before = page.read_bytes()
    write_report(page.parent.parent)
    assert page.read_bytes() == before


def test_notes_fill_two_lines_at_most(browser: Chrome, page: Path) -> None:
    """Longer texts are one click away, in a folded element."""
    visit(browser, page)
    notes = "return [...document.querySelectorAll('section p.note')].filter((p) => !p.closest('details'))"
    shown = browser.execute_script(notes + ".map((p) => p.textContent)")
    assert len(shown) > 5
    assert [note for note in shown if len(note) > NOTE] == []
    folded = browser.find_elements(By.CSS_SELECTOR, "#headline details.more:not(.columns)")
    assert [node.get_attribute("open") for node in folded] == [None]
    assert "task:" in (folded[0].get_attribute("textContent") or ""), "the signature is folded as well"


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("task", ["first", "all"])
def test_no_text_overlaps_another(browser: Chrome, page: Path, width: int, task: str) -> None:
    visit(browser, page, width)
    if task == "all":
        browser.execute_script(
            "const s = document.getElementById('task'); s.value = ''; s.dispatchEvent(new Event('change'));"
        )
    settle(browser)
    browser.execute_script("for (const node of document.querySelectorAll('details')) node.open = true;")
    assert browser.execute_script(OVERLAPS) == []
    assert browser.execute_script("return document.documentElement.scrollWidth - innerWidth") <= 0
    squeezed = (
        "return [...document.querySelectorAll('figure svg')].filter("
        "(picture) => picture.clientWidth < picture.getAttribute('width') - 1).length"
    )
    assert browser.execute_script(squeezed) == 0, "a chart is scaled down, and its letters with it"
    complaints(browser)


def test_its_numbers_are_those_of_the_tables(browser: Chrome, page: Path) -> None:
    """To the last decimal: the page and the tables round alike."""
    visit(browser, page)
    task = browser.execute_script("return document.getElementById('task').value")
    lines = [line for line in (page.parent / f"quality_{task}.md").read_text().splitlines() if line.startswith("|")]
    heads, _, *rows = [[re.sub(r"</?u>|\*\*", "", cell).strip() for cell in line.split("|")[1:-1]] for line in lines]
    shown = [head.text for head in browser.find_elements(By.CSS_SELECTOR, "#headline-table th")]
    labels = column(browser, 1)
    assert sorted(labels) == sorted(row[0] for row in rows)
    for number, head in enumerate(heads[1:], 1):
        cells = dict(zip(labels, column(browser, shown.index(head) + 1), strict=True))
        for row in rows:
            assert cells[row[0]].split(" [")[0] == row[number].split(" [")[0], (row[0], head)


def test_a_heading_sorts_by_mouse_and_by_key(browser: Chrome, page: Path) -> None:
    visit(browser, page)
    heads = [head.text for head in browser.find_elements(By.CSS_SELECTOR, "#headline-table th")]
    place = heads.index("latency/token (ms)") + 1

    def times() -> list[float]:
        shown = column(browser, place)
        known = [float(text.split()[0].replace(",", "")) for text in shown if text != "–"]
        assert shown[len(known) :] == ["–"] * (len(shown) - len(known)), "configurations without a value stand last"
        return known

    browser.find_element(By.CSS_SELECTOR, f"#headline-table th:nth-child({place}) button").click()
    assert times() == sorted(times())
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert times() == sorted(times(), reverse=True)
    assert len(set(times())) > 1
    sorted_by = browser.find_element(By.CSS_SELECTOR, f"#headline-table th:nth-child({place})")
    assert sorted_by.get_attribute("aria-sort") == "descending"


def test_filters_select_matching_configurations(browser: Chrome, page: Path) -> None:
    visit(browser, page)
    everything = column(browser, 1)
    browser.find_element(By.ID, "search").send_keys("diffusion")
    settle(browser)
    assert column(browser, 1) == [label for label in everything if "diffusion" in label]
    assert 0 < len(column(browser, 1)) < len(everything)
    browser.find_element(By.ID, "search").send_keys(" no such row")
    settle(browser)
    assert "No configuration matches these filters." in browser.find_element(By.ID, "headline").text
    complaints(browser)


def test_another_batch_shows_another_throughput(browser: Chrome, page: Path) -> None:
    visit(browser, page)
    heads = "return [...document.querySelectorAll('#headline-table th')].map((head) => head.textContent)"
    assert "throughput (tok/s, batch 1)" in browser.execute_script(heads)
    browser.execute_script(
        "const s = document.getElementById('batch'); s.value = '4'; s.dispatchEvent(new Event('change'));"
    )
    settle(browser)
    assert "throughput (tok/s, batch 4)" in browser.execute_script(heads)


def test_a_point_and_a_row_show_their_full_configuration(browser: Chrome, page: Path) -> None:
    visit(browser, page)
    for found in ("#explorer svg g[tabindex]", "#headline-table tbody tr"):
        node = browser.find_element(By.CSS_SELECTOR, found)
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", node)

        def hovered(node: WebElement = node) -> str:
            """Moves the pointer again: a page that is still scrolling hides its tooltip."""
            ActionChains(browser).move_by_offset(1, 1).move_to_element(node).perform()
            return browser.find_element(By.ID, "tip").text

        tip = wait_for(hovered)
        assert "train.steps" in tip
        assert "backbone.width" in tip
    browser.execute_script("document.querySelector('#explorer svg g[tabindex]').focus()")
    wait_for(lambda: "train.steps" in browser.find_element(By.ID, "tip").text)


def test_the_slider_rewinds_and_the_player_plays_to_the_end(browser: Chrome, page: Path) -> None:
    visit(browser, page)
    tokens = (
        "return [...document.querySelectorAll('#player .tokens')].map("
        "(box) => [...box.querySelectorAll('.token')].map((token) => token.classList.contains('open')))"
    )
    slide = "const s = document.getElementById('calls'); s.value = arguments[0]; s.dispatchEvent(new Event('input'));"
    assert not any(itertools.chain(*browser.execute_script(tokens)))
    browser.execute_script(slide, 0)
    assert all(itertools.chain(*browser.execute_script(tokens)))
    browser.execute_script(slide, 1)
    counts = [row.count(False) for row in browser.execute_script(tokens)]
    assert min(counts) >= 1
    assert len(set(counts)) > 1, "some configurations generate all tokens in one pass, others one per pass"
    browser.find_element(By.ID, "play").click()
    assert browser.find_element(By.ID, "play").text == "stop"
    wait_for(lambda: browser.find_element(By.ID, "play").text == "play", 60)
    assert not any(itertools.chain(*browser.execute_script(tokens)))
    complaints(browser)


def test_a_token_shows_its_most_probable_alternatives(browser: Chrome, page: Path) -> None:
    visit(browser, page)
    token = browser.find_element(By.CSS_SELECTOR, "#player .token")
    browser.execute_script("arguments[0].focus()", token)
    held = wait_for(lambda: browser.find_element(By.ID, "tip").text)
    assert "most probable tokens in forward pass" in held
    shares = [float(share) for share in re.findall(r"\b[01]\.\d{3}\b", held)]
    assert len(shares) == 5
    assert shares == sorted(shares, reverse=True)


def test_revised_tokens_flash(browser: Chrome, results: Path, tmp_path: Path, undrawn: None) -> None:
    record = next(r for r in read_records(results)[0] if r.status == "ok" and r.config["preset"] == "autoregressive")
    holes = len(record.replay[0]["start"])
    calls = [
        {"wrote": [[hole, " x"] for hole in range(holes)], "likeliest": []},
        {"wrote": [[0, " y"]], "likeliest": []},
    ]
    write_record(tmp_path, replace(record, replay=[{**record.replay[0], "calls": calls}]))
    write_report(tmp_path)
    visit(browser, tmp_path / "report" / "index.html")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#player .token.revised")) == 1


def catch_copies(browser: Chrome) -> None:
    browser.execute_script(
        "window.copied = []; Object.defineProperty(navigator, 'clipboard', "
        "{ value: { writeText: async (text) => { window.copied.push(text); } } });"
    )


def test_citations_are_copied(browser: Chrome, page: Path) -> None:
    visit(browser, page)
    catch_copies(browser)
    browser.execute_script("for (const node of document.querySelectorAll('.cite')) node.open = true;")
    buttons = browser.find_elements(By.CSS_SELECTOR, ".cite button")
    assert [button.text for button in buttons] == ["copy BibTeX", "copy LaTeX table"]
    for button in buttons:
        browser.execute_script("arguments[0].click()", button)
    wait_for(lambda: [button.text for button in buttons] == ["copied"] * 2)
    bibtex, latex = browser.execute_script("return window.copied")
    assert bibtex.startswith("@software{wordways,")
    task = browser.execute_script("return document.getElementById('task').value")
    assert latex == "\n".join((page.parent / f"{kind}_{task}.tex").read_text() for kind in ("quality", "speed"))


def test_a_table_is_copied_as_it_is_shown(browser: Chrome, page: Path) -> None:
    """In three formats, without the columns that the reader has taken away."""
    visit(browser, page)
    catch_copies(browser)
    browser.execute_script("document.querySelector('#headline details.columns').open = true")
    before = [head.text for head in browser.find_elements(By.CSS_SELECTOR, "#headline-table th")]
    browser.find_element(By.ID, f"show {before[1]}").click()
    heads = [head.text for head in browser.find_elements(By.CSS_SELECTOR, "#headline-table th")]
    assert heads == [head for head in before if head != before[1]]
    for button in browser.find_elements(By.CSS_SELECTOR, "#headline .copies button"):
        browser.execute_script("arguments[0].click()", button)
    markdown, latex, csv = wait_for(lambda: (found := browser.execute_script("return copied")) and found[2:] and found)
    labels = column(browser, 1)
    assert [line.split(" | ")[0].removeprefix("| ") for line in markdown.splitlines()[2:]] == labels
    assert len(markdown.splitlines()[0].split(" | ")) == len(heads)
    assert [line.split(" & ")[0] for line in latex.splitlines()[4:-2]] == labels
    assert "\\begin{tabular}{l" + "r" * (len(heads) - 1) + "}" in latex
    assert [line.split(",")[0] for line in csv.splitlines()[1:]] == labels


def chosen_in(browser: Chrome, name: str, value: str) -> None:
    script = "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
    browser.execute_script(f"{script} s.dispatchEvent(new Event('change'));", name, value)
    settle(browser)


def test_it_opens_with_what_was_found(browser: Chrome, page: Path) -> None:
    """The sentences of the report's first lines, and below them the figure of quality against cost."""
    visit(browser, page)
    said = [line.text for line in browser.find_elements(By.CSS_SELECTOR, "#short li")]
    assert 3 <= len(said) <= 7
    assert all(f"- {in_markdown(line)}" in (page.parent / "report.md").read_text() for line in said)
    ids = browser.execute_script("return [...document.querySelectorAll('main > section')].map((one) => one.id)")
    assert ids[:2] == ["short", "explorer"]


def test_metric_and_cost_are_chosen_and_a_link_keeps_them(browser: Chrome, page: Path) -> None:
    visit(browser, page)
    caption = "return document.querySelector('#explorer figcaption').textContent"
    assert browser.execute_script(caption) == "all"
    chosen_in(browser, "metric", "shuffle")
    chosen_in(browser, "cost", "calls")
    browser.find_element(By.ID, "search").send_keys("diffusion")
    browser.find_element(By.CSS_SELECTOR, "#headline-table th button").click()
    browser.execute_script("document.getElementById('show seeds').click()")
    settle(browser)
    state = (
        "return [document.querySelector('#explorer figcaption').textContent, state.cost, state.search, state.hidden]"
    )
    wanted = ["shuffle", "calls", "diffusion", ["seeds"]]
    assert browser.execute_script(state) == wanted
    link, labels = browser.current_url, column(browser, 1)
    browser.get("about:blank")
    browser.get(link)
    settle(browser)
    assert browser.execute_script(state) == wanted
    assert column(browser, 1) == labels
    assert browser.find_element(By.ID, "search").get_property("value") == "diffusion"
    browser.get(page.as_uri() + "#task=no+such+task&sort=-nothing")
    settle(browser)
    assert browser.execute_script(caption) == "all", "an old link shows what there is"
    complaints(browser)


def test_a_chosen_control_keeps_the_focus(browser: Chrome, page: Path) -> None:
    visit(browser, page)
    browser.execute_script("document.getElementById('metric').focus()")
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    settle(browser)
    assert browser.switch_to.active_element.get_attribute("id") == "metric"
    assert browser.execute_script("return state.metric") != ""


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_drawn_outside_its_panel(browser: Chrome, results: Path, tmp_path: Path, width: int) -> None:
    """Also not the bars of two seeds, of which one is right and the other wrong."""
    for record in read_records(results)[0]:
        if record.status == "ok" and record.config["preset"] in ("parallel", "diffusion_k1"):
            for seed in range(3):
                entry = {**record.scores["accuracy"], "items": [int(seed > 0)] * len(record.item_ids)}
                config = {**record.config, "seed": seed}
                write_record(tmp_path, replace(record, cell=cell_id(config), config=config, scores={"accuracy": entry}))
    write_report(tmp_path)
    visit(browser, tmp_path / "report" / "index.html", width)
    outside = """
      const found = [], fits = (a, b) =>
        a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
      for (const picture of document.querySelectorAll('#explorer figure > svg')) {
        const box = picture.getBoundingClientRect(), free = (node) => !node.closest('[clip-path]');
        const nodes = [...picture.querySelectorAll('text, g[tabindex] path, line:not(.grid), polyline')].filter(free);
        for (const node of nodes) if (!fits(node.getBoundingClientRect(), box)) found.push(node.outerHTML);
        for (const { x, y, width, height } of picture.querySelectorAll('clipPath rect')) {
          const [left, top] = [x.baseVal.value, y.baseVal.value];
          const panel = { left, top, right: left + width.baseVal.value, bottom: top + height.baseVal.value };
          const size = { left: 0, top: 0, right: picture.clientWidth, bottom: picture.clientHeight };
          if (!fits(panel, size) || panel.right < 100) found.push(JSON.stringify(panel));
        }
      }
      return found;"""
    assert len(browser.find_elements(By.CSS_SELECTOR, "#explorer [clip-path] line")) > 3
    assert browser.execute_script(outside) == []


def test_the_first_column_stays_while_the_others_move(browser: Chrome, page: Path) -> None:
    visit(browser, page, 400)
    left = "return document.querySelector('#headline-table tbody td').getBoundingClientRect().left"
    before = browser.execute_script(left)
    moved = "const box = document.querySelector('#headline .scroll'); box.scrollLeft = 300; return box.scrollLeft"
    assert browser.execute_script(moved) == 300
    assert browser.execute_script(left) == before


def test_on_paper_only_what_can_be_read(browser: Chrome, page: Path) -> None:
    visit(browser, page)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = (
        "return [...document.querySelectorAll('nav.bar, .controls, .copies')].every((one) => !one.checkVisibility())"
    )
    assert browser.execute_script(hidden)
    assert browser.find_element(By.CSS_SELECTOR, "#short li").is_displayed()
    printed = browser.execute_cdp_cmd("Page.printToPDF", {})["data"]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert b64decode(printed).startswith(b"%PDF")


def test_skipped_runs_are_listed_with_their_reasons(browser: Chrome, page: Path) -> None:
    visit(browser, page)
    records, _ = read_records(page.parent.parent)
    assert [record.status for record in records].count("ok") < len(records) or not records
    missing = browser.find_element(By.ID, "missing").get_attribute("textContent") or ""
    for record in records:
        if record.status != "ok":
            assert record.reason.strip().splitlines()[-1] in missing


def hostile(record: Record) -> Record:
    """The record with markup, LaTeX and bidirectional text in every name and text that it holds."""
    config = json.loads(json.dumps(record.config))
    config["preset"] = HOSTILE
    strata = dict.fromkeys(record.strata, HOSTILE)
    samples = [{**sample, "text": HOSTILE + "x" * 10_000, "prompt": HOSTILE} for sample in record.samples]
    calls = [{"wrote": [[0, HOSTILE]], "likeliest": [[0, [[HOSTILE, 0.5]]]]}]
    films = [{**film, "start": [None], "calls": calls} for film in record.replay]
    provenance = {**record.provenance, "device": HOSTILE}
    return replace(
        record, cell=cell_id(config), config=config, strata=strata, samples=samples, replay=films,
        provenance=provenance, likelihood=None,
    )  # fmt: skip


def test_nothing_in_a_record_becomes_markup(browser: Chrome, results: Path, tmp_path: Path, undrawn: None) -> None:
    folder = tmp_path / "<b>&'\""
    for record in read_records(results)[0]:
        if record.status == "ok":
            write_record(folder, hostile(record))
        else:
            write_record(folder, replace(record, reason=HOSTILE))
    write_report(folder)
    visit(browser, folder / "report" / "index.html")
    assert browser.execute_script("return window.hacked") is None
    assert browser.execute_script("return document.querySelectorAll('img, b > script, iframe').length") == 0
    assert browser.execute_script("return document.querySelectorAll('script').length") == 2
    shown = browser.find_element(By.TAG_NAME, "body").get_attribute("textContent") or ""
    assert "<img src=x onerror=alert(1)>" in shown
    for width in (390, 1280):
        visit(browser, folder / "report" / "index.html", width)
        assert browser.execute_script("return document.documentElement.scrollWidth - innerWidth") <= 0


def test_two_thousand_runs_still_fit(results: Path) -> None:
    record = next(r for r in read_records(results)[0] if r.status == "ok" and r.config["preset"] == "diffusion_k1")
    records = []
    for number in range(2000):
        config = json.loads(json.dumps(record.config))
        config["train"]["lr"] = 0.001 + number / 1e6
        records.append(replace(record, cell=cell_id(config), config=config))
    rows, lines = rows_of(records), oracle_lines(records)
    tables = {rows[0].task: [quality_table(rows), speed_table(rows), likelihood_table(rows)]}
    html = page_of("many", rows, [in_short(rows)], tables, (oracle_table(lines), lines), [], [])
    assert len(html.encode()) < 3_000_000
    assert html.count('"label":') > 2000


def test_the_page_reads_the_measures_that_it_is_given() -> None:
    """The page stays small: what no chart and no table shows is not in it."""
    assert set(re.findall(r"\.m\.(\w+)", script_text())) == set(SHOWN)


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz")), max_size=5))
def test_every_setting_of_a_configuration_comes_back_and_no_other(configs: list[dict[str, str]]) -> None:
    """Also those of configurations that lack what a later one has; read as rows.js reads them."""
    settings = Settings()
    stored = [settings.indices(config) for config in configs]
    for config, indices in zip(configs, stored, strict=True):
        places = {place: indices.get(place, 0) for place in range(len(settings.names))}
        read = {settings.names[i]: settings.values[i][at] for i, at in places.items() if at >= 0}
        assert {name: value for name, value in read.items() if value is not None} == config


def test_no_two_scripts_give_one_name_to_two_functions() -> None:
    """All scripts of the page share one scope, in which the later of two functions would silently replace the other."""
    folder = ROOT / "wordways" / "report" / "page" / "js"
    names = [name for path in folder.glob("*.js") for name in re.findall(r"^function (\w+)", path.read_text(), re.M)]
    assert sorted(names) == sorted(set(names))
