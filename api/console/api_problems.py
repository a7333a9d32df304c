"""Problems of the API in the reader's language: what each code means, and what to do.

A page shows the API's own detail and hint to readers of English. For another language we translate them where they have a
translation, and say what the code means where they have none.
"""

from collections.abc import Mapping
from typing import Any, Final

from api.console.navigation import N_
from api.console.problem_texts import problem_text
from api.console.release_words import PROBLEMS
from api.console.words import translations

TRY_AGAIN: Final = N_("The server cannot answer just now. Try again in a moment.")
SIGN_IN_AGAIN: Final = N_("Sign in again, and repeat what you did.")
BAD_REQUEST: Final = N_("Something in the form cannot be used. Look at each field again.")
SERVER_CLOCK: Final = PROBLEMS["clock_behind"]
MEANINGS: Final[Mapping[str, str]] = {
    **PROBLEMS,
    **dict.fromkeys(("no_token", "bad_token", "issuer_unavailable"), SIGN_IN_AGAIN),
    **dict.fromkeys(("not_ready", "internal", "engine_failed", "probe_killed", "request_timeout"), TRY_AGAIN),
    **dict.fromkeys(
        ("bad_request", "ambiguous_header", "malformed_request", "url_too_long", "headers_too_large"), BAD_REQUEST
    ),
    **dict.fromkeys(("bad_value", "bad_context", "bad_event", "unsupported_type", "method_not_allowed"), BAD_REQUEST),
    "clock_ahead": SERVER_CLOCK,
    "features_stale": N_("Evidence about this person has just changed. Try again after the next refresh, in a minute."),
    "too_many_requests": N_("Too many requests. Wait a minute, and try again."),
    "too_many_amounts": N_("Too many different amounts were asked about for this person. Try again tomorrow."),
    "bad_amount": N_("Write an amount within the bounds of the perk, with no more digits than its currency has."),
    "wrong_currency": N_("The perk has another currency."),
    "wrong_scope": N_("This token may not do this."),
    "bad_role": N_("There is no such role."),
    "bad_party": N_("This id cannot be used: take letters, digits and signs without blanks at its ends."),
    "bad_scope": N_("There is no such permission."),
    "no_such_token": N_("There is no such token."),
    "bad_ceiling": N_("Write the largest amount of one order, above 0."),
    "bad_callback": N_("The address for callbacks has to begin with https:// and be on the public internet."),
    "bad_until": N_("The end has to be in the future."),
    "not_asked": N_("Nobody asked for this consent."),
    "warning_needed": N_("Read the warning first, and confirm that you read it."),
    "unknown_purpose": N_("There is no such purpose."),
    "unknown_consent": N_("There is no such consent."),
    "consent_answered": N_("This request is answered already."),
    "too_large": N_("This is too large."),
    "too_many_rows": N_("The file has too many rows. Load it by iftah import."),
    "no_consent": N_("The person has not consented to this."),
    "not_on_allow_list": N_("This service may not ask about this person."),
    "unknown_service": N_("There is no such service."),
    "unknown_person": N_("We store nothing about a person of this id."),
    "look_needed": N_("Write first for which purpose you look at this person."),
    "unknown_perk": N_("There is no such perk."),
    "unknown_feature": N_("There is no such feature."),
    "no_lineage": N_("This number has no evidence behind it."),
    "unknown_decision": N_("There is no such decision."),
    "no_digest": N_("The digest of this day is made after midnight."),
    "erased": N_("The person has left, and we deleted what there was."),
    "not_replayable": N_("This decision cannot be computed again: what it was computed from is deleted."),
    "bad_year": N_("There is no report of this year."),
    "unknown_item": N_("There is no such item."),
    "unknown_dispute": N_("There is no such objection."),
    "unknown_review": N_("There is no such review."),
    "unknown_event": N_("There is no such event."),
    "unknown_submission": N_("There is no such load."),
    "not_found": N_("There is nothing here."),
    "transaction_mismatch": N_("This number was used for another question."),
    "transaction_expired": N_("This question is too old. Ask anew."),
    "unknown_order": N_("There is no such order."),
    "unknown_callback": N_("There is no such callback."),
    "order_mismatch": N_("There is an order of this number with other values."),
    "wrong_service": N_("The decision is about another service."),
    "not_admitted": N_("The person was not admitted."),
    "decision_used": N_("This decision has an order already. Ask anew."),
    "decision_superseded": N_("There is a newer decision. Use that one, or ask anew."),
    "decision_expired": N_("The decision has expired. Ask anew."),
    "decision_lapsed": N_("The decision no longer holds. Ask anew."),
    "wrong_state": N_("The order has moved on. This is how it stands now."),
    "overdue_outstanding": N_("The person has an overdue order."),
    "due_outstanding": N_("The person has an order that is due."),
    "too_many_open": N_("The person has too many open orders."),
    "over_ceiling": N_("The amount is above the ceiling of the service."),
    "total_may_only_decrease": N_("The total may only become smaller."),
    "day_not_over": N_("This day is not over yet. Its moves are here from ten minutes after midnight on."),
    "bad_time_range": N_("The end of the time is before its beginning."),
    "open_orders": N_("An order is still open. Leave when it is closed."),
    "dispute_answered": N_("This objection is answered already."),
    "already_answered": N_("This is answered already, in another way."),
    "bad_score": N_("The score has to be within the range of the scorecard."),
    "unknown_proposal": N_("There is no such proposal."),
    "unknown_draft": N_("There is no such draft. Somebody may have deleted it."),
    "draft_moved": N_("Somebody changed the draft meanwhile. Compare it with your text."),
    "draft_exists": N_("You have a draft of this name. Take another name."),
    "too_many_drafts": N_("You have too many drafts. Delete one first."),
    "other_owner": N_("The draft is somebody else's."),
    "no_purpose": N_("Write a purpose of 3 to 500 characters, on one line."),
    "log_moved": N_("Somebody took another step meanwhile. This is how it stands now."),
    "needs_approval": N_("A second person has to approve this first."),
    "no_change": N_("These files are in force already. Change a file first."),
    "no_dry_run": N_("Do a dry run of exactly this file and map first."),
}


def in_language(document: Mapping[str, Any], language: str) -> Mapping[str, Any]:
    """The problem document with its detail and hint in the language."""
    if language == "en":
        return document
    detail, hint = str(document.get("detail", "")), str(document.get("hint", ""))
    meaning = MEANINGS.get(str(document.get("code", "")), "")
    translated = "; ".join(problem_text(part, language) for part in detail.split("; "))
    if translated == detail:
        return {**document, "detail": translations(language).gettext(meaning) if meaning else detail, "hint": ""}
    advice = problem_text(hint, language)
    return {**document, "detail": translated, "hint": advice if advice != hint else ""}
