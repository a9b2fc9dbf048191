"""GPT-2's transformer, lean: few operator calls, gradients by hand, weights in eight bits."""
