"""stewardmon: probes, rules, incidents and pages for the Steward platform, in one process."""

from typing import Final

__version__: Final = "0.1.0"
