"""Where charts come from: releases, repositories, what is tracked and missing."""
