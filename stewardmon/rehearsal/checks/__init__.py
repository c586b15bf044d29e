"""The questions of the guide's check-lists: a file for each part of the platform.

A question is a function of a Flight that returns what it found. To add one: the function, and its
place in LISTS of `stewardmon/rehearsal/preflight.py`.
"""
