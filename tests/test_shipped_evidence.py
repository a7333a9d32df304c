"""The shipped evidence.yaml declares the vocabulary that `graph` calls STANDARD, which the town and the public data sets use."""

from dataclasses import replace

import iftah
from engine.lang.check.evidence import event_kinds
from graph.evidence.vocabulary import STANDARD, EventVocabulary
from iftah.catalogue import kinds, vocabulary_of
from tests.paths import ROOT


def normal(vocabulary: EventVocabulary) -> EventVocabulary:
    """Without sentences, and with fields in one order."""
    declared = (
        replace(k, about=(), required=tuple(sorted(k.required)), optional=tuple(sorted(k.optional)))
        for k in vocabulary.declared_kinds
    )
    return replace(vocabulary, declared_kinds=tuple(declared))


def test_the_shipped_file_declares_the_standard_vocabulary() -> None:
    release = iftah.load_rules(ROOT / "rules")
    assert normal(vocabulary_of(release.evidence)) == normal(STANDARD)


def test_every_declared_kind_says_what_happened() -> None:
    release = iftah.load_rules(ROOT / "rules")
    assert release.evidence is not None
    assert all(kind.about for kind in release.evidence.kinds)


def test_rules_can_name_the_same_kinds_and_fields_with_and_without_the_file() -> None:
    """Without evidence.yaml, patterns read `iftah.catalogue.kinds`; the types of their fields are equal."""
    release = iftah.load_rules(ROOT / "rules")
    assert release.evidence is not None
    declared = event_kinds(release.evidence, kinds())
    assert {name: {**kind.fields} for name, kind in declared.items()} == {
        name: {**kind.fields} for name, kind in kinds().items()
    }
