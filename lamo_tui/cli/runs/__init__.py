"""`lamo runs`, `lamo queue` and the commands that steer runs."""
