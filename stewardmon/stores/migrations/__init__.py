"""Alembic's migrations, run by stores.upgrade over the connection that it hands in."""
