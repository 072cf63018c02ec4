"""Types, errors, checks, randomness and masked log-space math; imports nothing of the package."""
