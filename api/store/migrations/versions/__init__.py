"""One file a step, in the order of its number. A step that was released is never edited: write the next one."""
