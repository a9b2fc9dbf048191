"""The queue of waiting runs: devices, background processes and the runner that starts them."""
