"""How each agent program is called and read: one module for each."""
