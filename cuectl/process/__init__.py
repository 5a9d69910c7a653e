"""This process and its children: the clock, the environment, process trees."""
