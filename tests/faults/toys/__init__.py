"""Tiny stores, one right and the others wrong in one way each, to prove the sweeps on."""
