"""Evaluation at the speed that the arithmetic allows: network IR to a program over many sequences at once.

In the order of use, after `compiler.elementary` (IR to a program): `demand` (what of it matters), `magnitudes` (nothing
overflows), `work` (it is not too much), `fixed` (patterns that do not depend on tokens are numbers), `bounds` (the
arithmetic, with a bound on how far the plain module can be), `norms` and `elementwise` (what is computed position by
position), `attention` and `mixing` (what a query mixes), `large_term` and `deciding` (which token is surely said),
`tensors` (the program on torch tensors), `folding` (what depends on one token is a table), `measured` (such tables are
the plain module's own), `separable` (attention as sums of tables), `fusing` (output maps as part of attention),
`c_lines`, `c_keys` and `c_program` (the program as C), `c_compiler` and `native` (compiled), `engine`.
"""
