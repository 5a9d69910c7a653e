"""A pass: plan, admit, dispatch, recover, react, and wait for what it started."""
