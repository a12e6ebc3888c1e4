"""A shop with its back office, in which faults are planted: ``labels.toml`` says where."""
