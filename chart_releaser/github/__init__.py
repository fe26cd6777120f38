"""GitHub's API: requests, limits, answers kept between runs."""
