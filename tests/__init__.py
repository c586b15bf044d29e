"""The whole test suite (a package, so that `tests.support` can be imported)."""
