"""What training did to a policy: where it looks, what it forgot, what moved, and whether it does what it is asked."""
