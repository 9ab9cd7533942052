"""What can matter in a network, by which of its weights are zero.

`facts` goes forward: for every number of the stream, whether it can be nonzero and what it depends on. `backward` says
which weights can change which token wins. Both are structural: a weight counts as a path however small it is,
so what is called dead surely is, up to rounding, and what is called alive may be cancelled by something else.
"""
