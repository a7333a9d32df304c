"""A pytest plugin for Hypothesis: one failing example is enough. To look for the smallest takes minutes, for each mutation."""

from hypothesis import Phase, settings

settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None, deadline=None)
settings.load_profile("mutants")
