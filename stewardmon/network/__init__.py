"""Names, connections, TLS and HTTP/1.1, each step measured: what probes and channels both use."""
