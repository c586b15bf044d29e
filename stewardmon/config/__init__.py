"""The three files and the environment: read, checked, frozen.

Nothing is imported here: `values` is what a configuration is, `loading` reads one in this process,
`apart` in another, `environment` is the daemon's own settings.
"""
