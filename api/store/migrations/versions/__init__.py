"""One file per step, in the order of its number. Never edit a released step: write the next one."""
