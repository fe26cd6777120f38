"""Git: trees at tags, the cache, one branch to publish from."""
