"""Take the picture of the page: what Chromium shows of the week that `picture.py` plays.

`make pictures` writes `page.png`. Fonts and browsers draw it differently on each machine, so that
the file says what it was made of: the hash of the templates, the style and the week. A test
compares that, without a browser.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import tempfile
import zlib
from hashlib import sha256
from pathlib import Path

import picture

PAGE = picture.ROOT / "cuectl" / "http" / "page"
FILE = picture.ROOT / "examples" / "week" / "page.png"
MADE_OF = ("templates/base.html", "templates/cues.html", "templates/parts.html", "app.css")
KEY = b"made-of"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_HEAD = 8  # bytes of a PNG before its first chunk


def made_of() -> str:
    """Return the hash of what the picture shows."""
    parts = [(PAGE / name).read_bytes() for name in MADE_OF]
    week = (picture.CUES, picture.PASSES, picture.MONDAY + picture.AT)
    return sha256(b"\0".join([*parts, json.dumps(week).encode()])).hexdigest()


def noted(png: bytes) -> str:
    """Return what a picture says it was made of; empty when it says nothing."""
    at = _HEAD
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        key, _, value = png[at + 8 : at + 8 + length].partition(b"\0")
        if (kind, key) == (b"tEXt", KEY):
            return value.decode()
        at += 12 + length
    return ""


def with_note(png: bytes) -> bytes:
    """Return the picture with a note of what it was made of, behind its first chunk."""
    note = b"tEXt" + KEY + b"\0" + made_of().encode()
    chunk = struct.pack(">I", len(note) - 4) + note + struct.pack(">I", zlib.crc32(note))
    at = _HEAD + 12 + struct.unpack(">I", png[_HEAD : _HEAD + 4])[0]
    return png[:at] + chunk + png[at:]


def take() -> bytes:
    """Play the week, open its page in Chromium, and return the picture."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"the picture of the page needs one of: {', '.join(BROWSERS)}")
    with picture.week() as stage, tempfile.TemporaryDirectory() as profile:
        serve = subprocess.Popen(
            ["cuectl", "--json", "serve", "--port", "0"], cwd=stage.folder, stdout=subprocess.PIPE,
            env={**stage.environment, "CUECTL_NOW": picture.MONDAY + picture.AT},
            executable=f"{stage.folder}/cuectl",
        )  # fmt: skip
        try:
            assert serve.stdout is not None
            told = json.loads(serve.stdout.readline())
            taken = Path(profile) / "page.png"
            subprocess.run(
                [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                 f"--user-data-dir={profile}/profile", "--window-size=1100,365",
                 f"--screenshot={taken}", f"{told['url']}{told['page']}"],
                check=True, capture_output=True, timeout=120,
            )  # fmt: skip
            return with_note(taken.read_bytes())
        finally:
            serve.terminate()
            serve.wait()


if __name__ == "__main__":
    # Where nothing has changed, the picture stays as it is: another font is no news.
    if not FILE.exists() or noted(FILE.read_bytes()) != made_of():
        FILE.write_bytes(take())
