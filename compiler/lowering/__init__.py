"""Lowering: one small file a config block, from a bound service to operations. Never orders them."""
