"""What all tests share: the options of this test suite, and how hypothesis searches."""

from hypothesis import settings

# No timed assertion: the machine is shared. Equal runs try equal examples, so that a failure is nobody's luck; the
# full counts of `make proof` search anew each time and print their seed.
settings.register_profile("test", deadline=None, derandomize=True, database=None)
settings.register_profile("proof", deadline=None, print_blob=True)
settings.load_profile("test")


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write what comes out as what is expected")
