"""What the tests share: real servers to talk to, and waiting for them."""
