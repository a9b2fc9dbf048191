"""What leaves and enters the workbench: policies for other runtimes, runs for trackers, hubs."""
