"""Settings: the environment wins over the file, the file over defaults. We report all problems at once and show no
secret.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.settings.settings import PREFIX, Settings, effective_settings, settings
from engine.errors import Rejected


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pass the text of a file and variables: the settings come from these alone."""
    import os

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def write_settings(content: str | None = None, **variables: str) -> None:
        if content is not None:
            (tmp_path / "iftah.toml").write_text(content)
        for name, value in variables.items():
            monkeypatch.setenv(f"{PREFIX}{name}", value)

    return write_settings


Configure = Callable[..., None]


def rejection_message() -> str:
    with pytest.raises(Rejected) as error:
        settings()
    assert error.value.code == "bad_setting"
    return str(error.value)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(configure: Configure) -> None:
    configure('port = 8100\ntown_people = 7\nlog_format = "json"', PORT="8200")
    current_settings = settings()
    assert (
        current_settings.port,
        current_settings.town_people,
        current_settings.log_format,
        current_settings.host,
    ) == (8200, 7, "json", "127.0.0.1")
    sources = {s.name: s.source for s in effective_settings(current_settings)}
    assert [sources[n] for n in ("port", "town_people", "host")] == ["IFTAH_PORT", "iftah.toml", "default"]


def test_a_named_settings_file_must_exist(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("port = 8300")
    configure("port = 8100", CONFIG=str(tmp_path / "other.toml"))
    assert settings().port == 8300
    configure(CONFIG=str(tmp_path / "none.toml"))
    assert "there is no such file" in rejection_message()


def test_an_empty_variable_counts_as_unset(configure: Configure) -> None:
    configure("port = 8100", PORT="")
    assert settings().port == 8100


def test_all_unknown_and_wrong_settings_are_reported_with_place_and_hint(configure: Configure) -> None:
    configure('prot = 1\nworkers = 0\n[database]\nurl = "x"', TOWN_SEED="-1", HOTS="x", SERVICE_HOST="10.0.0.1")
    message = rejection_message()
    assert "iftah.toml: prot: there is no such setting (did you mean port?)" in message
    assert "iftah.toml: workers `0`: input should be greater than or equal to 1" in message
    assert "IFTAH_TOWN_SEED `-1`: " in message
    assert "iftah.toml: database: there is no such setting" in message
    assert "IFTAH_SERVICE_HOST" not in message  # orchestrators set such
    configure("", TOWN_SEED="1", RULE="x")
    assert "IFTAH_RULE: there is no such setting (did you mean IFTAH_RULES?)" in rejection_message()


def test_a_former_setting_name_gets_the_new_name_as_a_hint(configure: Configure) -> None:
    configure('evidence = "town"', DATA="somewhere", PURPOSE="perks")
    message = rejection_message()
    assert "iftah.toml: evidence: it is called seed_evidence now" in message
    assert "IFTAH_DATA: it is called IFTAH_DATASETS_DIR now" in message
    assert "IFTAH_PURPOSE: it is called IFTAH_CONSENT_PURPOSE now" in message


@pytest.mark.parametrize("text", ["port = ", "= 1", "port = 1\nport = 2", "\x00"])
def test_a_file_that_is_not_toml_is_refused_with_its_place(configure: Configure, text: str) -> None:
    configure(text)
    assert "iftah.toml: not TOML: " in rejection_message()


def test_passwords_and_tokens_are_never_shown(configure: Configure) -> None:
    configure('metrics_token = "very-secret-token-1"', DATABASE_URL="postgresql://iftah:pass-word-2@db:5432/iftah")
    result = CliRunner().invoke(app, ["settings"])
    assert result.exit_code == 0
    assert "database_url = postgresql://iftah:***@db:5432/iftah  (IFTAH_DATABASE_URL)" in result.output
    assert "metrics_token = ***  (iftah.toml)" in result.output
    assert not [s for s in ("very-secret", "pass-word") if s in result.output]
    configure('metrics_token = "short"')
    assert "short`" not in rejection_message()


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
