"""List the differences between the rule files of two releases, in meaning: not in comments, layout, quotes or order of keys."""

from collections.abc import Iterator, Mapping

from engine.lang.syntax.canonical import JSON, canonical

MAX_TEXT_CHARS = 120  # of a value that we show


def file_differences(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """One line for each difference, with its file: `perks.yaml perks hotel tiers hotel.700 when: score >= 700 -> score >= 680`."""
    lines = list[str]()
    for name in sorted({*old, *new}):
        before, after = (canonical(files[name]) if name in files else None for files in (old, new))
        if before is None or after is None:
            lines.append(f"{name}: {'new file' if before is None else 'file removed'}")
        else:
            lines += [f"{name} {line}" for line in _differences((), before, after)]
    return tuple(lines)


def _differences(path: tuple[str, ...], before: JSON | None, after: JSON | None) -> Iterator[str]:
    if before == after:
        return
    old_entries, new_entries = _entries(before), _entries(after)
    if old_entries is not None and new_entries is not None:
        for key in dict.fromkeys((*old_entries, *new_entries)):
            yield from _differences((*path, key), old_entries.get(key), new_entries.get(key))
        shared = [
            [key for key in entries if key in old_entries and key in new_entries]
            for entries in (old_entries, new_entries)
        ]
        if isinstance(before, list) and shared[0] != shared[1]:
            yield f"{' '.join(path)}: another order"
        return
    where = " ".join(path)
    if before is None:
        yield f"{where}: {_text(after)} added"
    elif after is None:
        yield f"{where}: {_text(before)} removed"
    else:
        yield f"{where}: {_text(before)} -> {_text(after)}"


def _entries(value: JSON | None) -> dict[str, JSON] | None:
    """A table by key, or a list of lines by their ids; None for anything else."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or not value:
        return None
    by_id: dict[str, JSON] = {}
    for item in value:
        name = item.get("id", item.get("name", item.get("value"))) if isinstance(item, dict) else None
        if not isinstance(name, str) or name in by_id:
            return None
        by_id[name] = item
    return by_id


def _text(value: JSON | None) -> str:
    match value:
        case str():
            text = value
        case list():
            text = f"[{', '.join(map(_text, value))}]"
        case dict():
            text = "{" + ", ".join(f"{key}: {_text(item)}" for key, item in value.items()) + "}"
        case _:
            text = "nothing"
    return text if len(text) <= MAX_TEXT_CHARS else f"{text[: MAX_TEXT_CHARS - 1]}…"
