"""Properties tried on generated input, with the true Helm as the judge wherever it has an opinion."""
