"""The probe of the shipped rules, which each start of a server makes: 1.6 s of the processor, for the same answer each time.

The tests of the probe make it, those of reloading, and those of `iftah` started by its name.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from api.releases import probe, rules_folder
from engine.lang.model.program import Release
from engine.verify.boundary_cases import PEOPLE
from tests.api.town import shipped_release
from tests.paths import RULES

_RESULT = probe.ProbeResult(PEOPLE, {})
_run_probe = probe.run_probe


@cache
def shipped_files() -> Mapping[str, str]:
    return rules_folder.rule_files(RULES)[0]


def run_other_probe(release: Release, *args: Any, files: Mapping[str, str] | None = None, **options: Any) -> Any:
    """As `run_probe`, without a process for the shipped rules and their cases."""
    if release.id == shipped_release().id and dict(files or release.files).items() <= shipped_files().items():
        return _RESULT
    return _run_probe(release, *args, files=files, **options)
