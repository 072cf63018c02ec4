"""Encoders and heads: tensors in, tensors out; they know no cells and no losses."""
