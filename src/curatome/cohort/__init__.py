"""What a cohort holds: how much of what, how alike, and what is in it twice."""
