"""Worker process with a memory limit for files that can crash the library which reads them."""
