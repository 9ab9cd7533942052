"""Evaluation at the speed that the arithmetic allows: network IR to a program over many sequences at once.

In the order of use: `translate` (IR to a program), `demand` (what of it matters), `magnitudes` (nothing overflows),
`fixed` (patterns that do not depend on tokens are numbers), `bounds` (the arithmetic, with a bound on how far the plain
module can be), `tensors` (the program on torch tensors), `folding` (what depends on one token is a table), `separable`
(attention as sums of tables), `fusing` (output maps as part of attention), `c_program` and `native` (the program as
compiled C), `engine`.
"""
