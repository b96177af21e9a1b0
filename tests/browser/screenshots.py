"""Pictures of every view, both themes, wide and narrow: `python -m tests.browser.screenshots docs/images`.

Writes VIEW-THEME-WIDTH.webp, small enough to keep in the repository, and fleet.png, the README's picture. With `--views
NAME,NAME` only those views; with `--full` as PNG in full size, to look at closely.
"""

import argparse
import base64
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser import views
from tests.browser.chromium import DESKTOP, PHONE, chromium
from tests.browser.gallery import gallery
from tests.support.lab import Lab, lab

KEPT = ("fleet", "bulk", "finder", "host", "failed", "running", "add", "settings", "cards")
"""Views whose pictures are kept, the one that changes the layout last; `--views` can name any of views.VIEWS, and `login`."""
SCALE = {DESKTOP["width"]: 0.6, PHONE["width"]: 0.8}

SHRINK = """async ([source, scale]) => {
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(image.width * scale);
    canvas.height = Math.round(image.height * scale);
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/webp", 0.72).split(",")[1];
}"""


def shrunk(browser: Browser, png: bytes, scale: float) -> bytes:
    """The picture as WebP, smaller."""
    page = browser.new_page()
    try:
        source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        packed: str = page.evaluate(SHRINK, [source, scale])
    finally:
        page.close()
    return base64.b64decode(packed)


def log_in(page: Page, here: Lab) -> None:
    page.goto(f"{here.server.url}/login")
    page.get_by_label("Password").fill(here.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".live")).to_have_text("Live")


def shoot(page: Page) -> bytes:
    page.mouse.move(0, 0)
    page.wait_for_timeout(600)  # transitions
    return page.screenshot()


def every_view(
    browser: Browser, here: Lab, out: Path, names: list[str], themes: list[str], full: bool
) -> None:
    """All named views in both themes and widths."""
    for scheme in themes:
        for size in (DESKTOP, PHONE):
            context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            page = context.new_page()
            for name in ["login", *(name for name in names if name != "login")]:
                if name == "login":
                    page.goto(f"{here.server.url}/login")
                else:
                    page.goto("about:blank")
                    views.VIEWS[name](page, here.server.url)
                png = shoot(page)
                place = out / f"{name}-{scheme}-{size['width']}.{'png' if full else 'webp'}"
                place.write_bytes(png if full else shrunk(browser, png, SCALE[size["width"]]))
                print(place)
                if name == "login":
                    log_in(page, here)
            context.close()


def readme(browser: Browser, here: Lab, out: Path) -> None:
    """The picture at the top of the README."""
    context = browser.new_context(viewport=DESKTOP, color_scheme="dark", reduced_motion="reduce")
    page = context.new_page()
    log_in(page, here)
    views.fleet(page, here.server.url)
    (out / "fleet.png").write_bytes(shoot(page))
    context.close()


def main(argv: list[str] | None = None) -> int:
    """Make the pictures; exit code 0 when all were made."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--views", default=",".join(KEPT), help="names of views.VIEWS, separated by commas")
    parser.add_argument("--themes", default="dark,light", help="one of them, or both")
    parser.add_argument("--full", action="store_true", help="PNG in full size instead of small WebP")
    options = parser.parse_args(argv)
    options.outdir.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        lab(Path(directory)) as here,
        gallery(here),
        chromium() as browser,
    ):
        readme(browser, here, options.outdir)
        every_view(
            browser, here, options.outdir, options.views.split(","), options.themes.split(","), options.full
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
