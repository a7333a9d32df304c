"""`iftah graph` at a terminal: the file, what is said, what is refused."""

from pathlib import Path

import pytest

from api.database import open_database
from tests.api.circles import small_world
from tests.api.terminal import Done, Run, environment, in_process


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to write to, with the small world in a database beside what is written."""
    made = tmp_path_factory.mktemp("graph")
    small_world(open_database(f"sqlite:///{made / 'iftah.db'}")).dispose()
    return made


@pytest.fixture(scope="module")
def iftah(folder: Path) -> Run:
    env = environment(IFTAH_DATABASE_URL=f"sqlite:///{folder / 'iftah.db'}")

    def run(*words: str) -> Done:
        return in_process(("graph", *words), env, folder)

    return run


@pytest.mark.parametrize("name", ["ann.svg", "ann.html", "ANN.SVG"])
def test_the_file_is_written_and_the_terminal_says_what_is_in_it(iftah: Run, folder: Path, name: str) -> None:
    done = iftah("ann", "--out", name)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{name} written: The circle of ann",
        "As the person may see it, as of 2024-06-01, for perks. Only those who consent are shown.",
        "Ties: 6 people within 2 steps, 7 ties. Nothing left out.",
        "Money: 1 person, 1 merchant, 3 payments. Nothing left out.",
    ]
    text = (folder / name).read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>" if name.endswith("html") else "<svg ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody", "--out", "x.svg"), "graph: unknown person, or no consent for `perks`"),
        (("ann", "--out", "x.svg", "--hops", "0"), "--hops: `0` is not a number of hops (use 1 to 3)"),
        (("ann", "--out", "x.svg", "--hops", "4"), "--hops: `4` is not a number of hops (use 1 to 3)"),
        (
            ("ann", "--out", "x.png"),
            "--out: `.png` is not an ending of a picture (name a file that ends in .svg or .html)",
        ),
        (("ann", "--out", "x"), "--out: `x` is not an ending of a picture"),
        (("ann", "--out", "none/x.svg"), "none: there is no such folder (make it, or name another)"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_nothing_is_written(
    iftah: Run, folder: Path, words: tuple[str, ...], said: str
) -> None:
    done = iftah(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"iftah: {said}")
    assert done.stderr.count("\n") == 1
    assert not [p for p in folder.iterdir() if p.name.startswith("x")]
