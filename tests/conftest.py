"""What every test stands on: the same examples in every run, so that a red test stays red."""

from hypothesis import HealthCheck, settings

# A loaded machine makes generation slow, which says nothing about the code; and an example that
# fails once must fail again, here and in CI. `--hypothesis-profile=search` looks for new ones.
_SLOW = (HealthCheck.too_slow,)
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("search", deadline=None, max_examples=2000, suppress_health_check=_SLOW)
settings.load_profile("steady")
