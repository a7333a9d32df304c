"""`iftah draw` at a terminal: the file, the output, the rejections."""

from pathlib import Path

import pytest

from api.store.database import open_database
from tests.api.ego_networks import build_ego_network
from tests.api.terminal import CommandRunner, CompletedCommand, environment, run_in_process


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to write to, and a database with the small population."""
    path = tmp_path_factory.mktemp("graph")
    build_ego_network(open_database(f"sqlite:///{path / 'iftah.db'}")).dispose()
    return path


@pytest.fixture(scope="module")
def iftah(folder: Path) -> CommandRunner:
    env = environment(IFTAH_DATABASE_URL=f"sqlite:///{folder / 'iftah.db'}")

    def run(*args: str) -> CompletedCommand:
        return run_in_process(("draw", *args), env, folder)

    return run


@pytest.mark.parametrize("name", ["ann.svg", "ann.html", "ANN.SVG"])
def test_draw_writes_the_file_and_prints_a_summary(iftah: CommandRunner, folder: Path, name: str) -> None:
    result = iftah("ann", "--out", name)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"{name} written: The network of ann",
        "As the person may see it, as of 2024-06-01, for perks. It shows only people who consent.",
        "Ties: 6 people within 2 steps, 7 ties. Nothing omitted.",
        "Money: 1 person, 1 merchant, 3 payments. Nothing omitted.",
    ]
    text = (folder / name).read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>" if name.endswith("html") else "<svg ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nobody", "--out", "x.svg"), "graph: unknown person, or no consent for `perks`"),
        (("ann", "--out", "x.svg", "--hops", "0"), "--hops: `0` is not a number of hops (use 1 to 3)"),
        (("ann", "--out", "x.svg", "--hops", "4"), "--hops: `4` is not a number of hops (use 1 to 3)"),
        (
            ("ann", "--out", "x.png"),
            "--out: `.png` is not a picture format (name a file that ends in .svg or .html)",
        ),
        (("ann", "--out", "x"), "--out: `x` is not a picture format"),
        (("ann", "--out", "none/x.svg"), "none: there is no such folder (create it, or name another)"),
    ],
)
def test_a_failure_prints_one_line_and_writes_no_file(
    iftah: CommandRunner, folder: Path, words: tuple[str, ...], message: str
) -> None:
    result = iftah(*words)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"iftah: {message}")
    assert result.stderr.count("\n") == 1
    assert not [p for p in folder.iterdir() if p.name.startswith("x")]
