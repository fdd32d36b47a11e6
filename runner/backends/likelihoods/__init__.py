"""Log-likelihoods of given texts, from endpoints that tell a prompt's own log-probabilities."""
