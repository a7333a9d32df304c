"""Settings: the environment over the file over defaults; what is wrong is said all at once; nothing secret is shown."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.settings import PREFIX, Settings, in_force, settings
from engine.errors import Refused


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Called with the text of a file and variables: the settings come from these alone."""
    import os

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def put(file: str | None = None, **variables: str) -> None:
        if file is not None:
            (tmp_path / "iftah.toml").write_text(file)
        for name, value in variables.items():
            monkeypatch.setenv(f"{PREFIX}{name}", value)

    return put


Place = Callable[..., None]


def refusal() -> str:
    with pytest.raises(Refused) as refused:
        settings()
    assert refused.value.code == "bad_setting"
    return str(refused.value)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(place: Place) -> None:
    place('port = 8100\ntown_people = 7\nlog_format = "json"', PORT="8200")
    found = settings()
    assert (found.port, found.town_people, found.log_format, found.host) == (8200, 7, "json", "127.0.0.1")
    sources = {s.name: s.source for s in in_force(found)}
    assert [sources[n] for n in ("port", "town_people", "host")] == ["IFTAH_PORT", "iftah.toml", "default"]


def test_another_file_can_be_named_and_must_then_be_there(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("port = 8300")
    place("port = 8100", CONFIG=str(tmp_path / "other.toml"))
    assert settings().port == 8300
    place(CONFIG=str(tmp_path / "none.toml"))
    assert "there is no such file" in refusal()


def test_an_empty_variable_is_none(place: Place) -> None:
    place("port = 8100", PORT="")
    assert settings().port == 8100


def test_what_is_unknown_or_wrong_is_said_all_at_once_with_its_place_and_a_suggestion(place: Place) -> None:
    place('prot = 1\nworkers = 0\n[database]\nurl = "x"', TOWN_SEED="-1", HOTS="x", SERVICE_HOST="10.0.0.1")
    said = refusal()
    assert "iftah.toml: prot: there is no such setting (did you mean port?)" in said
    assert "iftah.toml: workers `0`: input should be greater than or equal to 1" in said
    assert "IFTAH_TOWN_SEED `-1`: " in said
    assert "iftah.toml: database: there is no such setting" in said
    assert "IFTAH_SERVICE_HOST" not in said  # orchestrators set such
    place("", TOWN_SEED="1", RULE="x")
    assert "IFTAH_RULE: there is no such setting (did you mean IFTAH_RULES?)" in refusal()


@pytest.mark.parametrize("text", ["port = ", "= 1", "port = 1\nport = 2", "\x00"])
def test_a_file_that_is_not_toml_is_refused_with_its_place(place: Place, text: str) -> None:
    place(text)
    assert "iftah.toml: not TOML: " in refusal()


def test_passwords_and_tokens_are_shown_to_nobody(place: Place) -> None:
    place('metrics_token = "very-secret-token-1"', DATABASE_URL="postgresql://iftah:pass-word-2@db:5432/iftah")
    done = CliRunner().invoke(app, ["settings"])
    assert done.exit_code == 0
    assert "database_url = postgresql://iftah:***@db:5432/iftah  (IFTAH_DATABASE_URL)" in done.output
    assert "metrics_token = ***  (iftah.toml)" in done.output
    assert not [s for s in ("very-secret", "pass-word") if s in done.output]
    place('metrics_token = "short"')
    assert "short`" not in refusal()


def test_every_setting_says_what_it_sets() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
