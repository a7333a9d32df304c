"""A pytest plugin for Hypothesis: stop at the first failing example. Shrinking would take minutes per mutation."""

from hypothesis import Phase, settings

settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None, deadline=None)
settings.load_profile("mutants")
