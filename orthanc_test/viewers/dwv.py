"""dwv, as npm has it: a second viewer, in a page of ours that loads what it is told to.

dwv is under the GPL: a program that tests download and open, nothing that the project links to or ships.
"""

from __future__ import annotations

from orthanc_test.viewers.npm import Package

DWV = Package(
    "dwv",
    "0.36.4",
    "kXGlujGcCKSJD6s0THa2z4Kn/aVCdltvbgrn8g2WcTA8TgLZJHp6Z0Tbu3gxkerIaMCrTC4TbaWJI0nq9tPAFg==",
    "dist",
)
NEEDED = {  # the libraries that dwv imports by name, the file of each, and the name that the file gives itself
    "konva": (
        Package(
            "konva",
            "10.2.0",
            "JBoz0Xjbf49UPxCZegZ4WseqOzJ+C4AUDOtJ9eBve5RS5Fcq/u8TdBD5fDl/uPFInpC3a9uycm0sRyZpF4hheg==",
            ".",
        ),
        "konva.min.js",
        "Konva",
    ),
    "jszip": (
        Package(
            "jszip",
            "3.10.1",
            "xXDvecyTpGLrqFrvkrUSoxxfJI5AH7U8zxxtVclpsUtMCq4JQ290LY8AW5c7Ggnr/Y/oK+bQMbqK2qmtk3pN4g==",
            "dist",
        ),
        "jszip.min.js",
        "JSZip",
    ),
    "magic-wand-tool": (
        Package(
            "magic-wand-tool",
            "1.1.7",
            "S4rHzCs/bAp7nhQGKeg+McWuqrdyZKpnu8Ahd8AU7NzuLTm/Hh8tkpv1tW91Kmm59foIrXzip1d+P9NDoyxrZA==",
            "dist",
        ),
        "magic-wand.min.js",
        "MagicWand",
    ),
}

INDEX = """<!doctype html><title>dwv</title><link rel="icon" href="data:,">
<script src="/konva.min.js"></script><script src="/jszip.min.js"></script><script src="/magic-wand.min.js"></script>
<script type="importmap">{"imports": {
  "konva": "/konva.shim.js", "jszip": "/jszip.shim.js", "magic-wand-tool": "/magic-wand-tool.shim.js"}}</script>
<div id="layers" style="width: 800px; height: 600px"></div>
<script type="module">
import {App, AppOptions, ViewConfig} from "/dwv.min.js";
const app = new App();
const options = new AppOptions({"*": [new ViewConfig("layers")]});
options.viewOnFirstLoadItem = false;
app.init(options);
window.app = app;
window.load = urls => new Promise((resolve, reject) => {
  const id = app.loadURLs(urls);
  app.addEventListener("load", event => { if (event.dataid === id) resolve(id); });
  for (const end of ["loaderror", "error", "abort"])
    app.addEventListener(end, event => { if (event.dataid === id) reject(event.error ?? new Error(end)); });
});
</script>
"""
"""dwv's page: `load` takes the addresses of a series' files and gives dwv's name for what it made of them."""


def pages() -> dict[str, str]:
    """Return the page, and the libraries as the page names them, by path.

    Raises:
        NotAtHandError: npm does not give a library.
    """
    shims = {f"/{name}.shim.js": f"export default window.{title};" for name, (_, _, title) in NEEDED.items()}
    files = {f"/{file}": (package.install() / file).read_text() for package, file, _ in NEEDED.values()}
    return {"/index.html": INDEX, "/": INDEX, **shims, **files}
