"""The pure rules of workflows: records, values, signatures, and what a history answers."""
