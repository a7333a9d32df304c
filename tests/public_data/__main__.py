"""Say what to fetch: `python -m tests.public_data`. The exit status is 1 while a file is absent or has other content."""

import sys

from tests.public_data.data_sets import DATA_SETS, SETTING, data_folder, is_complete, state


def main() -> int:
    """Print each data set with its files and their state. Returns the exit status."""
    folder = data_folder()
    print(f"{SETTING}={folder or ''}")
    for data_set in DATA_SETS:
        print(f"\n{data_set.name}: {data_set.about}\n  home: {data_set.home}\n  licence: {data_set.licence}")
        for file in data_set.files:
            print(f"  {file.name}: {file.size:,} bytes, sha256 {file.sha256}: {state(folder, data_set, file)}")
        if not is_complete(folder, data_set):
            print(f"  fetch it, in the folder that {SETTING} names:")
            print("\n".join(f"    {command}" for command in data_set.commands))
    return 0 if all(is_complete(folder, data_set) for data_set in DATA_SETS) else 1


if __name__ == "__main__":
    sys.exit(main())
