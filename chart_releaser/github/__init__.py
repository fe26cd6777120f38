"""GitHub's API: requests, rate limits, and answers cached between runs."""
