"""The editor's bundle and the explorer: the committed files are what the lock file and our source give, with the licences of all that is in them."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.paths import ROOT

SOURCE = ROOT / "api" / "console" / "editor"
STATIC = ROOT / "api" / "console" / "static"
BUILD_SECONDS = 240
NAMES = (
    *("editor.js", "editor.js.sha256", "editor.licences.txt"),
    *("cytoscape.js", "cytoscape.js.sha256", "cytoscape.licence.txt"),
)


def test_the_bundle_is_what_its_source_and_its_lock_file_give(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        message = "npm is absent: the bundle of the editor is not built again"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    built = subprocess.run(
        [SOURCE / "build.sh", tmp_path], capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    assert built.returncode == 0, built.stderr[-4000:]
    differing = [name for name in NAMES if (tmp_path / name).read_bytes() != (STATIC / name).read_bytes()]
    assert differing == [], "run `make editor-bundle`"


@pytest.mark.parametrize("name", ["editor.js", "cytoscape.js"])
def test_the_bundle_has_the_hash_beside_it_and_evaluates_no_text(name: str) -> None:
    content = (STATIC / name).read_bytes()
    assert (STATIC / f"{name}.sha256").read_text() == f"{hashlib.sha256(content).hexdigest()}  {name}\n"
    assert re.search(rb"\beval\(|new Function\(", content) is None


def test_each_package_is_locked_by_its_hash_and_no_registry_is_named() -> None:
    lock = json.loads((SOURCE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert [path for path, package in packages.items() if not package.get("integrity", "").startswith("sha512-")] == []
    assert [path for path, package in packages.items() if "resolved" in package] == []
    versions = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))
    own_versions = {**versions["dependencies"], **versions["devDependencies"]}
    assert {name: packages[f"node_modules/{name}"]["version"] for name in own_versions} == own_versions


def test_the_explorer_has_its_version_and_its_licence() -> None:
    version = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))["dependencies"]["cytoscape"]
    licence = (STATIC / "cytoscape.licence.txt").read_text(encoding="utf-8")
    assert licence.startswith(f"cytoscape {version} (MIT)\n")
    assert "Permission is hereby granted, free of charge" in licence
    assert version.encode() in (STATIC / "cytoscape.js").read_bytes()


def test_every_package_of_the_bundle_has_its_licence_in_it() -> None:
    lock = json.loads((SOURCE / "package-lock.json").read_text(encoding="utf-8"))
    run_time = {path.removeprefix("node_modules/") for path, p in lock["packages"].items() if path and not p.get("dev")}
    licences = (STATIC / "editor.licences.txt").read_text(encoding="utf-8")
    titles = re.findall(r"^(@?[a-z0-9/-]+) [0-9.]+ \(MIT\)$", licences, re.MULTILINE)
    assert {"@codemirror/view", "style-mod"} < set(titles) <= run_time
    assert licences.count("Permission is hereby granted, free of charge") == len(titles)
