"""The modules that are mutated, each with the tests that are to notice.

Names may have a `*`. Tests that start servers as processes of their own are left out where others hold the same: they are slow.
"""

from typing import Final

_ENGINE: Final = "tests/engine"
_LANG: Final = "tests/engine/lang"
_GRAPH: Final = "tests/graph"
_API: Final = "tests/api"

MODULES: Final[dict[str, tuple[str, ...]]] = {
    "engine/scorecard.py": (f"{_ENGINE}/test_scorecard.py", f"{_ENGINE}/test_decide.py", f"{_ENGINE}/test_alone.py"),
    "engine/perks.py": (
        f"{_ENGINE}/test_perks.py",
        f"{_ENGINE}/test_caps.py",
        f"{_ENGINE}/test_decide.py",
        f"{_ENGINE}/test_context.py",
    ),
    "engine/caps.py": (f"{_ENGINE}/test_caps.py", f"{_ENGINE}/test_perks.py"),
    "engine/decide.py": (
        f"{_ENGINE}/test_decide.py",
        f"{_ENGINE}/test_alone.py",
        f"{_ENGINE}/test_caps.py",
        f"{_ENGINE}/test_context.py",
        f"{_ENGINE}/test_eras.py",
        f"{_ENGINE}/test_patterns_and_lists.py",
    ),
    "engine/orders.py": (f"{_ENGINE}/test_orders.py",),
    "engine/watch.py": (
        f"{_ENGINE}/test_watch.py",
        f"{_ENGINE}/test_patterns_and_lists.py",
        f"{_ENGINE}/test_cases.py",
    ),
    "engine/lang/resolve.py": (
        f"{_LANG}/test_resolve.py",
        f"{_LANG}/test_check.py",
        f"{_LANG}/test_expressions.py",
        f"{_LANG}/test_types.py",
        "tests/test_problems.py",
    ),
    "engine/lang/lower.py": (f"{_LANG}/test_online.py", f"{_LANG}/test_columnar.py", f"{_ENGINE}/test_agreement.py"),
    "engine/lang/columnar.py": (f"{_LANG}/test_columnar.py", f"{_ENGINE}/test_agreement.py"),
    "engine/lang/reference.py": (
        f"{_LANG}/test_expressions.py",
        f"{_LANG}/test_trace.py",
        f"{_ENGINE}/test_agreement.py",
    ),
    "graph/view.py": (f"{_GRAPH}/test_view.py", f"{_GRAPH}/features/test_credit*.py"),
    "graph/features/credit.py": (f"{_GRAPH}/features/test_credit*.py", f"{_GRAPH}/features/test_features.py"),
    "graph/features/capacity.py": (f"{_GRAPH}/features/test_money.py", f"{_GRAPH}/features/test_features.py"),
    "graph/features/behaviour.py": (f"{_GRAPH}/features/test_money.py", f"{_GRAPH}/features/test_features.py"),
    "api/people/erasure.py": (f"{_API}/test_erasure.py", f"{_API}/test_redaction.py", f"{_API}/test_presence.py"),
    "api/supervision/audit.py": (
        f"{_API}/test_audit.py",
        f"{_API}/test_chain*.py",
        f"{_API}/test_order_chain.py",
        f"{_API}/test_report.py",
    ),
    "api/consent/permissions.py": (f"{_API}/test_permissions.py", f"{_API}/test_consents.py"),
    "api/decisions/account.py": (f"{_API}/test_account.py", f"{_API}/test_exposure.py", f"{_API}/test_limits.py"),
    "api/decisions/decisions.py": (
        f"{_API}/test_account.py",
        f"{_API}/test_eligibility.py",
        f"{_API}/test_audit.py",
        f"{_API}/test_chain.py",
    ),
    "api/orders/orders.py": (f"{_API}/test_order*.py", f"{_API}/test_timekeeper.py", f"{_API}/test_targets.py"),
    "api/access/oidc.py": (f"{_API}/test_oidc*.py",),
    "api/access/tokens.py": (f"{_API}/test_token*.py", f"{_API}/test_roles.py"),
}
