"""What the package ships: complete, without a stranger's host, and nothing that a strict CSP would have to allow."""

import importlib.util
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

import nixfleet_web
from scripts import prepare

STATIC = nixfleet_web.static_dir()
PAGES = sorted(STATIC.glob("*.html"))
SCRIPTS = sorted((STATIC / "js").rglob("*.js"))
STYLES = sorted((STATIC / "css").glob("*.css"))
PACKAGE_SCRIPTS = Path(__file__).parents[2] / "packages" / "nixfleet-web" / "scripts"
VENDOR_SCRIPT = PACKAGE_SCRIPTS / "vendor.py"
BUNDLE = PACKAGE_SCRIPTS / "bundle.mjs"
LATER = {"/static/vendor/uplot/uPlot.iife.min.js", "/static/vendor/uplot/uPlot.min.css"}
"""Named in the page, fetched with the first chart."""


class Page(HTMLParser):
    """Collects what a page refers to and what it holds inline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: set[str] = set()
        self.faults: list[str] = []
        self.headings = 0
        self._inline: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.headings += tag == "h1"
        if tag == "style" or (tag == "script" and "src" not in given):
            self.faults.append(f"inline <{tag}>")
        for name, value in given.items():
            if name == "style" or name.startswith("on") or name == "x-html":
                self.faults.append(f"attribute {name} of <{tag}>")
            if value and value.startswith("/static/"):
                self.references.add(value)


def named(path: Path) -> str:
    return path.relative_to(STATIC).as_posix()


def references(path: Path) -> set[str]:
    """Paths under static/ that a file names."""
    text = path.read_text()
    if path.suffix == ".html":
        return {reference.removeprefix("/static/") for reference in Page(text).references}
    if path.suffix == ".json":  # the manifest of the app
        return {reference.removeprefix("/static/") for reference in re.findall(r'"(/static/[^"]+)"', text)}
    if path.suffix == ".css":
        targets = re.findall(r"url\([\"']?([^\"')]+)", text)
        return {
            target.removeprefix("/static/") if target.startswith("/") else f"css/{target}"
            for target in targets
        }
    found = set()
    for target in re.findall(r"""(?:from ?|import |import\()["']([^"']+)["']""", text):
        place = STATIC / target.removeprefix("/static/") if target.startswith("/") else path.parent / target
        found.add(place.resolve().relative_to(STATIC.resolve()).as_posix())
    return found


def icon_names() -> set[str]:
    return set(re.findall(r'<symbol id="icon-([^"]+)"', (STATIC / "index.html").read_text()))


@pytest.fixture(scope="module")
def vendor() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vendor", VENDOR_SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_version_that_pages_ask_for_is_the_packages() -> None:
    """js/ui/fresh.js compares it with the one it was loaded with."""
    assert json.loads((STATIC / "version.json").read_text())["version"] == nixfleet_web.__version__


def test_there_are_pages_scripts_and_styles() -> None:
    assert [page.name for page in PAGES] == ["index.html", "login.html", "setup.html"]
    assert len(SCRIPTS) > 10
    assert len(STYLES) > 5


@pytest.mark.parametrize("path", [*PAGES, *SCRIPTS, *STYLES], ids=named)
def test_everything_a_file_refers_to_is_there(path: Path) -> None:
    for reference in references(path):
        assert (STATIC / reference).is_file(), f"{named(path)} refers to {reference}, which isn't shipped"


def test_nothing_is_shipped_that_nothing_refers_to() -> None:
    reached = {named(page) for page in PAGES} | {"js/main.js", "css/page.css"}  # what built/ is made from
    waiting = list(reached)
    while waiting:
        path = STATIC / waiting.pop()
        if path.suffix not in {".html", ".css", ".js", ".json"} or "vendor" in path.parts:
            continue
        for reference in references(path):
            if reference not in reached:
                reached.add(reference)
                waiting.append(reference)
    shipped = {named(path) for path in STATIC.rglob("*") if path.is_file()}
    meta = {"vendor/MANIFEST.json", "vendor/alpine-csp/LICENSE", "vendor/uplot/LICENSE", "version.json"}
    assert shipped - reached - meta == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_holds_nothing_inline_and_one_heading_of_first_rank(page: Path) -> None:
    found = Page(page.read_text())
    assert found.faults == []
    assert found.headings == 1


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_no_script_makes_markup_from_text_or_evaluates_it(path: Path) -> None:
    banned = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setHTML|DOMParser|setAttribute\(\"style\""
    assert re.findall(banned, path.read_text()) == []


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES, *PAGES], ids=named)
def test_nothing_is_fetched_from_elsewhere(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://|//cdn|data:[a-z]+/", text) == []


@pytest.mark.needs("node", "npm")
def test_what_is_built_is_what_the_modules_and_styles_make(tmp_path: Path) -> None:
    if not prepare.npm():
        pytest.skip("npm could not get what bundles the page")
    done = subprocess.run(
        ["node", BUNDLE, tmp_path], text=True, capture_output=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    fresh = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in (STATIC / "built").iterdir()}
    assert fresh.keys() == kept.keys(), "out of date: run `hatch run docs`"
    assert [name for name in fresh if fresh[name] != kept[name]] == [], "out of date: run `hatch run docs`"


def test_the_page_asks_for_little_before_it_is_drawn() -> None:
    """Each request is a round trip where six go at once, and a task for the browser."""
    found = Page((STATIC / "index.html").read_text()).references
    assert {path for path in found if path.endswith((".js", ".css"))} - LATER == {
        "/static/js/theme-boot.js",
        "/static/built/main.js",
        "/static/built/page.css",
    }
    assert re.findall(r"""^import\b""", (STATIC / "built" / "main.js").read_text(), re.MULTILINE) == []


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES], ids=named)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 250


def test_every_icon_that_is_named_is_in_the_page() -> None:
    used = set(re.findall(r'<use href="#icon-([^"]+)"', (STATIC / "index.html").read_text()))
    for path in SCRIPTS:
        used |= set(re.findall(r'(?:iconUrl\(|icon\(|shape: |icon: )"([a-z-]+)"', path.read_text()))
    assert used
    assert used <= icon_names()
    every = re.findall(r'<symbol id="([^"]+)"', (STATIC / "index.html").read_text())
    assert len(every) == len(set(every)), "of two with one name only the first is ever drawn"


def test_vendored_files_are_what_the_manifest_says(vendor: ModuleType) -> None:
    manifest = json.loads(vendor.MANIFEST.read_text())
    assert vendor.verify(manifest) == []
    for library in manifest["libraries"]:
        assert re.fullmatch(r"\d+\.\d+\.\d+", library["version"])
        assert library["license"]


def test_a_changed_missing_or_unlisted_vendored_file_is_named(vendor: ModuleType, tmp_path: Path) -> None:
    manifest = json.loads(vendor.MANIFEST.read_text())
    library = manifest["libraries"][0]
    assert vendor.verify(manifest, tmp_path)[0].startswith(f"{library['file']} is missing")
    target = tmp_path / library["file"]
    target.parent.mkdir(parents=True)
    target.write_text("changed")
    (tmp_path / "stray.js").write_text("")
    faults = " ".join(vendor.verify(manifest, tmp_path))
    assert "has sha256" in faults
    assert "stray.js isn't listed" in faults
