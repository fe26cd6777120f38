"""Where charts come from: releases, repositories, and which of them are tracked and missing."""
