"""What rounding can do to a program, and the passes that prepare a program for it.

The arithmetic: `arithmetic` (a value, and how far the plain module can be from it), `norms` and `elementwise` (what is
computed position by position), `attention` and `mixing` (what a query mixes), `large_term` and `deciding` (which token
is surely said), `tensors` (all of that on torch tensors).

The passes over programs: `passes` lists them in order, and says who uses which; `legality` says what is legal after
each. A pass is in the module of its name, but `pruning` is in `demand`.
"""
