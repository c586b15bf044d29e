"""One file a revision, numbered, each leading from the one before."""
