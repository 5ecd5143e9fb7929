"""A real browser for tests and pictures: Debian's Chromium, unpacked into the cache when it is first needed.

    python -m harness.browser [lock]

It is driven by Playwright's library and never installed: its libraries and fonts lie beside it, so that the pictures
look the same on every machine. `lock` takes the newest packages; a version that Debian's archive has dropped is
replaced as everywhere (packages.py).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

from playwright.sync_api import Browser, sync_playwright

from harness import architecture, archive, artefact, debs, packages, paths
from harness.errors import HarnessError

LOCK = paths.HARNESS / f"node/browser{architecture.here().mark}.lock"
PROGRAM = "usr/lib/chromium/chromium-headless-shell"
LIBRARIES = (*architecture.here().libraries, f"{architecture.here().libraries[-1]}/pulseaudio")
# Chromium as it is built to run without a screen, what it links, and one typeface. The C library is the machine's.
_PACKAGES = (
    "chromium-common chromium-headless-shell fonts-inter libasound2 libasyncns0 libatk1.0-0 libatspi2.0-0 libblkid1 "
    "libbrotli1 libbsd0 libcap2 libdav1d6 libdbus-1-3 libdouble-conversion3 libdrm2 libexpat1 libffi8 libflac12 "
    "libfontconfig1 libfreetype6 libgbm1 libgcc-s1 libgcrypt20 libglib2.0-0 libgpg-error0 libgraphite2-3 "
    "libharfbuzz-subset0 libharfbuzz0b libjpeg62-turbo liblcms2-2 liblz4-1 liblzma5 libmd0 libminizip1 libmount1 "
    "libmp3lame0 libmpg123-0 libnspr4 libnss3 libogg0 libopenh264-7 libopenjp2-7 libopus0 libpcre2-8-0 libpng16-16 "
    "libpulse0 libselinux1 libsndfile1 libsqlite3-0 libstdc++6 libsystemd0 libudev1 libvorbis0a libvorbisenc2 "
    "libwayland-server0 libx11-6 libx11-xcb1 libxau6 libxcb1 libxcomposite1 libxdamage1 libxdmcp6 libxext6 libxfixes3 "
    "libxi6 libxkbcommon0 libxnvctrl0 libxrandr2 libxrender1 libzstd1 zlib1g"
)
PACKAGES = tuple(_PACKAGES.split())
FONTS = """<?xml version="1.0"?>
<fontconfig><dir>{root}/usr/share/fonts</dir><cachedir>{cache}</cachedir></fontconfig>
"""


def root() -> Path:
    """The folder it is unpacked in; fetched and made when it is missing."""
    lock = packages.settled(LOCK)
    place = artefact.folder("browser", artefact.key(lock.read_text()))
    return artefact.made(place, "browser: Debian's Chromium", lambda scratch: debs.extract(debs.files(lock), scratch))


@contextmanager
def started(*arguments: str) -> Iterator[Browser]:
    """The running browser, and its end."""
    folder = root()
    fonts = paths.cache() / "browser-fonts.conf"
    fonts.write_text(FONTS.format(root=escape(str(folder)), cache=escape(str(paths.cache() / "browser-fonts"))))
    environment: dict[str, str | float | bool] = {
        "LD_LIBRARY_PATH": ":".join(str(folder / name) for name in LIBRARIES),
        "FONTCONFIG_FILE": str(fonts),
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
    }
    with sync_playwright() as driver:
        # Chromium's own sandbox does not start as root, and it shows pages of this repository only.
        browser = driver.chromium.launch(
            executable_path=folder / PROGRAM, env=environment, args=list(arguments), chromium_sandbox=False
        )
        try:
            yield browser
        finally:
            browser.close()


def main(arguments: list[str]) -> int:
    """The command line; see the top of this file."""
    if arguments == ["lock"]:
        debs.write_lock(LOCK, archive.newest(PACKAGES))
    elif arguments:
        raise HarnessError(f"{arguments[0]!r} is not known: python -m harness.browser [lock]")
    with started() as browser:
        print(f"Chromium {browser.version}: {root()}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except HarnessError as problem:
        sys.exit(f"browser: {problem}")
