"""The loops and nothing else: watch, evaluate, escalate, deliver. Decisions are in domain."""
