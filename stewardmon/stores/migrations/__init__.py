"""The schema, step by step: each file once, in the order of their names, never changed again.

`$NUMBER` is a key that counts up by itself and `$BYTES` binary data, as each database writes them.
"""
