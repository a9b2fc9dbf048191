"""Worker processes: their messages, how they start and end, jobs and conversations."""
