"""Texts of the pages in both languages."""

from collections import defaultdict

from tests.translations import missing, texts, translated


def test_every_text_of_a_page_is_translated() -> None:
    assert missing() == {}


def test_a_text_has_one_translation() -> None:
    by_text = defaultdict(set)
    for _, text, translation in translated():
        by_text[text].add(translation)
    assert {text for text, values in by_text.items() if len(values) > 1} == set()


def test_no_translation_is_left_over() -> None:
    assert {text for _, text, _ in translated()} - set(texts()) == set()
