"""Where an expression can have a result at all, so that a replay need not ask everywhere.

A span of instants is looked at as a whole: each part of the expression comes to bounds instead of
numbers (interval arithmetic), for every element that it may have. Where the bounds say that the
result is empty, it is empty at each of the instants; where they do not, the engine is asked. A
screen never says what a result is: nothing that is told anybody comes from here.
"""

from stewardmon.promql.screen.search import Search
from stewardmon.promql.screen.walk import Screen

__all__ = ["Screen", "Search"]
