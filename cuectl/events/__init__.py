"""Events: filters, subscriptions, fan-out, fan-in, and the sources they come from."""
