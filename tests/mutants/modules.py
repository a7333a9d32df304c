"""The mutated modules, each with the tests that should notice.

Names may contain `*`. We leave out tests that start servers in processes if other tests check the same: they are slow.
"""

from typing import Final

_DECLARED_FEATURES: Final = (
    "tests/graph/features/declared/test_edges.py",
    "tests/graph/features/declared/test_quotients.py",
    "tests/graph/features/declared/test_passes.py",
    "tests/graph/features/declared/test_pipeline.py",
    "tests/graph/features/declared/test_rental.py",
    "tests/graph/features/declared/test_shipped.py",
    "tests/graph/features/declared/test_agreement.py",
)
_FEATURE_CHECKS: Final = (
    "tests/engine/lang/check/test_features.py",
    "tests/test_problems.py",
    "tests/test_language.py",
)
_IMPORTS: Final = (
    "tests/api/cli/test_import.py",
    "tests/api/cli/test_import_guess.py",
    "tests/api/cli/test_import_problems.py",
    "tests/api/cli/test_import_runs.py",
    "tests/api/cli/test_import_schema.py",
    "tests/api/cli/test_import_sources.py",
)
_SHARED_DECISIONS: Final = ("tests/api/links/test_links.py", "tests/api/links/test_shared_decisions.py")
# The simulations of `tests/engine/rollout/test_false_alarms.py` stay out: they are slow.
_ROLLOUT: Final = (
    "tests/engine/rollout/test_buckets.py",
    "tests/engine/rollout/test_confidence_sequences.py",
    "tests/engine/rollout/test_contrasts.py",
    "tests/engine/rollout/test_guards.py",
    "tests/engine/rollout/test_outcomes.py",
    "tests/engine/rollout/test_percentages.py",
    "tests/engine/rollout/test_plan.py",
)
_CHANGES: Final = (
    "tests/engine/changes/test_comparison.py",
    "tests/engine/changes/test_day_turns.py",
    "tests/engine/changes/test_swap_report.py",
    "tests/engine/changes/test_swap_tally.py",
    "tests/api/supervision/test_swap_sets.py",
    "tests/api/supervision/test_swap_decisions.py",
)
# The state machine of `tests/api/proposals/test_laws.py` stays out: it is slow.
_RELEASE_STEPS: Final = (
    "tests/api/proposals/test_altered_log.py",
    "tests/api/proposals/test_gate.py",
    "tests/api/proposals/test_gate_in_time.py",
    "tests/api/proposals/test_reports.py",
    "tests/api/proposals/test_side_doors.py",
    "tests/api/proposals/test_trials.py",
    "tests/api/http/test_keys.py",
)
MODULES: Final[dict[str, tuple[str, ...]]] = {
    "engine/decide/scorecard.py": (
        "tests/engine/decide/test_scorecard.py",
        "tests/engine/decide/test_decide.py",
        "tests/engine/decide/test_without_relationships.py",
    ),
    "engine/decide/perks.py": (
        "tests/engine/decide/test_perks.py",
        "tests/engine/decide/test_caps.py",
        "tests/engine/decide/test_decide.py",
        "tests/engine/decide/test_context.py",
    ),
    "engine/decide/caps.py": ("tests/engine/decide/test_caps.py", "tests/engine/decide/test_perks.py"),
    "engine/decide/decide.py": (
        "tests/engine/decide/test_decide.py",
        "tests/engine/decide/test_record_versions.py",
        "tests/engine/decide/test_without_relationships.py",
        "tests/engine/decide/test_caps.py",
        "tests/engine/decide/test_context.py",
        "tests/engine/decide/test_days_of_effect.py",
        "tests/engine/decide/test_patterns_and_lists.py",
    ),
    "engine/decide/orders.py": ("tests/engine/decide/test_orders.py",),
    "engine/decide/patterns.py": (
        "tests/engine/decide/test_patterns.py",
        "tests/engine/decide/test_patterns_and_lists.py",
        "tests/engine/verify/test_cases.py",
    ),
    "engine/lang/check/resolve.py": (
        "tests/engine/lang/check/test_resolve.py",
        "tests/engine/lang/check/test_release.py",
        "tests/engine/lang/syntax/test_expressions.py",
        "tests/engine/lang/model/test_types.py",
        "tests/test_problems.py",
    ),
    "engine/lang/engines/lowering.py": (
        "tests/engine/lang/engines/test_lowering.py",
        "tests/engine/lang/engines/test_durable.py",
        "tests/engine/lang/engines/test_columnar.py",
        "tests/engine/verify/test_agreement.py",
    ),
    "engine/lang/engines/columnar.py": (
        "tests/engine/lang/engines/test_columnar.py",
        "tests/engine/verify/test_agreement.py",
    ),
    "engine/lang/engines/reference.py": (
        "tests/engine/lang/syntax/test_expressions.py",
        "tests/engine/lang/engines/test_trace.py",
        "tests/engine/verify/test_agreement.py",
    ),
    "graph/evidence/visibility.py": (
        "tests/graph/evidence/test_visibility.py",
        "tests/graph/features/test_credit.py",
        "tests/graph/features/test_credit_oracle.py",
    ),
    "graph/evidence/vocabulary.py": (
        "tests/graph/evidence/test_declared_fields.py",
        "tests/graph/evidence/test_visibility.py",
        "tests/test_shipped_evidence.py",
    ),
    "graph/evidence/vocabulary_changes.py": (
        "tests/graph/evidence/test_vocabulary_changes.py",
        "tests/api/releases/test_evidence_changes.py",
    ),
    "graph/evidence/declared_fields.py": (
        "tests/graph/evidence/test_declared_fields.py",
        "tests/api/evidence/test_declared_kinds.py",
    ),
    **dict.fromkeys(
        (
            "graph/features/declared/columns.py",
            "graph/features/declared/data_fields.py",
            "graph/features/declared/definition.py",
            "graph/features/declared/formulas.py",
            "graph/features/declared/neighbours.py",
            "graph/features/declared/numbering.py",
            "graph/features/declared/quotients.py",
            "graph/features/declared/recipes.py",
            "graph/features/declared/reference.py",
            "graph/features/declared/rows.py",
            "graph/features/declared/sequences.py",
        ),
        _DECLARED_FEATURES,
    ),
    "engine/lang/check/evidence.py": (
        "tests/engine/lang/check/test_release.py",
        "tests/test_problems.py",
        "tests/test_language.py",
        "tests/test_shipped_evidence.py",
    ),
    **dict.fromkeys(
        (
            "engine/lang/check/feature_events.py",
            "engine/lang/check/feature_formulas.py",
            "engine/lang/check/feature_measures.py",
            "engine/lang/check/feature_parts.py",
            "engine/lang/check/features.py",
        ),
        _FEATURE_CHECKS,
    ),
    "engine/verify/feature_cases.py": (
        "tests/engine/verify/test_cases.py",
        "tests/engine/verify/test_shipped_rules.py",
    ),
    **dict.fromkeys(
        (
            "api/evidence/imports/cells.py",
            "api/evidence/imports/column_profiles.py",
            "api/evidence/imports/columns.py",
            "api/evidence/imports/compilation.py",
            "api/evidence/imports/conditions.py",
            "api/evidence/imports/dry_run.py",
            "api/evidence/imports/event_targets.py",
            "api/evidence/imports/field_checks.py",
            "api/evidence/imports/file_sources.py",
            "api/evidence/imports/importing.py",
            "api/evidence/imports/json_objects.py",
            "api/evidence/imports/map_grammar.py",
            "api/evidence/imports/map_guess.py",
            "api/evidence/imports/map_tree.py",
            "api/evidence/imports/mapping.py",
            "api/evidence/imports/query_source.py",
            "api/evidence/imports/sources.py",
        ),
        _IMPORTS,
    ),
    **dict.fromkeys(
        (
            "engine/rollout/buckets.py",
            "engine/rollout/confidence_sequences.py",
            "engine/rollout/contrasts.py",
            "engine/rollout/outcomes.py",
            "engine/rollout/percentages.py",
            "engine/rollout/plan.py",
            "engine/proportions.py",
            "engine/rollout/sequential.py",
        ),
        _ROLLOUT,
    ),
    **dict.fromkeys(
        (
            "engine/changes/comparison.py",
            "engine/changes/day_turns.py",
            "engine/changes/plans.py",
            "engine/changes/rule_changes.py",
            "engine/changes/swap_report.py",
            "engine/changes/tally.py",
            "engine/changes/texts.py",
        ),
        _CHANGES,
    ),
    **dict.fromkeys(
        (
            "api/releases/activation_steps.py",
            "api/releases/key_steps.py",
            "api/releases/proposal_steps.py",
            "api/releases/release_states.py",
            "api/releases/step_checks.py",
            "api/releases/steps.py",
            "api/releases/transitions.py",
        ),
        _RELEASE_STEPS,
    ),
    "api/proposals/trial_outcomes.py": ("tests/api/proposals/test_trial_outcomes.py",),
    "api/proposals/trial_sums.py": ("tests/api/proposals/test_trials.py",),
    "api/people/features.py": ("tests/api/people/test_me.py", "tests/api/guarantees/test_exports.py"),
    "api/people/ledger_erasure.py": (
        "tests/api/people/test_erasure.py",
        "tests/api/people/test_erased_mentions.py",
        "tests/api/evidence/test_declared_kinds.py",
    ),
    "graph/features/definitions/obligations.py": (
        "tests/graph/features/test_credit.py",
        "tests/graph/features/test_credit_oracle.py",
        "tests/graph/features/test_features.py",
    ),
    "api/people/erasure.py": (
        "tests/api/people/test_erasure.py",
        "tests/api/people/test_redaction.py",
        "tests/api/people/test_erased_people.py",
        "tests/api/people/test_erased_mentions.py",
        "tests/api/evidence/contributor/test_decoys.py",
        "tests/api/people/test_two_of_each.py",
        "tests/api/access/test_presence.py",
        "tests/api/jobs/test_vacuum.py",
    ),
    "api/supervision/audit.py": (
        "tests/api/supervision/test_audit.py",
        "tests/api/supervision/test_chain.py",
        "tests/api/supervision/test_legacy_chains.py",
        "tests/api/orders/test_order_chain.py",
        "tests/api/supervision/test_report.py",
    ),
    "api/consent/permissions.py": ("tests/api/consent/test_permissions.py", "tests/api/consent/test_consents.py"),
    "api/decisions/exposure.py": (
        "tests/api/decisions/test_exposure.py",
        "tests/api/links/test_shared_decisions.py",
        "tests/api/orders/test_caps_of_orders.py",
        "tests/api/orders/test_order_limits.py",
    ),
    "api/decisions/counting_decisions.py": (
        "tests/api/decisions/test_counting_decisions.py",
        "tests/api/decisions/test_exposure.py",
    ),
    "api/decisions/eligibility.py": ("tests/api/decisions/test_eligibility.py",),
    "api/decisions/shared_decisions.py": _SHARED_DECISIONS,
    "api/evidence/undone_links.py": _SHARED_DECISIONS,
    "api/supervision/exposure.py": (*_SHARED_DECISIONS, "tests/api/supervision/test_chain.py"),
    "api/supervision/move_counts.py": (*_SHARED_DECISIONS, "tests/api/orders/test_order_chain.py"),
    "api/decisions/decisions.py": (
        "tests/api/decisions/test_exposure.py",
        "tests/api/decisions/test_eligibility.py",
        "tests/api/supervision/test_audit.py",
        "tests/api/supervision/test_chain.py",
    ),
    "api/orders/orders.py": (
        "tests/api/orders/test_order_chain.py",
        "tests/api/orders/test_order_limits.py",
        "tests/api/orders/test_order_times.py",
        "tests/api/orders/test_orders.py",
        "tests/api/jobs/test_order_clock.py",
        "tests/api/merchants/test_callback_targets.py",
    ),
    "api/access/oidc.py": (
        "tests/api/access/test_oidc.py",
        "tests/api/access/test_oidc_edges.py",
    ),
    "api/access/tokens.py": (
        "tests/api/access/test_token_rows.py",
        "tests/api/access/test_tokens.py",
        "tests/api/http/test_roles.py",
    ),
}
