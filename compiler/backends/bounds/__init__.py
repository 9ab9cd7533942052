"""What rounding can do to a program, and the passes that prepare a program for it.

The arithmetic: `arithmetic` (a value, and how far the plain module can be from it), `norms` and `elementwise` (what is
computed position by position), `attention` and `mixing` (what a query mixes), `large_term` and `deciding` (which token
is surely said), `tensors` (all of that on torch tensors).

The passes, in the order of use: `demand` (what matters), `magnitudes` (nothing overflows), `work` (it is not too much),
`fixed` (patterns that do not depend on tokens are numbers), `folding` (what depends on one token is a table),
`measured` (such tables are the plain module's own), `separable` (attention as sums of tables), `fusing` (output maps as
part of attention).
"""
