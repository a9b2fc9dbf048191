"""The Replay screen: playing, scrubbing and steering episodes."""
